//! Sending a message, once there is room for it.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{Error, Result};
use crate::operation::skeleton::{Doing, Look, Operation, Registered, Tried, When};
use crate::operation::sync::channel::{Closed, SendError, Sender};
use crate::operation::waiters::{Kept, Outcome, Ticket};

/// The future of [`Sender::send`].
#[must_use = "futures do nothing unless awaited"]
pub struct Sending<'a, T>(Doing<Offer<'a, T>>);

struct Offer<'a, T> {
    sender: &'a Sender<T>,
    /// The message, while it is not on its way.
    message: Option<T>,
    place: &'static Location<'static>,
}

impl<T> Operation for Offer<'_, T> {
    const NAME: &'static str = "Sender::send";
    const COUNTS_WHEN_CANCELLED: u8 = 2;

    type Got = Result<(), Closed>;
    type Wait = Ticket;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    #[inline(always)]
    fn attempt(&mut self, _: When, _: &mut Context<'_>) -> Tried<Result<(), Closed>> {
        let shared = &*self.sender.shared;
        if shared.closed.get() {
            return Tried::Done(Err(Closed));
        }
        let message = self.message.take().expect("it was not sent yet");
        match shared.put(message) {
            Ok(()) => Tried::Done(Ok(())),
            Err(message) => {
                self.message = Some(message);
                Tried::Waits
            }
        }
    }

    #[inline(always)]
    fn register(&mut self, cx: &Context<'_>, kept: &mut Kept) -> Registered<Ticket> {
        self.sender.shared.senders.bring(&mut self.message, cx, kept)
    }

    #[inline(always)]
    fn fetch(&mut self, ticket: &Ticket) -> Option<Result<(), Closed>> {
        self.message = self.sender.shared.senders.fetch(*ticket)?;
        Some(self.sent())
    }

    fn look(&mut self, ticket: &mut Ticket, cx: &mut Context<'_>) -> Look<Result<(), Closed>> {
        match self.sender.shared.senders.look(*ticket, cx) {
            Outcome::Waiting => Look::Waits,
            Outcome::Handed(message) => {
                self.message = message;
                Look::Got(self.sent())
            }
            Outcome::Cancelled(message, error, left) => {
                self.message = message;
                Look::Cancelled(error, Some(left))
            }
            Outcome::PassedOver(message, left) => {
                self.message = message;
                Look::PassedOver(left)
            }
        }
    }

    #[inline(never)]
    fn leave(&mut self, ticket: &mut Ticket) {
        drop(self.sender.shared.senders.leave(*ticket)); // foreign code
    }
}

impl<T> Offer<'_, T> {
    /// Whether the message was sent, after the operation has waited. If not, the message has come
    /// back.
    #[inline(always)]
    fn sent(&self) -> Result<(), Closed> {
        if self.message.is_none() { Ok(()) } else { Err(Closed) }
    }

    #[cold]
    fn fail(&mut self, why: Error) -> SendError<T> {
        let message = self.message.take().expect("the message was not sent");
        SendError { message, why }
    }
}

impl<'a, T> Sending<'a, T> {
    #[inline]
    pub(super) fn new(
        sender: &'a Sender<T>,
        message: T,
        place: &'static Location<'static>,
    ) -> Self {
        Sending(Doing::new(Offer { sender, message: Some(message), place }))
    }
}

impl<T> Future for Sending<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut self.get_mut().0;
        Pin::new(&mut *this).poll(cx).map(|sent| match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(closed)) => Err(this.work.fail(closed.into())),
            Err(why) => Err(this.work.fail(why)),
        })
    }
}

impl<T> fmt::Debug for Sending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}
