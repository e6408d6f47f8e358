//! Operations that are not checkpoints, such as driving a generator or entering a scope. They count
//! against the budget all the same, and let other tasks run when it is spent.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::Result;
use crate::schedule::current::{self, THREAD};
use crate::scope::without_checkpoint;

/// The part of such an operation that does the counting. It remembers whether the operation has
/// already let others run, if that was due.
#[derive(Debug, Default)]
pub(crate) struct Aside(Cell<bool>);

impl Aside {
    #[inline]
    pub(crate) const fn new() -> Self {
        Aside(Cell::new(false))
    }

    /// For an operation whose state says whether it [has let others run](Self::is_paused).
    #[inline]
    pub(crate) const fn resume(is_paused: bool) -> Self {
        Aside(Cell::new(is_paused))
    }

    /// Whether the operation has let others run, and is not to count when it is polled again.
    #[inline]
    pub(crate) fn is_paused(&self) -> bool {
        self.0.get()
    }

    /// Counts an operation that finishes at once and has not let others run, if counting is all
    /// that is needed. If not, the operation has to [let others run](Self::let_others_run).
    #[inline(always)]
    pub(crate) fn passes() -> bool {
        THREAD.with(|thread| thread.turn.pass_aside())
    }

    /// Counts an operation that finishes at once. `Pending` if the task has spent its budget, so
    /// that it lets others run before it goes on. It does not look for cancellation.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), if the task was cancelled long ago and has not reached a
    /// checkpoint since: see [`without_checkpoint`].
    #[inline(always)]
    pub(crate) fn pay(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        if !self.0.get() && Aside::passes() {
            return Poll::Ready(Ok(()));
        }
        self.let_others_run(cx)
    }

    /// To be called at the beginning of an operation that is counted when it ends, because it may
    /// turn out to wait.
    ///
    /// # Errors
    ///
    /// The same as for [`pay`](Self::pay).
    #[inline(always)]
    pub(crate) fn begin(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        if !self.0.get() && THREAD.with(|thread| thread.turn.has_left()) {
            return Poll::Ready(Ok(()));
        }
        self.let_others_run(cx)
    }

    /// Lets others run, unless that is what the operation has just done.
    ///
    /// # Errors
    ///
    /// The same as for [`pay`](Self::pay).
    #[cold]
    #[inline(never)]
    pub(crate) fn let_others_run(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        if !current::is_running() {
            return Poll::Ready(Ok(()));
        }
        if self.0.replace(false) {
            return Poll::Ready(without_checkpoint::look());
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
