//! The handle that gives a child's value.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::Result;
use crate::nursery::child::{Handle, Joined};
use crate::operation::skeleton::{
    Look, Operation, Registered, Steps, Tried, When, polled_after_it_was_ready,
};
use crate::operation::waiters::Kept;
use crate::scope::watch::Watch;

/// A handle to a child; awaiting it gives the child's value.
///
/// Dropping the handle changes nothing: the child goes on in its nursery.
///
/// Awaiting it is a checkpoint. If the child fails, it cancels its nursery, which reports the
/// failure once; the task returns the [`Cancelled`](crate::Cancelled) that the failure caused. It
/// also returns a `Cancelled` if the nursery is dropped.
pub struct Task<'scope, T> {
    child: Joining,
    steps: Steps<Watch, ()>,
    _value: PhantomData<(&'scope (), T)>,
}

struct Joining(Handle);

impl Joining {
    /// Whether there is something to wait for. If so, this waker will be woken when the child ends.
    fn waits(&self, cx: &Context<'_>) -> bool {
        !self.0.has_ended() && self.0.set_joiner(cx.waker()) == Joined::Waits
    }
}

impl<T> Task<'_, T> {
    /// The child's value must be a `T`.
    pub(super) fn new(child: Handle) -> Self {
        Task { child: Joining(child), steps: Steps::new(), _value: PhantomData }
    }

    /// Whether the child has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.child.0.has_ended()
    }
}

impl<T> Unpin for Task<'_, T> {}

/// Waits for the child's end. If the value is not taken then, it stays with the task.
impl Operation for Joining {
    const NAME: &'static str = "Task";
    const COUNTS_WHEN_CANCELLED: u8 = 1;

    type Got = ();
    type Wait = Watch;

    fn place(&self) -> &'static Location<'static> {
        self.0.place()
    }

    fn attempt(&mut self, _: When, _: &mut Context<'_>) -> Tried<()> {
        if self.0.has_ended() { Tried::Done(()) } else { Tried::Waits }
    }

    fn resume(&mut self, (): ()) -> Result<()> {
        Watch::of_unit().check()
    }

    fn register(&mut self, cx: &Context<'_>, _: &mut Kept) -> Registered<Watch> {
        let mut watch = Watch::armed(cx);
        match watch.check() {
            Err(error) => Registered::Failed(error),
            Ok(()) if self.waits(cx) => Registered::Waits(watch),
            Ok(()) => Registered::LooksAgain,
        }
    }

    fn look(&mut self, watch: &mut Watch, cx: &mut Context<'_>) -> Look<()> {
        watch.arm(cx);
        match watch.check() {
            Err(error) => Look::Cancelled(error, None),
            Ok(()) if self.waits(cx) => Look::Waits,
            Ok(()) => Look::Got(()),
        }
    }

    fn leave(&mut self, _: &mut Watch) {}
}

impl<T> Future for Task<'_, T> {
    type Output = Result<T>;

    /// # Panics
    ///
    /// If it is polled after it has given the value.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { child, steps, .. } = self.get_mut();
        let ended = ready!(steps.poll(child, cx));
        // After a cancellation the task may be awaited again.
        *steps = Steps::new();
        ended?;
        // SAFETY: the child is done, and its value is a `T`.
        match unsafe { child.0.take::<T>() } {
            Some(outcome) => Poll::Ready(outcome.map_err(Into::into)),
            None => polled_after_it_was_ready(child),
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
