//! Looking at a watched value, and waiting for it to change.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::Result;
use crate::error::panic::FirstPanic;
use crate::operation::skeleton::Doing;
use crate::operation::streaming::Streaming;
use crate::operation::sync::until::{Awaited, Until, until};
use crate::operation::sync::watch::{Ref, Shared};
use crate::operation::waiters::{Ticket, Told, Waiters};

/// The end of a [`channel`](super::channel()) that looks at the value. A clone has seen what the
/// original has seen.
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    /// The version of the latest value that was seen.
    seen: Cell<u64>,
    streaming: Streaming<Ticket, ()>,
}

impl<T> Receiver<T> {
    /// Makes a receiver that has seen the present value.
    pub(super) fn new(shared: Rc<Shared<T>>) -> Self {
        let seen = shared.version.get();
        Receiver::that_has_seen(seen, shared)
    }

    fn that_has_seen(seen: u64, shared: Rc<Shared<T>>) -> Self {
        shared.receivers.set(shared.receivers.get() + 1);
        Receiver { shared, seen: Cell::new(seen), streaming: Streaming::new() }
    }

    /// The present value. It still counts as not seen, if it was not seen before.
    #[track_caller]
    pub fn borrow(&self) -> Ref<T> {
        self.shared.snapshot()
    }

    /// The present value, which counts as seen from now on.
    #[track_caller]
    pub fn borrow_and_update(&mut self) -> Ref<T> {
        let value = self.shared.snapshot();
        self.mark_unchanged();
        value
    }

    /// Whether there is a value that was not seen.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.seen.get() != self.shared.version.get()
    }

    /// Lets the present value count as not seen.
    pub fn mark_changed(&mut self) {
        self.seen.set(self.shared.version.get().wrapping_sub(1));
    }

    /// Lets the present value count as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen.set(self.shared.version.get());
    }

    /// Waits until there is a value that was not seen, and lets it count as seen. `None` means that
    /// no other will come: the senders are gone, and the last value was seen.
    ///
    /// It is a checkpoint. If it is cancelled or dropped, the value still counts as not seen.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn changed(&mut self) -> impl Future<Output = Result<Option<()>>> + Unpin {
        self.changed_for(Location::caller())
    }

    fn changed_for(&self, place: &'static Location<'static>) -> Changed<'_, T> {
        Changed(until(Change { shared: &self.shared, seen: &self.seen }, place))
    }

    /// Waits until `is_right` says so of the value, and returns that value. `None` means that the
    /// senders are gone, and that it was not so of the last value either. All values that were
    /// looked at count as seen.
    ///
    /// It is a checkpoint each time it looks at a value.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn wait_for(
        &mut self,
        mut is_right: impl FnMut(&T) -> bool,
    ) -> impl Future<Output = Result<Option<Ref<T>>>> {
        let place = Location::caller();
        self.mark_changed(); // the first look is at the present value
        async move {
            while let Some(()) = self.changed_for(place).await? {
                let value = self.shared.snapshot();
                if is_right(&value) {
                    return Ok(Some(value));
                }
            }
            Ok(None)
        }
    }

    /// What it waits for, and what it waits with as a stream.
    pub(super) fn parts(&mut self) -> (Change<'_, T>, &mut Streaming<Ticket, ()>) {
        let Receiver { shared, seen, streaming } = self;
        (Change { shared, seen }, streaming)
    }

    /// Whether both belong to the same channel.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Receiver::that_has_seen(self.seen.get(), self.shared.clone())
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut panic = FirstPanic::new();
        panic.catch(|| {
            let (change, streaming) = self.parts();
            streaming.stop(&mut Until { awaited: change, place: Location::caller() });
        });
        self.shared.receivers.set(self.shared.receivers.get() - 1);
        if self.shared.receivers.get() == 0 {
            panic.catch(|| self.shared.no_receivers.serve_present(|_| {})); // foreign code
        }
        panic.resume();
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("watch::Receiver").field("value", &self.shared.value).finish_non_exhaustive()
    }
}

/// The future of [`Receiver::changed`].
#[must_use = "futures do nothing unless awaited"]
struct Changed<'a, T>(Doing<Until<Change<'a, T>>>);

impl<T> Future for Changed<'_, T> {
    type Output = Result<Option<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let doing = &mut self.get_mut().0;
        let polled = Pin::new(&mut *doing).poll(cx);
        polled.map_ok(|()| {
            // Only now: if this was dropped earlier, the value was not seen.
            let Change { shared, seen } = doing.work.awaited;
            let version = shared.version.get();
            (seen.replace(version) != version).then_some(())
        })
    }
}

/// A value that a receiver has not seen.
pub(super) struct Change<'a, T> {
    shared: &'a Shared<T>,
    seen: &'a Cell<u64>,
}

impl<T> Clone for Change<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Change<'_, T> {}

impl<T> Change<'_, T> {
    fn is_there(self) -> bool {
        self.seen.get() != self.shared.version.get()
    }

    pub(super) fn was_the_last(self) -> bool {
        !self.is_there() && self.shared.senders.get() == 0
    }

    /// A clone of the present value, which counts as seen from then on; if it was not seen yet.
    pub(super) fn take(self) -> Option<T>
    where
        T: Clone,
    {
        let version = self.shared.version.get();
        self.is_there().then(|| {
            let value = T::clone(&self.shared.snapshot()); // foreign code
            self.seen.set(version);
            value
        })
    }
}

impl<T> Awaited for Change<'_, T> {
    const NAME: &'static str = "watch::Receiver::changed";

    #[inline(always)]
    fn queue(&self) -> &Waiters<Told> {
        &self.shared.changes
    }

    #[inline(always)]
    fn is_so(&self) -> bool {
        self.is_there() || self.shared.senders.get() == 0
    }
}
