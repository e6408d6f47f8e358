//! The next item.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::error::Result;
use crate::generator::link::Resume;
use crate::generator::state::{GoOn, GoesOn, Phase};
use crate::generator::{Generator, Inner};
use crate::scope::aside::Aside;

impl<'a, T, S> Generator<'a, T, S> {
    /// Runs the body up to its next yield, and returns the value; `None` at the end and ever after.
    ///
    /// Dropping the future in flight loses nothing: the next `anext` continues. This is PEP 525's
    /// `__anext__`.
    ///
    /// This is not a checkpoint: only what the body awaits is. A cancellation is raised there,
    /// inside the body, which may handle it and go on. Each call counts against the
    /// [budget](crate::guide::scheduling#the-budget), and lets other tasks run when that is spent.
    ///
    /// # Errors
    ///
    /// The body's, after which the generator is finished; [`NotRunning`](crate::NotRunning) outside
    /// [`run`](crate::run); [`Cancelled`](crate::Cancelled), if the consumer loops without ever
    /// reaching a checkpoint (see the [guide](crate::guide::scheduling#the-budget)): the generator
    /// stays where it was.
    pub fn anext(&mut self) -> Anext<'_, 'a, T, S> {
        Anext { inner: &self.inner }
    }
}

impl<T, S> futures_core::Stream for Generator<'_, T, S> {
    type Item = Result<T>;

    /// Does the same as [`anext`](Generator::anext).
    #[inline(always)]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        Inner::poll_next(&self.inner, cx).map(Result::transpose)
    }
}

/// The future of [`Generator::anext`].
#[must_use = "futures do nothing unless awaited"]
pub struct Anext<'g, 'a, T, S> {
    inner: &'g Rc<Inner<'a, T, S>>,
}

impl<T, S> Future for Anext<'_, '_, T, S> {
    type Output = Result<Option<T>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Inner::poll_next(self.inner, cx)
    }
}

impl<T, S> Inner<'_, T, S> {
    #[inline(always)]
    fn poll_next(self: &Rc<Self>, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        if !self.link.state.rests() {
            let Some(batch) = self.link.state.in_batch() else {
                return self.poll_next_closely(cx);
            };
            if !Aside::passes() {
                return self.poll_next_aside(cx);
            }
            return match self.link.next_of_batch(batch) {
                Some(value) => Poll::Ready(Ok(Some(value))),
                None => self.poll_next_paid(cx),
            };
        }
        if !Aside::passes() {
            return self.poll_next_aside(cx);
        }
        let goes_on = self.link.state.go_on();
        self.poll_running(goes_on, cx)
    }

    #[cold]
    #[inline(never)]
    fn poll_next_aside(self: &Rc<Self>, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        ready!(self.link.let_others_run(cx))?;
        self.poll_next_paid(cx)
    }

    #[cold]
    #[inline(never)]
    fn poll_next_closely(self: &Rc<Self>, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        ready!(self.link.pay(cx))?;
        self.poll_next_paid(cx)
    }

    #[inline(never)]
    fn poll_next_paid(self: &Rc<Self>, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        if let Some(value) = self.link.next_if_in_batch() {
            return Poll::Ready(Ok(Some(value)));
        }
        if self.link.state.rests() {
            let goes_on = self.link.state.go_on();
            return self.poll_running(goes_on, cx);
        }
        if let GoOn::Running(goes_on) = self.link.state.go_on_waiting(|| self.link.is_around()) {
            return self.poll_running(goes_on, cx);
        }
        match self.link.state.phase() {
            Phase::Created => self.begin()?,
            Phase::AtYield => self.link.resume(Resume::Next),
            Phase::InFlight | Phase::Running | Phase::Finalizing => return self.poll_on(cx),
            Phase::Ended => return Poll::Ready(Ok(None)),
        }
        self.poll_body(cx)
    }

    /// Polls a body that goes on.
    #[inline(always)]
    fn poll_running(&self, goes_on: GoesOn<'_>, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        match self.poll_resumed(goes_on, cx) {
            Ok(value) => Poll::Ready(Ok(Some(value))),
            Err(outcome) => self.settle(outcome, cx),
        }
    }
}
