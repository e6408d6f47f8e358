//! What is no checkpoint, and lets others run all the same when its task has had its share.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Result;
use crate::schedule::current::{self, CONTEXT};
use crate::scope::unheeded;

/// Whether what is no checkpoint has let others run, where that was due.
#[derive(Debug, Default)]
pub(crate) struct Aside(Cell<bool>);

impl Aside {
    #[inline]
    pub(crate) const fn new() -> Self {
        Aside(Cell::new(false))
    }

    /// Counts something that finishes at once and is no checkpoint. `Pending` if the task has had its
    /// share: it lets others run, does not look for cancellation, and goes on then.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), if it has been [unheeded] for long.
    #[inline(always)]
    pub(crate) fn pay(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        if !self.0.get() && CONTEXT.with(|context| context.turn.pass_aside()) {
            return Poll::Ready(Ok(()));
        }
        self.let_others_run(cx)
    }

    /// The same for what is counted at its end, as it may turn out to wait.
    ///
    /// # Errors
    ///
    /// As [`pay`](Self::pay).
    #[inline(always)]
    pub(crate) fn begin(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        if !self.0.get() && CONTEXT.with(|context| context.turn.has_left()) {
            return Poll::Ready(Ok(()));
        }
        self.let_others_run(cx)
    }

    #[cold]
    #[inline(never)]
    fn let_others_run(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        if current::current_run() == 0 {
            return Poll::Ready(Ok(()));
        }
        if self.0.replace(false) {
            return Poll::Ready(unheeded::look());
        }
        self.0.set(true);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Future for Aside {
    type Output = Result<()>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.pay(cx)
    }
}
