//! A fair queue of waiting operations: first come, first served. An operation that gives up leaves
//! no trace.
//!
//! Each waiter can bring something (a message that it wants to send) and can be given something (a
//! message that it waits for) by whoever serves it. An operation has happened as soon as it is
//! served, whatever happens before its task runs. A cancelled waiter is no longer served.
//!
//! | file | concept |
//! |---|---|
//! | `news` | news for several waiters at once |
//! | `places` | the places of a queue, and the order of the waiters in them |
//! | `waiting` | a waiter: the watch over it, and the waker to wake |
//!
//! # Foreign code
//!
//! No foreign code runs while the queue is borrowed or half changed. A foreign waker is cloned
//! before an operation joins the queue or goes on waiting, and whatever was checked before that is
//! checked again. Anything foreign that has to be dropped is returned to the caller, which drops it
//! last of all.

#[cfg(not(loom))]
mod news;
mod places;
mod waiting;

use std::cell::{RefCell, RefMut};
use std::mem::{self, ManuallyDrop};
use std::panic::Location;
use std::task::Context;

use crate::error::panic::{FirstPanic, quietly};
use crate::error::{Error, Exclusive};
use crate::operation::handed::{Anybody, Taker, Takes};
use crate::operation::skeleton::{Look, Registered};
use crate::operation::waiters::places::{NONE, Places, Slot, State};
use crate::operation::waiters::waiting::{Stale, Waiting};
use crate::schedule::foreign::Foreign;
use crate::schedule::wake::KeptWaker;
use crate::schedule::waker;

/// A queue of waiters, each of which has a `T`.
pub(crate) struct Waiters<T: Given> {
    places: RefCell<Places<T>>,
}

/// A value that a waiter brings or is given.
pub(crate) trait Given {
    /// The value of an empty place, and of a waiter that brings nothing.
    const NOTHING: Self;
    /// [`Taker`], if some of the waiters wait for something that only one can have.
    type Taker: Takes;
}

impl Given for () {
    const NOTHING: () = ();
    type Taker = Taker;
}

/// For queues in which all are told the same, and nobody is given what others then lack.
#[derive(Clone, Copy)]
pub(crate) struct Told;

impl Given for Told {
    const NOTHING: Told = Told;
    type Taker = Anybody;
}

impl<T> Given for Option<T> {
    const NOTHING: Option<T> = None;
    type Taker = Taker;
}

/// A place in the queue. It is valid until its operation learns that it no longer waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u32);

/// What has become of a waiter. Unless it still waits, its place is gone.
pub(crate) enum Outcome<T> {
    Waiting,
    Handed(T),
    /// The waiter was cancelled. What it brought comes back.
    Cancelled(T, Error, Leftover),
    /// The waiter was passed over because it was cancelled, but was then moved out of the cancelled
    /// scope, so it has to begin again. What it brought comes back.
    PassedOver(T, Leftover),
}

impl<T> Outcome<T> {
    /// Converts the outcome for an operation that brought nothing. `served` turns what it was given
    /// into its result.
    #[inline]
    pub(crate) fn look<G>(self, served: impl FnOnce(T) -> G) -> Look<G> {
        match self {
            Outcome::Waiting => Look::Waits,
            Outcome::Handed(value) => Look::Got(served(value)),
            Outcome::Cancelled(_, error, left) => Look::Cancelled(error, Some(left)),
            Outcome::PassedOver(_, left) => Look::PassedOver(left),
        }
    }
}

/// Whether a waiter that leaves was served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Handed,
    NotHanded,
}

/// The remains of a waiter that has left the queue. Dropping it runs foreign code, so it is dropped
/// only when its operation has recorded that it left the queue and is in a consistent state again.
#[must_use = "it is dropped last of all"]
pub(crate) struct Leftover {
    _waiting: Waiting,
    stale: Option<Stale>,
}

/// A foreign waker that was cloned for an operation that may have to wait.
#[derive(Default)]
pub(crate) struct Kept(ManuallyDrop<Option<Foreign>>);

impl Kept {
    /// Called when the operation did not have to wait. Dropping the waker runs foreign code, and a
    /// panic there would lose the result that the operation is about to return.
    #[cold]
    fn give_up(&mut self) {
        let waker = self.0.take();
        quietly(|| drop(waker));
    }
}

impl Drop for Kept {
    // There is nothing else to drop, so the compiler can see that there is nearly never anything to
    // do.
    #[inline(always)]
    fn drop(&mut self) {
        if self.0.is_some() {
            self.give_up();
        }
    }
}

/// The waiter whose turn it is. It has left the queue, so it must be served.
#[must_use = "it is out of the queue"]
pub(crate) struct Next<'a, T: Given> {
    slot: RefMut<'a, Slot<T>>,
}

impl<T: Given> Next<'_, T> {
    /// The value that it brought, to be replaced by the one that it is given.
    #[inline]
    pub(crate) fn value(&mut self) -> &mut T {
        &mut self.slot.value
    }

    /// [Serves](Self::serve) the waiter with something that only one can have.
    #[must_use]
    #[inline]
    pub(crate) fn serve_alone(mut self, what: Exclusive) -> KeptWaker {
        let Slot { taker, waiting, .. } = &mut *self.slot;
        taker.hand(what, waiting.unit());
        self.serve()
    }

    /// The waiter has what it waited for. Returns the waker to wake when nothing is borrowed.
    #[must_use]
    #[inline(always)] // on the way of each hand-over, and too often used to be inlined unasked
    pub(crate) fn serve(mut self) -> KeptWaker {
        self.slot.state = State::Handed;
        let waiting = mem::take(&mut self.slot.waiting);
        drop(self);
        waiting.hand()
    }
}

#[cold]
fn wake_foreign(foreign: Vec<Foreign>) {
    let mut panic = FirstPanic::new();
    panic.catch_each(&mut foreign.into_iter(), Foreign::wake);
    panic.resume();
}

impl<T: Given> Waiters<T> {
    pub(crate) const fn new() -> Self {
        Waiters { places: RefCell::new(Places::new()) }
    }

    /// Joins the queue at its end. `bring` puts what the operation brings into its place, if it has
    /// joined. An operation that waits for something that only one can have says where it was
    /// called.
    ///
    /// A foreign waker has to be cloned first. The clone is in `kept`, and the operation looks
    /// again before it joins.
    #[inline]
    pub(crate) fn join(
        &self,
        bring: impl FnOnce(&mut T),
        cx: &Context<'_>,
        kept: &mut Kept,
        alone: Option<&'static Location<'static>>,
    ) -> Registered<Ticket> {
        match waker::current_unit(cx.waker()) {
            Some(unit) => {
                Registered::Waits(self.take_place(bring, alone, || Waiting::of_unit(unit)))
            }
            None => self.join_with_foreign(bring, cx, kept, alone),
        }
    }

    /// Joins the queue at its end, bringing `value`, which is taken if the operation has joined.
    #[cfg(not(loom))] // for sockets
    #[inline]
    pub(crate) fn bring(
        &self,
        value: &mut T,
        cx: &Context<'_>,
        kept: &mut Kept,
    ) -> Registered<Ticket> {
        self.join(|place| *place = mem::replace(value, T::NOTHING), cx, kept, None)
    }

    #[cold]
    fn join_with_foreign(
        &self,
        bring: impl FnOnce(&mut T),
        cx: &Context<'_>,
        kept: &mut Kept,
        alone: Option<&'static Location<'static>>,
    ) -> Registered<Ticket> {
        let Some(waker) = kept.0.take() else {
            *kept.0 = Some(Foreign::keep(cx.waker()));
            return Registered::LooksAgain;
        };
        Registered::Waits(self.take_place(bring, alone, || Waiting::of_foreign(waker)))
    }

    /// `waiting` builds its value in its final place: moving it there would cost more than all the
    /// rest.
    #[inline(always)]
    fn take_place(
        &self,
        bring: impl FnOnce(&mut T),
        alone: Option<&'static Location<'static>>,
        waiting: impl FnOnce() -> Waiting,
    ) -> Ticket {
        let places = &mut *self.places.borrow_mut();
        let place = places.join();
        let slot = places.slot(place);
        bring(&mut slot.value);
        slot.taker.begin(alone);
        // The previous value has been taken out by now, so running its destructor would be wasted
        // work.
        mem::forget(mem::replace(&mut slot.waiting, waiting()));
        slot.state = State::Waiting;
        Ticket(place)
    }

    /// Takes the first waiter that was not cancelled out of the queue. It must be served.
    #[inline(always)] // as `next_if`
    pub(crate) fn next(&self) -> Option<Next<'_, T>> {
        self.next_if(|_| true)
    }

    /// Like [`next`](Self::next), if that waiter brought something like this. Otherwise it stays
    /// the first.
    #[inline(always)] // on the way of each hand-over, and too often used to be inlined unasked
    pub(crate) fn next_if(&self, is_like: impl FnOnce(&T) -> bool) -> Option<Next<'_, T>> {
        let mut places = self.places.borrow_mut();
        let head = places.first_not_cancelled();
        if head == NONE || !is_like(&places.slot(head).value) {
            return None;
        }
        places.unlink(head);
        Some(Next { slot: RefMut::map(places, |places| places.slot(head)) })
    }

    /// Takes the first waiter that brought something like this and was not cancelled out of the
    /// queue. Those before it stay where they are.
    #[inline]
    pub(crate) fn next_like(&self, is_like: impl Fn(&T) -> bool) -> Option<Next<'_, T>> {
        let mut places = self.places.borrow_mut();
        let mut place = places.first_not_cancelled();
        while place != NONE {
            let slot = places.slot(place);
            if is_like(&slot.value) && !slot.waiting.is_cancelled() {
                places.unlink(place);
                return Some(Next { slot: RefMut::map(places, |places| places.slot(place)) });
            }
            place = places.after(place);
        }
        None
    }

    /// How many waiters there are that were not cancelled.
    #[cold]
    pub(crate) fn count(&self) -> usize {
        let mut places = self.places.borrow_mut();
        let mut count = 0;
        let mut place = places.head();
        while place != NONE {
            count += usize::from(!places.slot(place).waiting.is_cancelled());
            place = places.after(place);
        }
        count
    }

    /// Whether there is nobody in the queue, cancelled or not.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.places.borrow().head() == NONE
    }

    /// Whether there is a waiter that was not cancelled.
    #[inline]
    pub(crate) fn is_anybody(&self) -> bool {
        self.places.borrow_mut().first_not_cancelled() != NONE
    }

    /// Serves all the waiters with what they brought, even if one's waker panics; the panic is
    /// passed on at the end. Waiters that join in the meantime are served too.
    #[inline]
    pub(crate) fn serve_all(&self) {
        if !self.is_empty() {
            self.serve_each();
        }
    }

    fn serve_each(&self) {
        let mut panic = FirstPanic::new();
        while let Some(waiter) = self.next() {
            let waker = waiter.serve();
            panic.catch(|| waker.wake());
        }
        panic.resume();
    }

    /// Serves the waiters that are there now. `give` replaces what each brought by what it is
    /// given. Foreign code runs only when all are served, so those that join there are not.
    #[inline]
    pub(crate) fn serve_present(&self, give: impl FnMut(&mut T)) {
        if !self.is_empty() {
            self.serve_each_present(give);
        }
    }

    fn serve_each_present(&self, mut give: impl FnMut(&mut T)) {
        let mut foreign = Vec::new();
        while let Some(mut waiter) = self.next() {
            give(waiter.value());
            foreign.extend(waiter.serve().wake_without_foreign());
        }
        if !foreign.is_empty() {
            wake_foreign(foreign);
        }
    }

    /// What a waiter was given, if it was served, as it nearly always has been when it is polled.
    #[inline]
    pub(crate) fn fetch(&self, ticket: Ticket) -> Option<T> {
        let mut places = self.places.borrow_mut();
        let is_served = places.slot(ticket.0).state == State::Handed;
        is_served.then(|| places.release(ticket.0))
    }

    /// Looks at what has become of a waiter. If it still waits, makes sure that this waker is the
    /// one that will be woken.
    #[cold]
    pub(crate) fn look(&self, ticket: Ticket, cx: &Context<'_>) -> Outcome<T> {
        if let Some(value) = self.fetch(ticket) {
            return Outcome::Handed(value);
        }
        let is_new = self.places.borrow_mut().slot(ticket.0).waiting.is_new(cx.waker());
        // This is foreign code. It may call back into this queue, and may even serve this waiter.
        let new = is_new.then(|| Foreign::keep(cx.waker()));
        let mut places = self.places.borrow_mut();
        let slot = places.slot(ticket.0);
        if slot.state == State::Handed {
            drop(places);
            let (value, ..) = self.leave(ticket);
            quietly(|| drop(new)); // foreign code, and the value has only just been received
            return Outcome::Handed(value);
        }
        let stale = slot.waiting.go_on(cx, new);
        let cancelled = slot.waiting.check().err();
        let waits = cancelled.is_none() && slot.state == State::Waiting;
        drop(places);
        if waits {
            drop(stale); // foreign code
            return Outcome::Waiting;
        }
        let (value, _, mut left) = self.leave(ticket);
        left.stale = Some(stale);
        match cancelled {
            Some(error) => Outcome::Cancelled(value, error, left),
            None => Outcome::PassedOver(value, left),
        }
    }

    /// Gives up a place. Returns what the waiter brought, or was given.
    pub(crate) fn leave(&self, ticket: Ticket) -> (T, Fate, Leftover) {
        let mut places = self.places.borrow_mut();
        let slot = places.slot(ticket.0);
        let fate = if slot.state == State::Handed { Fate::Handed } else { Fate::NotHanded };
        let waiting = mem::take(&mut slot.waiting);
        if slot.state == State::Waiting {
            places.unlink(ticket.0);
        }
        (places.release(ticket.0), fate, Leftover { _waiting: waiting, stale: None })
    }
}

#[cfg(test)]
mod tests;
