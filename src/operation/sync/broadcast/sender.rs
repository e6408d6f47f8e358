//! Sending to all, and what is known of the receivers.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::rc::Rc;

use crate::error::Result;
use crate::operation::sync::broadcast::{Receiver, Shared};
use crate::operation::sync::channel::{Offer, Offered, Outlet, SendError, TrySendError};
use crate::operation::sync::until::{Awaited, until};
use crate::operation::waiters::{Told, Waiters};
use crate::schedule::budget;

/// The end of a [`channel`](super::channel()) that sends. When the last one is dropped, the
/// receivers receive what there is, and then the end.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Sender<T> {
    /// For a sender that has been counted.
    pub(super) fn new(shared: Rc<Shared<T>>) -> Self {
        Sender { shared }
    }

    /// Sends a message to all receivers. If there is no room, it does what the channel's
    /// [`WhenFull`](super::WhenFull) says: it drops the oldest message, or waits. The sender that
    /// has waited longest is the next to send.
    ///
    /// It is a checkpoint.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the message, if this was cancelled before the message was sent, or if
    /// there is no receiver. `?` turns it into an [`Error`](crate::Error).
    #[track_caller]
    pub fn send(&self, message: T) -> impl Future<Output = Result<(), SendError<T>>> + Unpin {
        Offer::begin(&*self.shared, message, Location::caller())
    }

    /// Sends a message to all receivers, if there is room or the oldest message is dropped for it.
    /// This is not a checkpoint.
    ///
    /// # Errors
    ///
    /// [`TrySendError`], with the message.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        budget::count();
        if self.is_closed() {
            return Err(TrySendError::Closed(message));
        }
        self.shared.put(message).map_err(TrySendError::Full)
    }

    /// Makes a further receiver, of what is sent from now on.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(self.shared.clone())
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers.get()
    }

    /// How many messages are stored, which some have yet to receive.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.stored.borrow().len()
    }

    /// Whether all messages have been received.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }

    /// Whether there is no receiver. One can still [subscribe](Self::subscribe).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until there is no receiver.
    ///
    /// It is a checkpoint.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn closed(&self) -> impl Future<Output = Result<()>> + Unpin {
        until(NoReceiver(&self.shared), Location::caller())
    }
}

impl<T> Outlet for Shared<T> {
    const NAME: &'static str = "broadcast::Sender::send";

    type Message = T;

    fn is_closed(&self) -> bool {
        self.receivers.get() == 0
    }

    fn put(&self, message: T) -> Result<(), T> {
        Shared::put(self, message)
    }

    fn senders(&self) -> &Waiters<Offered<T>> {
        &self.writing
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.set(self.shared.senders.get() + 1);
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.senders.set(self.shared.senders.get() - 1);
        if self.shared.senders.get() == 0 {
            self.shared.reading.serve_all(); // foreign code
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("broadcast::Sender")
            .field("len", &self.len())
            .field("receiver_count", &self.receiver_count())
            .finish_non_exhaustive()
    }
}

struct NoReceiver<'a, T>(&'a Shared<T>);

impl<T> Awaited for NoReceiver<'_, T> {
    const NAME: &'static str = "broadcast::Sender::closed";

    fn queue(&self) -> &Waiters<Told> {
        &self.0.no_receivers
    }

    fn is_so(&self) -> bool {
        self.0.receivers.get() == 0
    }
}
