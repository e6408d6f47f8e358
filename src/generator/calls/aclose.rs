//! Closing a generator, and ending a body that ignores this.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::{GeneratorExit, Impossible, Result};
use crate::generator::state::{Close, Phase};
use crate::generator::{Generator, Inner};
use crate::scope::Uncancellable;

impl<'a, T, S> Generator<'a, T, S> {
    /// Closes the generator: raises [`GeneratorExit`] at the yield that the body is suspended at,
    /// and waits until the body has ended. A body that has not begun never will. Closing twice is
    /// fine.
    ///
    /// # Errors
    ///
    /// What the body fails with, other than `GeneratorExit`;
    /// [`IgnoredGeneratorExit`](crate::IgnoredGeneratorExit) if it yields instead of ending;
    /// [`Cancelled`](crate::Cancelled), if the caller loops without ever reaching a checkpoint (see
    /// the [guide](crate::guide::scheduling#the-budget)): the generator has been closed
    /// nevertheless.
    ///
    /// # When the body yields
    ///
    /// It is suspended at that yield, and what it yielded is dropped. `anext` and `asend` resume
    /// it; closing it again does nothing. When the generator is dropped, or its nursery or the run
    /// ends, `GeneratorExit` is raised there once more and the body is polled once, so that
    /// clean-up that does not wait runs. A body that yields or waits then is dropped as it is, and
    /// reported through `tracing`. CPython does the same when it frees such a generator.
    pub fn aclose(&mut self) -> Aclose<'_, 'a, T, S> {
        Aclose { inner: &self.inner, closing: Closing::default(), waits: None, unheeded: Ok(()) }
    }
}

/// How far the closing has got.
#[derive(Clone, Copy, Default)]
pub(in crate::generator) enum Closing {
    #[default]
    Unbegun,
    Begun,
}

impl<T, S> Inner<'_, T, S> {
    /// Closes the generator.
    pub(in crate::generator) fn poll_close(
        &self,
        closing: &mut Closing,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        match mem::replace(closing, Closing::Begun) {
            Closing::Begun => {}
            Closing::Unbegun => match self.link.state.close() {
                Close::Exit => self.link.exit(),
                Close::Unbegun => self.finish(),
                Close::Nothing => return Poll::Ready(Ok(())),
            },
        }
        loop {
            if self.link.state.phase() == Phase::Ended {
                return Poll::Ready(Ok(()));
            }
            match self.poll_body(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(None)) => return Poll::Ready(Ok(())),
                // An `anext` was dropped in flight, and this is the value that it would have
                // returned.
                Poll::Ready(Ok(Some(value))) => {
                    drop(value);
                    self.link.exit();
                }
                Poll::Ready(Err(error)) if error.is::<GeneratorExit>() => {
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// The future of [`Generator::aclose`].
#[must_use = "futures do nothing unless awaited"]
pub struct Aclose<'g, 'a, T, S> {
    inner: &'g Inner<'a, T, S>,
    closing: Closing,
    /// Present while the finalizer closes the generator.
    waits: Option<Uncancellable>,
    /// The cancellation that the task has to be told of, once the generator is closed.
    pub(in crate::generator) unheeded: Result<()>,
}

impl<T, S> Future for Aclose<'_, '_, T, S> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(this.poll_closed(cx))?;
        Poll::Ready(mem::replace(&mut this.unheeded, Ok(())))
    }
}

impl<T, S> Aclose<'_, '_, T, S> {
    /// Like `poll`, but leaves the cancellation that the task has to be told of in `unheeded`.
    pub(in crate::generator) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self;
        // Closing is clean-up, and goes on.
        if let Err(cancelled) = ready!(this.inner.link.pay(cx)) {
            this.unheeded = Err(cancelled);
        }
        if this.inner.link.state.phase() == Phase::Finalizing {
            if this.inner.link.state.is_running() {
                return Poll::Ready(Err(this.inner.misused(Impossible::FromInside).into()));
            }
            // Only one may poll the body. That is the finalizer, which reports whatever goes wrong.
            let waker = cx.waker().clone(); // foreign code, which may make it end
            if this.inner.link.state.phase() == Phase::Finalizing {
                if this.waits.is_none() {
                    this.waits = Uncancellable::new();
                }
                drop(this.inner.closer.replace(Some(waker)));
                return Poll::Pending;
            }
        }
        this.waits = None;
        this.inner.poll_close(&mut this.closing, cx)
    }
}
