//! Operations that wait in a queue. This implements the skeleton's steps from registering to being
//! dropped, for operations that need nothing special there.

use std::panic::Location;
use std::task::Context;

use crate::error::panic::FirstPanic;
use crate::error::{Exclusive, Result};
use crate::operation::skeleton::{Look, Operation, Registered, Tried, When};
use crate::operation::waiters::{Fate, Given, Kept, Ticket, Waiters};

/// The work of an operation that waits in a queue until it is given a `Value`, and brings nothing
/// of its own.
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
        self.queue().join(cx, kept, alone)
    }

    #[inline(always)]
    fn fetch(&mut self, ticket: &Ticket) -> Option<Q::Got> {
        let value = self.queue().fetch(*ticket)?;
        Some(self.receive(value))
    }

    fn look(&mut self, ticket: &mut Ticket, cx: &mut Context<'_>) -> Look<Q::Got> {
        let outcome = self.queue().look(*ticket, cx);
        outcome.look(|value| self.receive(value))
    }

    #[inline(never)]
    fn leave(&mut self, ticket: &mut Ticket) {
        let (value, fate, left) = self.queue().leave(*ticket);
        let mut panic = FirstPanic::new();
        if fate == Fate::Handed {
            panic.catch(|| self.pass_on(value));
        }
        panic.catch(|| drop(left)); // foreign code
        panic.resume();
    }

    #[inline(always)]
    fn give_back(&mut self, got: Q::Got) {
        Queued::give_back(self, got);
    }
}
