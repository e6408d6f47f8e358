//! Reserving a place for a message before there is one.
//!
//! Whoever waits for a place is in the senders' queue, so messages and reservations get the room in
//! the order in which they came. What the channel has room for is stored or reserved, never both.
//! Two things differ:
//!
//! * A receiver that finds nothing stored takes the first *message* from the queue, past those that
//!   wait for a place: a message that goes straight to a receiver needs none.
//! * A rendezvous has no place, and a permit without one would be of no use. So it has one for
//!   permits alone.

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::panic::{FirstPanic, in_destructor};
use crate::error::{Error, Exclusive, Result};
use crate::operation::queued::Queued;
use crate::operation::skeleton::{Doing, Tried, When};
use crate::operation::sync::channel::{
    Closed, Offered, SendError, Sender, Shared, TrySendError, WhenFull, hand,
};
use crate::operation::waiters::Waiters;
use crate::schedule::budget;
use crate::schedule::wake::KeptWaker;

/// Whether a place was reserved.
enum Reserved {
    Yes,
    NotNow,
    Closed,
}

impl<T> Shared<T> {
    /// How many messages may be stored or reserved when a place is reserved.
    fn places(&self) -> usize {
        match self.when_full {
            WhenFull::Wait => self.capacity.max(1),
            WhenFull::DropOldest => usize::MAX, // sending never waits, so neither does this
        }
    }

    /// Reserves a place, if nobody has to wait for that.
    fn reserve(&self) -> Reserved {
        if self.closed.get() {
            return Reserved::Closed;
        }
        // Whoever waits does so because there is no place.
        if self.buffer.borrow().len() + self.reserved.get() >= self.places() {
            return Reserved::NotNow;
        }
        self.reserved.update(|reserved| reserved + 1);
        Reserved::Yes
    }

    /// Sends a message for which a place was reserved. It comes back only if no receiver is left.
    pub(super) fn send_reserved(&self, message: T) -> Result<(), T> {
        self.reserved.update(|reserved| reserved - 1);
        if self.open_receivers.get() == 0 {
            return Err(message);
        }
        let accepted = self.accept(message);
        let mut panic = FirstPanic::new();
        if let Some(receiver) = self.receivers.next() {
            self.sets_out();
            panic.catch(|| hand(receiver, accepted)); // foreign code
            panic.catch(|| self.serve_room()); // it was not stored, so its place is free
        } else {
            self.buffer.borrow_mut().push_back(accepted);
            panic.catch(|| self.drop_oldest()); // foreign code
        }
        panic.resume();
        Ok(())
    }

    /// Gives up a place that was reserved. This runs foreign code.
    pub(super) fn release(&self) {
        self.reserved.update(|reserved| reserved - 1);
        if self.closed.get() {
            self.tell_end();
        } else {
            self.serve_room();
        }
    }

    /// Gives the room there is to those that have waited longest for it. This runs foreign code.
    #[cold]
    pub(super) fn serve_room(&self) {
        let mut panic = FirstPanic::new();
        while let Some(waker) = self.serve_next() {
            panic.catch(|| waker.wake()); // foreign code
        }
        panic.resume();
    }

    fn serve_next(&self) -> Option<KeptWaker> {
        let mut buffer = self.buffer.borrow_mut();
        let used = buffer.len() + self.reserved.get();
        if used >= self.places() {
            return None;
        }
        let for_messages = used < self.capacity;
        let fits = |offered: &Offered<T>| for_messages || !offered.is_message();
        let mut next = self.senders.next_like(fits)?;
        if let Some(message) = next.value().take() {
            buffer.push_back(self.accept(message));
            return Some(next.serve());
        }
        self.reserved.update(|reserved| reserved + 1);
        *next.value() = Offered::Reserved;
        Some(next.serve_alone(Exclusive::Permit))
    }
}

impl<T> Sender<T> {
    /// Reserves a place for one message, once there is one, so that sending it cannot fail for lack
    /// of room and does not wait. That is for messages which must not be made, or taken from
    /// elsewhere, before it is certain that they can be sent.
    ///
    /// The channel does not end while a place is reserved, not even if it is closed. Tasks that
    /// wait for room in order to [`send`](Self::send) and those that wait for a place get them in
    /// the order in which they came. A rendezvous (a channel with a capacity of 0) has one place
    /// for permits; what is sent with it is stored until it is received.
    ///
    /// It is a checkpoint. If the future is dropped after it was given a place, that place is free
    /// again. This is `reserve` of tokio's channels.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), or [`Closed`] if the channel is closed or no longer has a
    /// receiver. In either case nothing was reserved.
    ///
    /// ```
    /// use seedbed::channel;
    ///
    /// seedbed::run(async {
    ///     let mut jobs = vec!["read", "write"];
    ///     let (sender, receiver) = channel(1);
    ///     let permit = sender.reserve().await?;
    ///     assert!(sender.try_send("too many").is_err());
    ///     permit.send(jobs.remove(0))?; // not before it can be sent
    ///     assert_eq!(receiver.recv().await?, Some("read"));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn reserve(&self) -> impl Future<Output = Result<SendPermit<'_, T>>> + Unpin {
        Reserve(Doing::new(Reserving { shared: &self.shared, place: Location::caller() }))
    }

    /// Reserves a place for one message, if there is one now. This is not a checkpoint.
    ///
    /// # Errors
    ///
    /// [`TrySendError`].
    pub fn try_reserve(&self) -> Result<SendPermit<'_, T>, TrySendError<()>> {
        budget::count();
        match self.shared.reserve() {
            Reserved::Yes => Ok(SendPermit { shared: &self.shared }),
            Reserved::NotNow => Err(TrySendError::Full(())),
            Reserved::Closed => Err(TrySendError::Closed(())),
        }
    }
}

/// A place for one message in a [`channel`](fn@crate::channel), from [`Sender::reserve`]. If it is
/// dropped, the place is free again.
///
/// As long as it exists, the channel does not end: receivers wait for its message.
#[must_use = "the place is free again when this is dropped"]
pub struct SendPermit<'a, T> {
    shared: &'a Shared<T>,
}

impl<T> SendPermit<'_, T> {
    /// Sends a message to the place. It does not wait, and is not a checkpoint. It succeeds even if
    /// the channel was closed after the place was reserved.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the message, if the channel no longer has a receiver.
    pub fn send(self, message: T) -> Result<(), SendError<T>> {
        budget::count();
        let shared = self.shared;
        mem::forget(self);
        shared.send_reserved(message).map_err(SendError::closed)
    }
}

impl<T> Drop for SendPermit<'_, T> {
    fn drop(&mut self) {
        in_destructor(|| self.shared.release());
    }
}

impl<T> fmt::Debug for SendPermit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendPermit").finish_non_exhaustive()
    }
}

/// The operation that waits for a place.
pub(super) struct Reserving<'a, T> {
    pub(super) shared: &'a Shared<T>,
    pub(super) place: &'static Location<'static>,
}

impl<T> Queued for Reserving<'_, T> {
    const NAME: &'static str = "Sender::reserve";
    const COUNTS_WHEN_CANCELLED: u8 = 2;
    const ALONE: Option<Exclusive> = Some(Exclusive::Permit);

    type Value = Offered<T>;
    type Got = Result<(), Closed>;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn queue(&self) -> &Waiters<Offered<T>> {
        &self.shared.senders
    }

    fn attempt(&mut self, _: When) -> Tried<Result<(), Closed>> {
        match self.shared.reserve() {
            Reserved::Yes => Tried::Done(Ok(())),
            Reserved::NotNow => Tried::Waits,
            Reserved::Closed => Tried::Done(Err(Closed)),
        }
    }

    fn pause(&mut self, got: &Result<(), Closed>) -> Option<Exclusive> {
        got.is_ok().then_some(Exclusive::Permit)
    }

    fn bring(&self, place: &mut Offered<T>) {
        *place = Offered::Reservation;
    }

    fn receive(&mut self, given: Offered<T>) -> Result<(), Closed> {
        match given {
            Offered::Reserved => Ok(()),
            Offered::Nothing | Offered::Message(_) | Offered::Reservation => Err(Closed),
        }
    }

    fn pass_on(&mut self, given: Offered<T>) {
        if let Offered::Reserved = given {
            self.shared.release();
        }
    }

    fn give_back(&mut self, got: Result<(), Closed>) {
        if got.is_ok() {
            self.shared.release();
        }
    }
}

/// The future of [`Sender::reserve`].
struct Reserve<'a, T>(Doing<Reserving<'a, T>>);

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<SendPermit<'a, T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let doing = &mut self.get_mut().0;
        let polled = Pin::new(&mut *doing).poll(cx);
        let Reserving { shared, place } = doing.work;
        polled.map(|outcome| match outcome {
            Ok(Ok(())) => Ok(SendPermit { shared }),
            Ok(Err(closed)) => Err(Error::from(closed).at(place)),
            Err(error) => Err(error),
        })
    }
}
