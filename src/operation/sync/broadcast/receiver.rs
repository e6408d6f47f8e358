//! Receiving, from where this receiver is.

use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::panic::{FirstPanic, quietly};
use crate::error::{Error, Result};
use crate::operation::skeleton::Doing;
use crate::operation::streaming::Streaming;
use crate::operation::sync::broadcast::Shared;
use crate::operation::sync::broadcast::stored::Next;
use crate::operation::sync::until::{Awaited, Until, until};
use crate::operation::waiters::{Ticket, Told, Waiters};
use crate::schedule::budget;

/// The end of a [`channel`](super::channel()) that receives. A clone has received what the original
/// has received.
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    /// The number of the message that is next.
    next: Cell<u64>,
    pub(super) streaming: Streaming<Ticket, ()>,
}

impl<T> Receiver<T> {
    /// Makes a receiver of what is sent from now on.
    pub(super) fn new(shared: Rc<Shared<T>>) -> Self {
        let next = shared.stored.borrow().end();
        Receiver::from(next, shared)
    }

    fn from(next: u64, shared: Rc<Shared<T>>) -> Self {
        shared.receivers.set(shared.receivers.get() + 1);
        shared.stored.borrow_mut().join(next);
        Receiver { shared, next: Cell::new(next), streaming: Streaming::new() }
    }

    /// How many messages there are for this receiver. It has missed others if it lags behind.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.stored.borrow().len_from(self.next.get())
    }

    /// Whether there is no message for this receiver now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes a receiver of what is sent from now on. (A clone also receives what is stored for this
    /// one.)
    #[must_use]
    pub fn resubscribe(&self) -> Receiver<T> {
        Receiver::new(self.shared.clone())
    }

    /// Whether both belong to the same channel.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
    }

    /// What there is for it to wait for, and what it waits with as a stream.
    #[inline]
    pub(super) fn parts(&mut self) -> (News<'_, T>, &mut Streaming<Ticket, ()>) {
        let Receiver { shared, next, streaming } = self;
        (News { shared, next }, streaming)
    }

    #[inline]
    fn news(&self) -> News<'_, T> {
        News { shared: &self.shared, next: &self.next }
    }
}

impl<T: Clone> Receiver<T> {
    /// Receives the next message, once there is one; `None` when the senders are gone and all has
    /// been received.
    ///
    /// It is a checkpoint. If it is cancelled or dropped, nothing has been received: the next call
    /// gets the message, unless that is dropped meanwhile for want of room.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), or [`Lagged`] if messages were dropped before this receiver
    /// has received them. After that it goes on with the oldest that is left.
    #[track_caller]
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<T>>> + Unpin {
        Recv(until(self.news(), Location::caller()))
    }

    /// Receives the next message, if it is there. This is not a checkpoint.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        budget::count();
        let news = self.news();
        match news.take() {
            Next::Message(message) => Ok(news.received(message)),
            Next::Missed(missed) => Err(TryRecvError::Lagged(news.lagged(missed))),
            Next::Nothing if news.have_ended() => Err(TryRecvError::Ended),
            Next::Nothing => Err(TryRecvError::Empty),
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Receiver::from(self.next.get(), self.shared.clone())
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut panic = FirstPanic::new();
        panic.catch(|| {
            let (news, streaming) = self.parts();
            streaming.stop(&mut Until { awaited: news, place: Location::caller() });
        });
        let shared = &*self.shared;
        shared.receivers.set(shared.receivers.get() - 1);
        let unread = shared.stored.borrow_mut().leave(self.next.get());
        panic.catch(|| shared.serve_writers());
        if shared.receivers.get() == 0 {
            panic.catch(|| shared.no_receivers.serve_present(|_| {}));
        }
        panic.catch(|| drop(unread)); // foreign code
        panic.resume();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("broadcast::Receiver").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The future of [`Receiver::recv`].
#[must_use = "futures do nothing unless awaited"]
struct Recv<'a, T>(Doing<Until<News<'a, T>>>);

impl<T: Clone> Future for Recv<'_, T> {
    type Output = Result<Option<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let doing = &mut self.get_mut().0;
        let polled = Pin::new(&mut *doing).poll(cx);
        polled.map(|told| {
            told?;
            // Only now: if this was dropped earlier, nothing was received.
            let Until { awaited, place } = doing.work;
            awaited.next(place).transpose()
        })
    }
}

/// What is new to a receiver.
pub(super) struct News<'a, T> {
    shared: &'a Shared<T>,
    next: &'a Cell<u64>,
}

impl<T> Clone for News<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for News<'_, T> {}

impl<T> News<'_, T> {
    pub(super) fn have_ended(self) -> bool {
        self.shared.senders.get() == 0
    }

    #[inline]
    fn take(self) -> Next<T> {
        let mut number = self.next.get();
        let next = self.shared.stored.borrow_mut().take(&mut number);
        self.next.set(number);
        next
    }

    /// Receives the next message, if there is one, for a call at `place`.
    #[inline]
    pub(super) fn next(self, place: &'static Location<'static>) -> Option<Result<T>>
    where
        T: Clone,
    {
        match self.take() {
            Next::Message(message) => Some(Ok(self.received(message))),
            Next::Missed(missed) => Some(Err(Error::from(self.lagged(missed)).at(place))),
            Next::Nothing => None,
        }
    }

    /// A message was taken.
    #[inline]
    fn received(self, message: Rc<T>) -> T
    where
        T: Clone,
    {
        // If a sender's waker panics, the message must not be lost.
        if self.shared.has_writers() {
            quietly(|| self.shared.serve_writers());
        }
        Rc::try_unwrap(message).unwrap_or_else(|shared| (*shared).clone()) // foreign code
    }

    #[cold]
    fn lagged(self, missed: u64) -> Lagged {
        let Shared { made, capacity, .. } = *self.shared;
        Lagged { missed, made, capacity }
    }
}

impl<T> Awaited for News<'_, T> {
    const NAME: &'static str = "broadcast::Receiver::recv";

    #[inline(always)]
    fn queue(&self) -> &Waiters<Told> {
        &self.shared.reading
    }

    #[inline(always)]
    fn is_so(&self) -> bool {
        self.next.get() != self.shared.stored.borrow().end() || self.have_ended()
    }
}

/// A receiver was too slow: messages were dropped before it has received them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lagged {
    missed: u64,
    made: &'static Location<'static>,
    capacity: usize,
}

impl Lagged {
    /// How many messages it has missed.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Where the channel was made.
    #[must_use]
    pub fn made(&self) -> &'static Location<'static> {
        self.made
    }
}

impl fmt::Display for Lagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lagged { missed, made, capacity } = self;
        write!(
            f,
            "this receiver was too slow and has missed {missed} of the messages: the broadcast \
             channel made at {made} stores {capacity}, and drops the oldest"
        )
    }
}

impl StdError for Lagged {}

/// Why no message could be received at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TryRecvError {
    /// There is no message yet.
    Empty,
    /// There will be no more messages.
    Ended,
    /// Messages were dropped before they were received. The next call gets the oldest that is left.
    Lagged(Lagged),
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryRecvError::Empty => f.write_str("there is no message yet"),
            TryRecvError::Ended => f.write_str("the channel has ended"),
            TryRecvError::Lagged(lagged) => lagged.fmt(f),
        }
    }
}

impl StdError for TryRecvError {}
