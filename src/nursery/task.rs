//! The handle that gives a child's value.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Result;
use crate::coop::{self, Watch};
use crate::nursery::child::ChildRef;

/// A handle to a child, which gives its value when it is awaited.
///
/// Dropping it changes nothing: the child goes on in its nursery.
///
/// Awaiting it is a checkpoint. A child that fails cancels its nursery and is reported there, once;
/// what comes out here is the [`Cancelled`](crate::Cancelled) that the failure caused.
#[must_use = "a child runs without its handle: drop it to say that its value is not wanted"]
pub struct Task<'scope, T> {
    child: ChildRef,
    watch: Watch,
    /// Whether it has let others run, in the one way or the other.
    waited: bool,
    _value: PhantomData<(&'scope (), T)>,
}

impl<T> Task<'_, T> {
    /// The child's value must be a `T`.
    pub(super) fn new(child: ChildRef) -> Self {
        Task { child, watch: Watch::new(), waited: false, _value: PhantomData }
    }

    /// Whether the child has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.child.is_done()
    }
}

impl<T> Unpin for Task<'_, T> {}

impl<T> Future for Task<'_, T> {
    type Output = Result<T>;

    /// # Panics
    ///
    /// If it is polled after it gave the value.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        coop::check()?;
        if !this.child.is_done() {
            this.child.set_joiner(cx.waker());
            this.watch.arm(cx);
            this.waited = true;
            return Poll::Pending;
        }
        if !this.waited && coop::spend() {
            this.waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        // SAFETY: the child is done, and its value is a `T`.
        let value = unsafe { this.child.take::<T>() };
        Poll::Ready(match value {
            Some(outcome) => outcome.map_err(Into::into),
            None => panic!("a child's value was taken before, or the child was dropped"),
        })
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
