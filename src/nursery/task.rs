//! The handle that gives a child's value.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Result;
use crate::nursery::child::Handle;
use crate::operation::checkpoint::Checkpoint;
use crate::schedule::budget;
use crate::scope::watch::Watch;
use crate::scope::{self, frame};

/// A handle to a child; awaiting it gives the child's value.
///
/// Dropping the handle changes nothing: the child goes on in its nursery.
///
/// Awaiting it is a checkpoint. If the child fails, it cancels its nursery, which reports the
/// failure once; what comes out here is the [`Cancelled`](crate::Cancelled) that the failure
/// caused. A `Cancelled` also comes out if the nursery is dropped.
pub struct Task<'scope, T> {
    child: Handle,
    watch: Watch,
    step: Step,
    _value: PhantomData<(&'scope (), T)>,
}

enum Step {
    Start,
    /// It was cancelled before it began to wait.
    Fail(Checkpoint),
    Wait,
}

impl<T> Task<'_, T> {
    /// The child's value must be a `T`.
    pub(super) fn new(child: Handle) -> Self {
        Task { child, watch: Watch::new(), step: Step::Start, _value: PhantomData }
    }

    /// Whether the child has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.child.has_ended()
    }
}

impl<T> Unpin for Task<'_, T> {}

impl<T> Future for Task<'_, T> {
    type Output = Result<T>;

    /// # Panics
    ///
    /// If it is polled after it has given the value.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match &mut this.step {
                Step::Start => {
                    this.step = match scope::check() {
                        Err(error) => Step::Fail(Checkpoint::failing(error, 1)),
                        Ok(()) if this.child.has_ended() && budget::spend() => {
                            this.step = Step::Wait;
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                        Ok(()) => Step::Wait,
                    };
                }
                Step::Wait => {
                    // A value that is not taken now stays with the task.
                    this.watch.arm(cx);
                    let cancelled = this.watch.check();
                    if cancelled.is_ok()
                        && !this.child.has_ended()
                        && this.child.set_joiner(cx.waker())
                    {
                        frame::awaits("Task");
                        return Poll::Pending;
                    }
                    this.watch.disarm();
                    this.step = Step::Start;
                    cancelled?;
                    // SAFETY: the child is done, and its value is a `T`.
                    let value = unsafe { this.child.take::<T>() };
                    return Poll::Ready(match value {
                        Some(outcome) => outcome.map_err(Into::into),
                        None => panic!("a child's value was taken before"),
                    });
                }
                Step::Fail(failing) => {
                    let outcome = std::task::ready!(Pin::new(failing).poll(cx));
                    this.step = Step::Start;
                    return Poll::Ready(Err(outcome.expect_err("it was cancelled")));
                }
            }
        }
    }
}

impl<T> std::fmt::Debug for Task<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task")
            .field("spawned_at", &self.child.place())
            .field("is_finished", &self.is_finished())
            .finish()
    }
}
