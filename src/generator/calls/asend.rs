//! The next item, with a value sent in.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::{AsendError, Impossible, Result};
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
        Asend { inner: &self.inner, value: Some(value), ended: false }
    }
}

/// The future of [`Generator::asend`].
#[must_use = "futures do nothing unless awaited"]
pub struct Asend<'g, 'a, T, S> {
    inner: &'g Inner<'a, T, S>,
    /// The value, until it is sent.
    value: Option<S>,
    ended: bool,
}

// The value is moved, never pinned.
impl<T, S> Unpin for Asend<'_, '_, T, S> {}

impl<T, S> Future for Asend<'_, '_, T, S> {
    type Output = Result<Option<T>, AsendError<S>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(!this.ended, "`Generator::asend` was polled after it was ready");
        let outcome = match ready!(this.inner.aside.pay(cx)) {
            Ok(()) => ready!(this.go_on(cx)),
            Err(error) => Err(AsendError::Failed(error)),
        };
        this.ended = true;
        Poll::Ready(outcome)
    }
}

impl<T, S> Asend<'_, '_, T, S> {
    fn go_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, AsendError<S>>> {
        let inner = self.inner;
        if let Some(value) = self.value.take() {
            let what = match inner.link.state.phase() {
                Phase::AtYield => {
                    inner.link.resume(Resume::Value(value));
                    return inner.poll_body(cx).map_err(AsendError::Failed);
                }
                Phase::Ended => return Poll::Ready(Ok(None)),
                Phase::Created => Impossible::SendBeforeFirst("anext"),
                Phase::InFlight | Phase::Running | Phase::Finalizing => Impossible::SendInFlight,
            };
            return Poll::Ready(Err(AsendError::Refused(value, inner.misused(what))));
        }
        inner.poll_on(cx).map_err(AsendError::Failed)
    }
}
