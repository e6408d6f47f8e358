//! The handle that gives a child's value.

use std::borrow::Cow;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::{Reason, Result};
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
/// also returns a `Cancelled` if the nursery is dropped. If the child was [cancelled through the
/// task](Self::cancel), that is the ordinary error [`TaskCancelled`](crate::TaskCancelled).
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

    /// Cancels the child, alone: its nursery and its siblings go on.
    ///
    /// Each checkpoint in the child fails from the next time that the child runs. The child cleans
    /// up as in any cancelled scope, and shields work as usual. The cancellation is absorbed when it
    /// comes out of the child, so it is not a failure of the nursery; awaiting the task then gives
    /// [`TaskCancelled`](crate::TaskCancelled). A child that ends with a value all the same gives
    /// its value, and one that fails with something else fails the nursery.
    ///
    /// This has no effect on a child that has ended or was cancelled so before. It is not a
    /// checkpoint and does not wait; await the task for that.
    ///
    /// In Trio this takes a `CancelScope` that the child enters. In tokio it is
    /// `JoinHandle::abort`, which drops the task's future instead.
    ///
    /// ```
    /// use seedbed::{TaskCancelled, nursery, sleep_forever};
    ///
    /// seedbed::run(async {
    ///     nursery(async |n| {
    ///         let download = n.spawn(sleep_forever());
    ///         download.cancel_with("the user closed the window");
    ///         let error = download.await.unwrap_err();
    ///         assert!(error.is::<TaskCancelled>());
    ///         Ok(()) // the nursery has not failed
    ///     })
    ///     .await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn cancel(&self) {
        self.child.0.cancel(Reason::Requested(None), Location::caller());
    }

    /// Does the same as [`cancel`](Self::cancel), and says why: the errors in the child and the
    /// [`TaskCancelled`](crate::TaskCancelled) have the text.
    #[track_caller]
    pub fn cancel_with(&self, reason: impl Into<Cow<'static, str>>) {
        self.child.0.cancel(Reason::Requested(Some(reason.into())), Location::caller());
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
            Some(outcome) => Poll::Ready(outcome),
            None => polled_after_it_was_ready(child),
        }
    }
}

impl<T> std::fmt::Debug for Task<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let spawned = self.child.0.spawned();
        f.debug_struct("Task")
            .field("name", &spawned.name())
            .field("spawned_at", &spawned.place())
            .field("is_finished", &self.is_finished())
            .finish()
    }
}
