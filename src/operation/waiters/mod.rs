//! A fair queue of waiting operations: first come, first served. An operation that gives up leaves
//! no trace.
//!
//! Each waiter can bring something (a message that it wants to send) and can be given something (a
//! message that it waits for) by whoever serves it. An operation has happened as soon as it is
//! served, whatever happens before its task runs. A cancelled waiter is no longer served.
//!
//! # Foreign code
//!
//! No foreign code runs while the queue is borrowed or half changed. A foreign waker is cloned
//! before an operation joins the queue or goes on waiting, and whatever was checked before that is
//! checked again. Anything foreign that has to be dropped is returned to the caller, which drops it
//! last of all.

#[cfg(not(loom))]
mod news;
mod waiting;

use std::cell::{RefCell, RefMut};
use std::mem::{self, ManuallyDrop};
use std::panic::Location;
use std::task::Context;

use crate::error::panic::{FirstPanic, quietly};
use crate::error::{Error, Exclusive};
use crate::operation::handed::{Taker, Takes};
use crate::operation::skeleton::{Look, Registered};
use crate::operation::waiters::waiting::{Stale, Waiting};
use crate::schedule::foreign::Foreign;
use crate::schedule::wake::KeptWaker;
use crate::schedule::waker;

/// A queue of waiters, each of which has a `T`.
///
/// The first place is in the queue itself: nearly always there is one waiter, or none.
pub(crate) struct Waiters<T: Given> {
    inner: RefCell<Inner<T>>,
}

struct Inner<T: Given> {
    /// A place with a waiter in it does not move; it is changed in place.
    first: Slot<T>,
    #[expect(
        clippy::box_collection,
        reason = "most queues have none, and each connection has one"
    )]
    others: Option<Box<Vec<Slot<T>>>>,
    free: u32,
    head: u32,
    /// The last in the queue, unless it is empty.
    tail: u32,
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

impl<T> Given for Option<T> {
    const NOTHING: Option<T> = None;
    type Taker = Taker;
}

/// Stands for no place.
const NONE: u32 = u32::MAX;

struct Slot<T: Given> {
    value: T,
    waiting: Waiting,
    /// For a waiter that waits for something that only one can have.
    taker: T::Taker,
    /// The previous one in the queue. Meaningless for the first.
    prev: u32,
    /// The next one in the queue, or in the list of free places.
    next: u32,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Free,
    Waiting,
    #[cfg(not(loom))]
    /// It waits, but nobody is going to check what becomes of it.
    Abandoned,
    /// It was removed from the queue because it was cancelled; the operation has not looked yet.
    PassedOver,
    /// It was served and removed from the queue; the operation has not looked yet.
    Handed,
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
    #[inline]
    pub(crate) fn serve(mut self) -> KeptWaker {
        self.slot.state = State::Handed;
        let waiting = mem::take(&mut self.slot.waiting);
        drop(self);
        waiting.hand()
    }
}

impl<T: Given> Waiters<T> {
    pub(crate) const fn new() -> Self {
        let (free, head, tail) = (0, NONE, NONE);
        Waiters { inner: RefCell::new(Inner { first: Slot::FREE, others: None, free, head, tail }) }
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
        let inner = &mut *self.inner.borrow_mut();
        if inner.free == NONE {
            inner.grow();
        }
        let index = inner.free;
        let tail = inner.tail;
        let slot = inner.slot(index);
        let free = slot.next;
        bring(&mut slot.value);
        slot.taker.begin(alone);
        // The previous value has been taken out by now, so running its destructor would be wasted
        // work.
        mem::forget(mem::replace(&mut slot.waiting, waiting()));
        slot.prev = tail;
        slot.next = NONE;
        slot.state = State::Waiting;
        inner.free = free;
        match inner.head {
            NONE => inner.head = index,
            _ => inner.slot(tail).next = index,
        }
        inner.tail = index;
        Ticket(index)
    }

    /// Takes the first waiter that was not cancelled out of the queue. It must be served.
    #[inline]
    pub(crate) fn next(&self) -> Option<Next<'_, T>> {
        self.next_if(|_| true)
    }

    /// Like [`next`](Self::next), if that waiter brought something like this. Otherwise it stays
    /// the first.
    #[inline]
    pub(crate) fn next_if(&self, is_like: impl FnOnce(&T) -> bool) -> Option<Next<'_, T>> {
        let mut inner = self.inner.borrow_mut();
        inner.pass_over_cancelled();
        let slot = RefMut::filter_map(inner, |inner| {
            let first = inner.head;
            let slot = inner.slot_if(first)?;
            let next = slot.next;
            if !is_like(&slot.value) {
                return None;
            }
            inner.head = next;
            Some(inner.slot(first))
        });
        Some(Next { slot: slot.ok()? })
    }

    /// How many waiters there are that were not cancelled.
    #[cold]
    pub(crate) fn count(&self) -> usize {
        let mut inner = self.inner.borrow_mut();
        let mut count = 0;
        let mut index = inner.head;
        while let Some(slot) = inner.slot_if(index) {
            count += usize::from(!slot.waiting.is_cancelled());
            index = slot.next;
        }
        count
    }

    /// Whether there is a waiter that was not cancelled.
    #[inline]
    pub(crate) fn is_anybody(&self) -> bool {
        let mut inner = self.inner.borrow_mut();
        inner.pass_over_cancelled();
        inner.head != NONE
    }

    /// Serves all the waiters with what they brought, even if one's waker panics; the panic is
    /// passed on at the end. Waiters that join in the meantime are served too.
    pub(crate) fn serve_all(&self) {
        let mut panic = FirstPanic::new();
        while let Some(waiter) = self.next() {
            let waker = waiter.serve();
            panic.catch(|| waker.wake());
        }
        panic.resume();
    }

    /// Serves the waiters that are there now, and then wakes them, which is foreign code. `give`
    /// replaces what each brought by what it is given. Waiters that join in the meantime are not
    /// served.
    pub(crate) fn serve_present(&self, mut give: impl FnMut(&mut T)) {
        let Some(mut first) = self.next() else { return };
        give(first.value());
        let first = first.serve();
        if !self.is_anybody() {
            return first.wake();
        }
        let mut woken = vec![first];
        while let Some(mut waiter) = self.next() {
            give(waiter.value());
            woken.push(waiter.serve());
        }
        let mut panic = FirstPanic::new();
        panic.catch_each(&mut woken.into_iter(), KeptWaker::wake);
        panic.resume();
    }

    /// What a waiter was given, if it was served, as it nearly always has been when it is polled.
    #[inline]
    pub(crate) fn fetch(&self, ticket: Ticket) -> Option<T> {
        let mut inner = self.inner.borrow_mut();
        let is_served = inner.slot(ticket.0).state == State::Handed;
        is_served.then(|| inner.release(ticket))
    }

    /// Looks at what has become of a waiter. If it still waits, makes sure that this waker is the
    /// one that will be woken.
    #[cold]
    pub(crate) fn look(&self, ticket: Ticket, cx: &Context<'_>) -> Outcome<T> {
        if let Some(value) = self.fetch(ticket) {
            return Outcome::Handed(value);
        }
        let is_new = self.inner.borrow_mut().slot(ticket.0).waiting.is_new(cx.waker());
        // This is foreign code. It may call back into this queue, and may even serve this waiter.
        let new = is_new.then(|| Foreign::keep(cx.waker()));
        let mut inner = self.inner.borrow_mut();
        let slot = inner.slot(ticket.0);
        if slot.state == State::Handed {
            drop(inner);
            let (value, ..) = self.leave(ticket);
            quietly(|| drop(new)); // foreign code, and the value has only just been received
            return Outcome::Handed(value);
        }
        let stale = slot.waiting.go_on(cx, new);
        let cancelled = slot.waiting.check().err();
        let waits = cancelled.is_none() && slot.state == State::Waiting;
        drop(inner);
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
        let mut inner = self.inner.borrow_mut();
        let slot = inner.slot(ticket.0);
        let fate = if slot.state == State::Handed { Fate::Handed } else { Fate::NotHanded };
        let waiting = mem::take(&mut slot.waiting);
        if slot.state == State::Waiting {
            inner.unlink(ticket);
        }
        (inner.release(ticket), fate, Leftover { _waiting: waiting, stale: None })
    }
}

impl<T: Given> Slot<T> {
    const FREE: Slot<T> = Slot {
        value: T::NOTHING,
        waiting: Waiting::NONE,
        taker: <T::Taker as Takes>::NONE,
        prev: NONE,
        next: NONE,
        state: State::Free,
    };
}

impl<T: Given> Inner<T> {
    #[inline(always)]
    fn slot(&mut self, index: u32) -> &mut Slot<T> {
        match (index, &mut self.others) {
            (0, _) => &mut self.first,
            (_, Some(others)) => &mut others[index as usize - 1],
            (_, None) => unreachable!("there is a place with each number"),
        }
    }

    #[inline(always)]
    fn slot_if(&mut self, index: u32) -> Option<&mut Slot<T>> {
        (index != NONE).then(|| self.slot(index))
    }

    /// Adds a free place.
    #[cold]
    fn grow(&mut self) {
        let others = self.others.get_or_insert_default();
        others.push(Slot::FREE);
        self.free = u32::try_from(others.len()).expect("more than 4 billion waiters");
    }

    /// Frees a place, from which `waiting` has been taken, and returns the value in it.
    #[inline]
    fn release(&mut self, ticket: Ticket) -> T {
        let free = self.free;
        let slot = self.slot(ticket.0);
        debug_assert_ne!(slot.state, State::Free, "a ticket is good for as long as its operation");
        slot.state = State::Free;
        slot.next = free;
        slot.taker.fetch();
        let value = mem::replace(&mut slot.value, T::NOTHING);
        self.free = ticket.0;
        value
    }

    /// Removes cancelled waiters from the head. They were woken when they were cancelled, and will
    /// look.
    #[inline]
    fn pass_over_cancelled(&mut self) {
        while let Some(slot) = self.slot_if(self.head)
            && slot.waiting.is_cancelled()
        {
            slot.state = State::PassedOver;
            self.head = slot.next;
        }
    }

    /// Removes a waiter from the queue.
    fn unlink(&mut self, ticket: Ticket) {
        let &mut Slot { prev, next, .. } = self.slot(ticket.0);
        if self.head == ticket.0 {
            self.head = next;
        } else {
            self.slot(prev).next = next;
        }
        match next {
            NONE => self.tail = prev,
            next => self.slot(next).prev = prev,
        }
    }
}

#[cfg(test)]
mod tests;
