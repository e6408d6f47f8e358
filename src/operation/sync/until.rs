//! Waiting until something is so, where those that wait are told of it and given nothing.

use std::panic::Location;

use crate::error::Exclusive;
use crate::operation::queued::Queued;
use crate::operation::skeleton::{Doing, Tried, When};
use crate::operation::waiters::{Told, Waiters};

/// What a task waits for. As it is given nothing, nothing is lost if its future is dropped.
pub(super) trait Awaited {
    /// See [`Queued::NAME`].
    const NAME: &'static str;

    /// Those that wait for this.
    fn queue(&self) -> &Waiters<Told>;

    /// Whether it is so.
    fn is_so(&self) -> bool;
}

/// Waits until `awaited` is so, on behalf of a call at `place`.
#[inline(always)]
pub(super) fn until<A: Awaited>(awaited: A, place: &'static Location<'static>) -> Doing<Until<A>> {
    Doing::new(Until { awaited, place })
}

/// The operation of a task that waits until something is so.
pub(super) struct Until<A> {
    pub(super) awaited: A,
    pub(super) place: &'static Location<'static>,
}

impl<A: Awaited> Queued for Until<A> {
    const NAME: &'static str = A::NAME;
    const COUNTS_WHEN_CANCELLED: u8 = 2;
    const ALONE: Option<Exclusive> = None;

    type Value = Told;
    type Got = ();

    #[inline(always)]
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    #[inline(always)]
    fn queue(&self) -> &Waiters<Told> {
        self.awaited.queue()
    }

    #[inline(always)]
    fn attempt(&mut self, _: When) -> Tried<()> {
        if self.awaited.is_so() { Tried::Done(()) } else { Tried::Waits }
    }

    #[inline(always)]
    fn receive(&mut self, _: Told) {}

    fn pass_on(&mut self, _: Told) {}
}
