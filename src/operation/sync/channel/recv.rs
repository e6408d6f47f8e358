//! Receiving a message, once there is one.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Result;
use crate::operation::handed::What;
use crate::operation::skeleton::{Look, Operation, Registered, Steps, Tried, When};
use crate::operation::sync::channel::{Numbered, Receiver};
use crate::operation::waiters::{Kept, Ticket};

/// The future of [`Receiver::recv`].
#[must_use = "futures do nothing unless awaited"]
pub struct Recv<'a, T> {
    work: Receiving<'a, T>,
    steps: Steps<Ticket, Option<Numbered<T>>>,
}

struct Receiving<'a, T> {
    receiver: &'a Receiver<T>,
    place: &'static Location<'static>,
}

impl<T> Operation for Receiving<'_, T> {
    const NAME: &'static str = "Receiver::recv";
    const COUNTS_WHEN_CANCELLED: u8 = 2;

    /// A message, or the end.
    type Got = Option<Numbered<T>>;
    type Wait = Ticket;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    #[inline(always)]
    fn attempt(&mut self, _: When, _: &mut Context<'_>) -> Tried<Option<Numbered<T>>> {
        let shared = &*self.receiver.shared;
        let received = shared.take();
        if received.is_none() && !shared.has_ended() {
            return Tried::Waits;
        }
        Tried::Done(received)
    }

    fn pause(&mut self, received: &Option<Numbered<T>>) -> Option<What> {
        received.as_ref().map(|_| {
            self.receiver.shared.sets_out();
            What::Message
        })
    }

    fn resume(&mut self, received: Option<Numbered<T>>) -> Result<Option<Numbered<T>>> {
        Ok(self.arrive(received))
    }

    #[inline(always)]
    fn register(&mut self, cx: &Context<'_>, kept: &mut Kept) -> Registered<Ticket> {
        self.receiver.shared.receivers.join(cx, kept, Some(self.place))
    }

    #[inline(always)]
    fn fetch(&mut self, ticket: &Ticket) -> Option<Option<Numbered<T>>> {
        let received = self.receiver.shared.receivers.fetch(*ticket)?;
        Some(self.arrive(received))
    }

    fn look(&mut self, ticket: &mut Ticket, cx: &mut Context<'_>) -> Look<Option<Numbered<T>>> {
        let outcome = self.receiver.shared.receivers.look(*ticket, cx);
        outcome.look(|received| self.arrive(received))
    }

    #[inline(never)]
    fn leave(&mut self, ticket: &mut Ticket) {
        let (unread, _, left) = self.receiver.shared.receivers.leave(*ticket);
        self.give_back(unread);
        drop(left); // foreign code
    }

    fn give_back(&mut self, unread: Option<Numbered<T>>) {
        if let Some(message) = unread {
            self.receiver.shared.put_back(message);
        }
    }
}

impl<T> Receiving<'_, T> {
    /// It returns with what it was given: a message, or the end.
    #[inline]
    fn arrive(&self, received: Option<Numbered<T>>) -> Option<Numbered<T>> {
        if received.is_some() {
            self.receiver.shared.arrives();
        }
        received
    }
}

impl<'a, T> Recv<'a, T> {
    #[inline]
    pub(super) fn new(receiver: &'a Receiver<T>, place: &'static Location<'static>) -> Self {
        Recv { work: Receiving { receiver, place }, steps: Steps::new() }
    }
}

// The message is moved, never pinned.
impl<T> Unpin for Recv<'_, T> {}

impl<T> Future for Recv<'_, T> {
    type Output = Result<Option<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { work, steps } = self.get_mut();
        let outcome = steps.poll(work, cx);
        outcome.map_ok(|received| received.map(|numbered| numbered.message))
    }
}

impl<T> Drop for Recv<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.steps.drop(&mut self.work);
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").finish_non_exhaustive()
    }
}
