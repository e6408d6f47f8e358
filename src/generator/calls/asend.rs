//! The next item, with a value sent in.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::{AsendError, Impossible, Result};
use crate::generator::link::Resume;
use crate::generator::state::Phase;
use crate::generator::{Generator, Inner};
use crate::scope::aside::Aside;

impl<'a, T, S> Generator<'a, T, S> {
    /// Does the same as [`anext`](Self::anext), and makes the yield that the body is suspended at
    /// return `Some(value)`.
    ///
    /// # Errors
    ///
    /// [`AsendError::Refused`], with the value, if the body is not suspended at a yield: before the
    /// first `anext`, or when an `anext` was dropped in flight. Otherwise the same as for
    /// [`anext`](Self::anext).
    pub fn asend(&mut self, value: S) -> Asend<'_, 'a, T, S> {
        Asend { inner: &self.inner, stage: Stage::Unsent(value) }
    }
}

/// The future of [`Generator::asend`].
#[must_use = "futures do nothing unless awaited"]
pub struct Asend<'g, 'a, T, S> {
    inner: &'g Inner<'a, T, S>,
    stage: Stage<S>,
}

/// How far an `asend` has got.
enum Stage<S> {
    /// It has its value.
    Unsent(S),
    Sent,
    Over,
}

// The value is moved, never pinned.
impl<T, S> Unpin for Asend<'_, '_, T, S> {}

impl<T, S> Future for Asend<'_, '_, T, S> {
    type Output = Result<Option<T>, AsendError<S>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let inner = this.inner;
        if !(matches!(this.stage, Stage::Unsent(_)) && inner.link.state.rests()) {
            return this.poll_closely(cx);
        }
        if !Aside::passes() {
            return this.poll_aside(cx);
        }
        if let Stage::Unsent(value) = mem::replace(&mut this.stage, Stage::Sent) {
            let goes_on = inner.link.go_on_with_value(value);
            return match inner.poll_resumed(goes_on, cx) {
                Ok(value) => {
                    this.stage = Stage::Over;
                    Poll::Ready(Ok(Some(value)))
                }
                Err(outcome) => this.settle(outcome, cx),
            };
        }
        unreachable!("it has its value")
    }
}

impl<T, S> Asend<'_, '_, T, S> {
    #[cold]
    fn settle(
        &mut self,
        outcome: Poll<Result<()>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<T>, AsendError<S>>> {
        let outcome = ready!(self.inner.settle(outcome, cx));
        self.stage = Stage::Over;
        Poll::Ready(outcome.map_err(AsendError::Failed))
    }

    #[cold]
    #[inline(never)]
    fn poll_aside(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, AsendError<S>>> {
        let paid = ready!(self.inner.link.let_others_run(cx));
        self.poll_paid(paid, cx)
    }

    #[cold]
    #[inline(never)]
    fn poll_closely(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, AsendError<S>>> {
        let paid = ready!(self.inner.link.pay(cx));
        self.poll_paid(paid, cx)
    }

    fn poll_paid(
        &mut self,
        paid: Result<()>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<T>, AsendError<S>>> {
        let outcome = match (mem::replace(&mut self.stage, Stage::Sent), paid) {
            (Stage::Over, _) => panic!("`Generator::asend` was polled after it was ready"),
            (_, Err(error)) => Err(AsendError::Failed(error)),
            (Stage::Unsent(value), Ok(())) => ready!(self.send(value, cx)),
            (Stage::Sent, Ok(())) => ready!(self.inner.poll_on(cx)).map_err(AsendError::Failed),
        };
        self.stage = Stage::Over;
        Poll::Ready(outcome)
    }

    fn send(&self, value: S, cx: &mut Context<'_>) -> Poll<Result<Option<T>, AsendError<S>>> {
        let inner = self.inner;
        if inner.link.state.rests() {
            let goes_on = inner.link.go_on_with_value(value);
            return match inner.poll_resumed(goes_on, cx) {
                Ok(value) => Poll::Ready(Ok(Some(value))),
                Err(outcome) => inner.settle(outcome, cx).map_err(AsendError::Failed),
            };
        }
        let what = match inner.link.state.phase() {
            Phase::AtYield => {
                inner.link.resume(Resume::Value(value));
                return inner.poll_body(cx).map_err(AsendError::Failed);
            }
            Phase::Ended => return Poll::Ready(Ok(None)),
            Phase::Created => Impossible::SendBeforeFirst("anext"),
            Phase::InFlight | Phase::Running | Phase::Finalizing => Impossible::SendInFlight,
        };
        Poll::Ready(Err(AsendError::Refused(value, inner.misused(what))))
    }
}
