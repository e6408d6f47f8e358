//! Channels between tasks of one thread: bounded, with any number of senders and receivers, fair
//! on both sides.
//!
//! A message is always somewhere: with its sender, in the buffer, or given to a receiver. An
//! operation that is cancelled or dropped puts it back where it was.

mod errors;
mod kinds;
mod recv;
mod reserve;
mod send;
mod sink;
mod stream;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use crate::error::panic::{FirstPanic, in_destructor, quietly};
use crate::error::{Exclusive, Result};
use crate::operation::streaming::{Sinking, Streaming};
use crate::operation::waiters::{Next, Ticket, Waiters};
use crate::schedule::budget;
pub use errors::{Closed, SendError, TryRecvError, TrySendError};
pub use kinds::{conflated_channel, unbounded_channel};
pub use recv::Recv;
pub use reserve::SendPermit;
pub(crate) use send::Offered;
pub use send::Sending;
pub(super) use send::{Offer, Outlet};

/// Makes a channel for messages of type `T` that stores up to `capacity` of them. With a capacity
/// of 0 it is a rendezvous: sending waits until the receiver takes the message.
///
/// Both ends can be cloned. Messages are received in the order in which they were sent. On both
/// sides, the task that has waited longest is served first. This is Trio's `open_memory_channel`.
///
/// ```
/// use seedbed::{channel, nursery};
///
/// seedbed::run(async {
///     let (sender, receiver) = channel(1);
///     nursery(async |n| {
///         n.spawn(async move {
///             for i in 0..3 {
///                 sender.send(i).await?;
///             }
///             Ok(()) // the sender is dropped, which ends the channel
///         });
///         let mut got = Vec::new();
///         while let Some(i) = receiver.recv().await? {
///             got.push(i);
///         }
///         assert_eq!(got, [0, 1, 2]);
///         Ok(())
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[must_use]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    with_capacity(capacity, WhenFull::Wait)
}

fn with_capacity<T>(capacity: usize, when_full: WhenFull) -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        capacity,
        when_full,
        buffer: RefCell::new(VecDeque::new()),
        senders: Waiters::new(),
        receivers: Waiters::new(),
        open_senders: Cell::new(1),
        open_receivers: Cell::new(1),
        closed: Cell::new(false),
        accepted: Cell::new(0),
        under_way: Cell::new(0),
        reserved: Cell::new(0),
    });
    let sender = Sender { shared: shared.clone(), sinking: Sinking::new() };
    (sender, Receiver { shared, streaming: Streaming::new() })
}

/// What becomes of a message for which there is no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum WhenFull {
    /// Its sender waits.
    Wait,
    /// It takes the place of the oldest.
    DropOldest,
}

/// A message, with its number in the order in which the channel accepted the messages. If it is put
/// back, the number tells where it belongs.
struct Numbered<T> {
    number: u64,
    message: T,
}

struct Shared<T> {
    capacity: usize,
    when_full: WhenFull,
    /// Sorted by number. If messages were put back there may be more than `capacity`.
    buffer: RefCell<VecDeque<Numbered<T>>>,
    /// Those that wait for room. Each sender has its message, which is taken when the sender is
    /// served, unless the channel was closed.
    senders: Waiters<Offered<T>>,
    /// Each receiver is given a message when it is served, or nothing at the end.
    receivers: Waiters<Option<Numbered<T>>>,
    open_senders: Cell<usize>,
    open_receivers: Cell<usize>,
    closed: Cell<bool>,
    /// How many messages the channel has accepted.
    accepted: Cell<u64>,
    /// How many messages were given to receivers that have not returned yet, and may still put them
    /// back.
    under_way: Cell<usize>,
    /// How many places are reserved for messages that have not been sent.
    reserved: Cell<usize>,
}

impl<T> Shared<T> {
    /// Closes the channel: it takes no more messages. Those in the buffer can still be received.
    fn close(&self) {
        self.closed.set(true);
        let mut panic = FirstPanic::new();
        panic.catch(|| self.senders.serve_all());
        panic.catch(|| self.tell_end());
        panic.resume();
    }

    /// Whether no more messages can come, because none is stored, under way, or about to be sent to
    /// a place that is reserved for it.
    fn has_ended(&self) -> bool {
        self.closed.get()
            && self.under_way.get() == 0
            && self.reserved.get() == 0
            && self.buffer.borrow().is_empty()
    }

    /// If the channel has ended, tells the receivers that wait for a message.
    #[cold]
    fn tell_end(&self) {
        if self.has_ended() {
            self.receivers.serve_all(); // no message can come any more, whatever their wakers do
        }
    }

    /// A message is being given to a receiver that has not returned yet.
    #[inline]
    fn sets_out(&self) {
        self.under_way.set(self.under_way.get() + 1);
    }

    /// The receiver has returned with the message.
    #[inline]
    fn arrives(&self) {
        self.under_way.set(self.under_way.get() - 1);
        if self.closed.get() {
            // If another receiver's waker panics, the message must not be lost.
            quietly(|| self.tell_end());
        }
    }

    #[inline]
    fn accept(&self, message: T) -> Numbered<T> {
        let number = self.accepted.get();
        self.accepted.set(number + 1);
        Numbered { number, message }
    }

    /// Gives a message to a receiver or to the buffer, or gives it back.
    #[inline]
    fn put(&self, message: T) -> Result<(), T> {
        if let Some(receiver) = self.receivers.next() {
            self.sets_out();
            hand(receiver, self.accept(message));
            return Ok(());
        }
        let mut buffer = self.buffer.borrow_mut();
        if buffer.len() + self.reserved.get() >= self.capacity {
            drop(buffer);
            return self.put_in_place_of_oldest(message);
        }
        buffer.push_back(self.accept(message));
        Ok(())
    }

    /// Stores a message for which there is no room, or gives it back.
    #[inline(never)]
    fn put_in_place_of_oldest(&self, message: T) -> Result<(), T> {
        if self.when_full == WhenFull::Wait {
            return Err(message);
        }
        let accepted = self.accept(message);
        self.buffer.borrow_mut().push_back(accepted);
        self.drop_oldest();
        Ok(())
    }

    /// Drops what there is no room for, where nobody waits for room.
    fn drop_oldest(&self) {
        if self.when_full == WhenFull::DropOldest {
            let mut buffer = self.buffer.borrow_mut();
            let oldest = if buffer.len() > self.capacity { buffer.pop_front() } else { None };
            drop(buffer);
            drop(oldest); // foreign code
        }
    }

    /// Takes the next message, from the buffer or from a sender that waits.
    #[inline]
    fn take(&self) -> Option<Numbered<T>> {
        let mut buffer = self.buffer.borrow_mut();
        let Some(first) = buffer.pop_front() else {
            drop(buffer);
            return self.take_from_sender();
        };
        // There may be more in the buffer than its capacity, if some were put back.
        if buffer.len() + self.reserved.get() >= self.capacity {
            drop(buffer);
            return self.take_from_full(first);
        }
        let Some(mut next) = self.senders.next() else { return Some(first) };
        let waker = match next.value().take() {
            Some(sent) => {
                buffer.push_back(self.accept(sent));
                next.serve()
            }
            None => {
                self.reserved.set(self.reserved.get() + 1);
                *next.value() = Offered::Reserved;
                next.serve_alone(Exclusive::Permit)
            }
        };
        drop(buffer);
        self.while_taking(first, || waker.wake())
    }

    /// Takes the next message where none is stored.
    fn take_from_sender(&self) -> Option<Numbered<T>> {
        if self.senders.is_empty() {
            return None;
        }
        let mut sender = self.senders.next_like(Offered::is_message)?;
        let sent = sender.value().take().expect("it is a message");
        let sent = self.accept(sent);
        let waker = sender.serve();
        self.while_taking(sent, || waker.wake())
    }

    /// A message was taken, and there is no room for another nevertheless.
    #[inline]
    fn take_from_full(&self, taken: Numbered<T>) -> Option<Numbered<T>> {
        if self.capacity > 0 {
            return Some(taken);
        }
        self.while_taking(taken, || self.serve_room()) // the place for permits may be free
    }

    /// Runs foreign code while a message is being taken. If it panics, nobody gets the message, so
    /// it is put back.
    #[inline]
    fn while_taking(&self, taken: Numbered<T>, wakes: impl FnOnce()) -> Option<Numbered<T>> {
        let mut panic = FirstPanic::new();
        panic.catch(wakes);
        if panic.is_some() {
            self.sets_out();
            panic.catch(|| self.put_back(taken));
            panic.resume();
            return None;
        }
        Some(taken)
    }

    /// Puts back a message that was under way and will not be received after all.
    fn put_back(&self, message: Numbered<T>) {
        if let Some(receiver) = self.receivers.next() {
            in_destructor(|| hand(receiver, message));
        } else {
            let mut buffer = self.buffer.borrow_mut();
            let place = buffer.partition_point(|other| other.number < message.number);
            buffer.insert(place, message);
            self.under_way.set(self.under_way.get() - 1);
            drop(buffer);
            in_destructor(|| self.drop_oldest());
        }
    }
}

#[inline]
fn hand<T>(mut receiver: Next<'_, Option<Numbered<T>>>, message: Numbered<T>) {
    *receiver.value() = Some(message);
    receiver.serve_alone(Exclusive::Message).wake();
}

/// The sending end of a [`channel`]. When the last one is dropped, the channel ends after the
/// messages in it.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
    sinking: Sinking<Ticket>,
}

impl<T> Sender<T> {
    /// Sends a message, once there is space for it.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the message, if this was cancelled before the message was sent, or if
    /// the channel is closed or no longer has a receiver. `?` turns it into an
    /// [`Error`](crate::Error).
    #[track_caller]
    pub fn send(&self, message: T) -> Sending<'_, T> {
        self.send_for(message, Location::caller())
    }

    /// Does the same as [`send`](Self::send), on behalf of the caller at `place`.
    #[inline]
    pub(crate) fn send_for(&self, message: T, place: &'static Location<'static>) -> Sending<'_, T> {
        Sending::new(self, message, place)
    }

    /// Sends a message if there is space, or a receiver that waits, now. This is not a checkpoint.
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

    /// Ends the channel for all its senders. Messages in it can still be received. Tasks that wait
    /// to send get their messages back.
    pub fn close(&self) {
        self.shared.close();
    }

    /// How many messages are stored.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.buffer.borrow().len()
    }

    /// Whether no message is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages the channel has room for. More may be stored, if some were given back by
    /// receivers that were dropped.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }

    /// Whether sending must fail, because the channel was closed or no receiver is left.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.closed.get()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.open_senders.set(self.shared.open_senders.get() + 1);
        Sender { shared: self.shared.clone(), sinking: Sinking::new() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The receiving end of a [`channel`]. When the last one is dropped, sending fails, and the
/// messages in the channel are dropped.
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    streaming: Streaming<Ticket, Option<Numbered<T>>>,
}

impl<T> Receiver<T> {
    /// Receives the next message, once there is one; `None` when the channel has ended.
    ///
    /// No message is lost if this is cancelled or dropped: the next `recv` gets it. So `None` comes
    /// only when no further message can come. While one is on its way to another receiver, which may
    /// give it back, or a place is [reserved](Sender::reserve) for one, this waits.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn recv(&self) -> Recv<'_, T> {
        Recv::new(self, Location::caller())
    }

    /// Receives a message if there is one now. This is not a checkpoint.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`].
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        budget::count();
        match self.shared.take() {
            Some(taken) => Ok(taken.message),
            None if self.shared.has_ended() => Err(TryRecvError::Ended),
            None => Err(TryRecvError::Empty),
        }
    }

    /// How many messages are stored. There may be others: those of senders that wait for room, and
    /// those that were given to receivers which have not returned with them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.buffer.borrow().len()
    }

    /// Whether no message is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages the channel has room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }

    /// Closes the channel: from now on sending fails, and tasks that wait to send get their
    /// messages back. Messages in the buffer can still be received.
    pub fn close(&self) {
        self.shared.close();
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.open_receivers.set(self.shared.open_receivers.get() + 1);
        Receiver { shared: self.shared.clone(), streaming: Streaming::new() }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut panic = FirstPanic::new();
        panic.catch(|| self.stop_streaming()); // which passes on what it was handed
        self.shared.open_receivers.set(self.shared.open_receivers.get() - 1);
        if self.shared.open_receivers.get() == 0 {
            panic.catch(|| self.shared.close());
            let unread = self.shared.buffer.take();
            panic.catch(|| drop(unread)); // foreign code
        }
        panic.resume();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.shared.buffer.borrow().len();
        f.debug_struct("Receiver").field("buffered", &waiting).finish_non_exhaustive()
    }
}
