//! Sending a message, once there is room for it.

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{Error, Result};
use crate::operation::handed::Taker;
use crate::operation::skeleton::{Doing, Look, Operation, Registered, Tried, When};
use crate::operation::sync::channel::{Closed, SendError, Sender, Shared};
use crate::operation::waiters::{Given, Kept, Outcome, Ticket, Waiters};

/// Something that takes messages.
pub(crate) trait Outlet {
    /// See [`Operation::NAME`].
    const NAME: &'static str;

    type Message;

    fn is_closed(&self) -> bool;

    /// Takes the message, or gives it back if there is no room.
    fn put(&self, message: Self::Message) -> Result<(), Self::Message>;

    /// Those that wait for room. Each sender has its message, which is taken when the sender is
    /// served, unless nobody receives it any more.
    fn senders(&self) -> &Waiters<Offered<Self::Message>>;
}

/// What somebody who waits for room has left in the queue.
pub(crate) enum Offered<T> {
    Nothing,
    Message(T),
    /// It wants a place for a message that it has not got yet.
    Reservation,
    /// It has been given that place.
    Reserved,
}

impl<T> Given for Offered<T> {
    const NOTHING: Offered<T> = Offered::Nothing;
    type Taker = Taker;
}

impl<T> Offered<T> {
    #[inline(always)]
    pub(crate) fn is_message(&self) -> bool {
        matches!(self, Offered::Message(_))
    }

    /// Takes the message out, if it is one.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Option<T> {
        mem::replace(self, Offered::Nothing).into_message()
    }

    #[inline(always)]
    pub(crate) fn into_message(self) -> Option<T> {
        match self {
            Offered::Message(message) => Some(message),
            Offered::Nothing | Offered::Reservation | Offered::Reserved => None,
        }
    }
}

/// Sending a message, and getting it back if that fails.
#[must_use = "futures do nothing unless awaited"]
pub(crate) struct Offer<'a, O: Outlet>(Doing<Offering<'a, O>>);

struct Offering<'a, O: Outlet> {
    outlet: &'a O,
    /// The message, while it is not on its way.
    message: Option<O::Message>,
    place: &'static Location<'static>,
}

impl<O: Outlet> Operation for Offering<'_, O> {
    const NAME: &'static str = O::NAME;
    const COUNTS_WHEN_CANCELLED: u8 = 2;

    type Got = Result<(), Closed>;
    type Wait = Ticket;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    #[inline(always)]
    fn attempt(&mut self, _: When, _: &mut Context<'_>) -> Tried<Result<(), Closed>> {
        if self.outlet.is_closed() {
            return Tried::Done(Err(Closed));
        }
        let message = self.message.take().expect("it was not sent yet");
        match self.outlet.put(message) {
            Ok(()) => Tried::Done(Ok(())),
            Err(message) => {
                self.message = Some(message);
                Tried::Waits
            }
        }
    }

    #[inline(always)]
    fn register(&mut self, cx: &Context<'_>, kept: &mut Kept) -> Registered<Ticket> {
        let Offering { outlet, message, .. } = self;
        let bring = |place: &mut Offered<O::Message>| {
            if let Some(message) = message.take() {
                *place = Offered::Message(message);
            }
        };
        outlet.senders().join(bring, cx, kept, None)
    }

    #[inline(always)]
    fn fetch(&mut self, ticket: &Ticket) -> Option<Result<(), Closed>> {
        self.message = self.outlet.senders().fetch(*ticket)?.into_message();
        Some(self.sent())
    }

    fn look(&mut self, ticket: &mut Ticket, cx: &mut Context<'_>) -> Look<Result<(), Closed>> {
        match self.outlet.senders().look(*ticket, cx) {
            Outcome::Waiting => Look::Waits,
            Outcome::Handed(message) => {
                self.message = message.into_message();
                Look::Got(self.sent())
            }
            Outcome::Cancelled(message, error, left) => {
                self.message = message.into_message();
                Look::Cancelled(error, Some(left))
            }
            Outcome::PassedOver(message, left) => {
                self.message = message.into_message();
                Look::PassedOver(left)
            }
        }
    }

    #[inline(never)]
    fn leave(&mut self, ticket: &mut Ticket) {
        drop(self.outlet.senders().leave(*ticket)); // foreign code
    }
}

impl<'a, O: Outlet> Offering<'a, O> {
    /// Whether the message was sent, after the operation has waited. If not, the message has come
    /// back.
    #[inline(always)]
    fn sent(&self) -> Result<(), Closed> {
        if self.message.is_none() { Ok(()) } else { Err(Closed) }
    }

    #[cold]
    fn fail(&mut self, why: Error) -> SendError<O::Message> {
        let message = self.message.take().expect("the message was not sent");
        SendError { message, why }
    }
}

impl<'a, O: Outlet> Offer<'a, O> {
    #[inline]
    pub(crate) fn begin(
        outlet: &'a O,
        message: O::Message,
        place: &'static Location<'static>,
    ) -> Self {
        Offer(Doing::new(Offering { outlet, message: Some(message), place }))
    }
}

impl<O: Outlet> Future for Offer<'_, O> {
    type Output = Result<(), SendError<O::Message>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut self.get_mut().0;
        Pin::new(&mut *this).poll(cx).map(|sent| match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(closed)) => Err(this.work.fail(closed.into())),
            Err(why) => Err(this.work.fail(why)),
        })
    }
}

/// The future of [`Sender::send`].
#[must_use = "futures do nothing unless awaited"]
pub struct Sending<'a, T>(Offer<'a, Shared<T>>);

impl<T> Outlet for Shared<T> {
    const NAME: &'static str = "Sender::send";

    type Message = T;

    #[inline(always)]
    fn is_closed(&self) -> bool {
        self.closed.get()
    }

    #[inline(always)]
    fn put(&self, message: T) -> Result<(), T> {
        Shared::put(self, message)
    }

    #[inline(always)]
    fn senders(&self) -> &Waiters<Offered<T>> {
        &self.senders
    }
}

impl<'a, T> Sending<'a, T> {
    #[inline]
    pub(super) fn new(
        sender: &'a Sender<T>,
        message: T,
        place: &'static Location<'static>,
    ) -> Self {
        Sending(Offer::begin(&*sender.shared, message, place))
    }
}

impl<T> Future for Sending<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.get_mut().0).poll(cx)
    }
}

impl<T> fmt::Debug for Sending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}
