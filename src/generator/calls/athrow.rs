//! The next item, with an error thrown in.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::panic::report;
use crate::error::{Error, Impossible, Result};
use crate::generator::link::Resume;
use crate::generator::state::Phase;
use crate::generator::{Generator, Inner};

impl<'a, T, S> Generator<'a, T, S> {
    /// Does the same as [`anext`](Self::anext), and makes the yield that the body is suspended at
    /// fail with `error`. If the body handles it, this returns the next value that it yields.
    ///
    /// # Errors
    ///
    /// `error` itself if the body does not handle it, has not begun (it never will), or has ended.
    /// Otherwise the same as for [`anext`](Self::anext). If that would fail with
    /// [`Cancelled`](crate::Cancelled) and leave the generator where it was, the error is thrown in
    /// first, and whatever the body yields is dropped.
    ///
    /// A body that has yielded when it was [closed](Self::aclose) is left where it is, and this
    /// returns the end, as in CPython. It is reported through `tracing` that the error was not
    /// thrown in.
    pub fn athrow(&mut self, error: impl Into<Error>) -> Athrow<'_, 'a, T, S> {
        Athrow { inner: &self.inner, error: Some(error.into()), unheeded: Ok(()), ended: false }
    }
}

/// The future of [`Generator::athrow`].
#[must_use = "futures do nothing unless awaited"]
pub struct Athrow<'g, 'a, T, S> {
    inner: &'g Inner<'a, T, S>,
    /// The error, until it is thrown in.
    error: Option<Error>,
    /// The cancellation that the task has to be told of, once that is done.
    unheeded: Result<()>,
    ended: bool,
}

impl<T, S> Future for Athrow<'_, '_, T, S> {
    type Output = Result<Option<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(!this.ended, "`Generator::athrow` was polled after it was ready");
        // The error is not lost: it is raised all the same.
        if let Err(cancelled) = ready!(this.inner.link.pay(cx)) {
            this.unheeded = Err(cancelled);
        }
        let outcome = ready!(this.go_on(cx));
        this.ended = true;
        let unheeded = std::mem::replace(&mut this.unheeded, Ok(()));
        Poll::Ready(outcome.and_then(|value| unheeded.map(|()| value)))
    }
}

impl<T, S> Athrow<'_, '_, T, S> {
    fn go_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        let inner = self.inner;
        if let Some(error) = self.error.take() {
            match inner.link.state.phase() {
                Phase::AtYield if inner.link.state.has_ignored_exit() => {
                    report!(
                        warn,
                        generator = %inner.qualname(),
                        %error,
                        "not thrown in: the generator has been closed"
                    );
                    return Poll::Ready(Ok(None));
                }
                Phase::AtYield => {
                    inner.link.resume(Resume::Raise(error));
                    return inner.poll_body(cx);
                }
                Phase::Created => {
                    inner.finish();
                    return Poll::Ready(Err(error));
                }
                Phase::Ended => return Poll::Ready(Err(error)),
                Phase::InFlight | Phase::Running | Phase::Finalizing => {
                    report!(warn, %error, "not thrown in: the generator runs");
                    return Poll::Ready(Err(inner.misused(Impossible::ThrowInFlight).into()));
                }
            }
        }
        inner.poll_on(cx)
    }
}
