//! The next item, with a value sent in.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::{AsendError, Error, Impossible, Result};
use crate::generator::link::Resume;
use crate::generator::state::Phase;
use crate::generator::{Generator, Inner};

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
        if let Err(error) = ready!(this.inner.aside.pay(cx)) {
            return this.fail(error);
        }
        if let Stage::Unsent(_) = this.stage
            && this.inner.link.state.rests()
            && let Stage::Unsent(value) = mem::replace(&mut this.stage, Stage::Sent)
        {
            this.inner.link.go_on_with_value(value);
            return match this.inner.poll_resumed(cx) {
                Ok(value) => {
                    this.stage = Stage::Over;
                    Poll::Ready(Ok(Some(value)))
                }
                Err(outcome) => this.settle(outcome, cx),
            };
        }
        this.poll_closely(cx)
    }
}

impl<T, S> Asend<'_, '_, T, S> {
    #[cold]
    fn fail(&mut self, error: Error) -> Poll<Result<Option<T>, AsendError<S>>> {
        self.stage = Stage::Over; // foreign code drops the value
        Poll::Ready(Err(AsendError::Failed(error)))
    }

    fn settle(
        &mut self,
        outcome: Poll<Result<()>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<T>, AsendError<S>>> {
        let outcome = ready!(self.inner.settle(outcome, cx));
        self.stage = Stage::Over;
        Poll::Ready(outcome.map_err(AsendError::Failed))
    }

    #[inline(never)]
    fn poll_closely(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, AsendError<S>>> {
        let outcome = match mem::replace(&mut self.stage, Stage::Sent) {
            Stage::Unsent(value) => ready!(self.send(value, cx)),
            Stage::Sent => ready!(self.inner.poll_on(cx)).map_err(AsendError::Failed),
            Stage::Over => panic!("`Generator::asend` was polled after it was ready"),
        };
        self.stage = Stage::Over;
        Poll::Ready(outcome)
    }

    fn send(&self, value: S, cx: &mut Context<'_>) -> Poll<Result<Option<T>, AsendError<S>>> {
        let inner = self.inner;
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
