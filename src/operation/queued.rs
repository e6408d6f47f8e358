//! Operations that wait in a queue. This implements the skeleton's steps from registering to being
//! dropped, for operations that need nothing special there.

use std::panic::Location;
use std::task::Context;

use crate::error::panic::{FirstPanic, quietly};
use crate::error::{Exclusive, Result};
use crate::operation::skeleton::{Look, Operation, Registered, Tried, When};
use crate::operation::waiters::{Fate, Given, Kept, Ticket, Waiters};

/// The work of an operation that waits in a queue until it is given a `Value`.
pub(crate) trait Queued {
    /// See [`Operation::NAME`].
    const NAME: &'static str;
    /// See [`Operation::COUNTS_WHEN_CANCELLED`].
    const COUNTS_WHEN_CANCELLED: u8;
    /// What the operation waits for, if that is something that only one can have.
    const ALONE: Option<Exclusive>;

    /// What the operation is given.
    type Value: Given;
    /// See [`Operation::Got`].
    type Got;

    /// See [`Operation::place`].
    fn place(&self) -> &'static Location<'static>;

    /// The queue that the operation waits in.
    fn queue(&self) -> &Waiters<Self::Value>;

    /// See [`Operation::is_checkpoint`].
    #[inline(always)]
    fn is_checkpoint(&self) -> bool {
        false
    }

    /// Performs the operation, if that is possible without waiting.
    fn attempt(&mut self, when: When) -> Tried<Self::Got>;

    /// See [`Operation::pause`].
    #[inline(always)]
    fn pause(&mut self, _got: &Self::Got) -> Option<Exclusive> {
        Self::ALONE
    }

    /// See [`Operation::resume`].
    #[inline(always)]
    fn resume(&mut self, got: Self::Got) -> Result<Self::Got> {
        Ok(got)
    }

    /// Puts what others need to know of the operation into its place in the queue. (Something that
    /// has to come back, such as a message, takes an [`Operation`] of its own.)
    #[inline(always)]
    fn bring(&self, _place: &mut Self::Value) {}

    /// Called when the operation has left the queue without having been given anything. Those
    /// behind it may have waited only for it.
    #[inline(always)]
    fn left(&mut self) {}

    /// Turns what the operation was given into its result.
    fn receive(&mut self, value: Self::Value) -> Self::Got;

    /// Called when the operation was given this value, but is dropped before it has fetched it.
    fn pass_on(&mut self, value: Self::Value);

    /// See [`Operation::give_back`].
    #[inline(always)]
    fn give_back(&mut self, got: Self::Got) {
        drop(got);
    }
}

impl<Q: Queued> Operation for Q {
    const NAME: &'static str = Q::NAME;
    const COUNTS_WHEN_CANCELLED: u8 = Q::COUNTS_WHEN_CANCELLED;

    type Got = Q::Got;
    type Wait = Ticket;

    #[inline(always)]
    fn place(&self) -> &'static Location<'static> {
        Queued::place(self)
    }

    #[inline(always)]
    fn is_checkpoint(&self) -> bool {
        Queued::is_checkpoint(self)
    }

    #[inline(always)]
    fn attempt(&mut self, when: When, _: &mut Context<'_>) -> Tried<Q::Got> {
        Queued::attempt(self, when)
    }

    #[inline(always)]
    fn pause(&mut self, got: &Q::Got) -> Option<Exclusive> {
        Queued::pause(self, got)
    }

    #[inline(always)]
    fn resume(&mut self, got: Q::Got) -> Result<Q::Got> {
        Queued::resume(self, got)
    }

    #[inline(always)]
    fn register(&mut self, cx: &Context<'_>, kept: &mut Kept) -> Registered<Ticket> {
        let alone = Q::ALONE.map(|_| Queued::place(self));
        self.queue().join(|place| self.bring(place), cx, kept, alone)
    }

    #[inline(always)]
    fn fetch(&mut self, ticket: &Ticket) -> Option<Q::Got> {
        let value = self.queue().fetch(*ticket)?;
        Some(self.receive(value))
    }

    fn look(&mut self, ticket: &mut Ticket, cx: &mut Context<'_>) -> Look<Q::Got> {
        let outcome = self.queue().look(*ticket, cx);
        let look = outcome.look(|value| self.receive(value));
        if let Look::Cancelled(..) | Look::PassedOver(_) = look {
            quietly(|| self.left()); // foreign code
        }
        look
    }

    #[inline(never)]
    fn leave(&mut self, ticket: &mut Ticket) {
        let (value, fate, left) = self.queue().leave(*ticket);
        let mut panic = FirstPanic::new();
        panic.catch(|| match fate {
            Fate::Handed => self.pass_on(value),
            Fate::NotHanded => self.left(),
        });
        panic.catch(|| drop(left)); // foreign code
        panic.resume();
    }

    #[inline(always)]
    fn give_back(&mut self, got: Q::Got) {
        Queued::give_back(self, got);
    }
}
