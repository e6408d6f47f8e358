//! A fair queue of waiting operations: first come, first served, and who gives up leaves without
//! a trace.
//!
//! Each waiter may bring something (a message it wants to send) and may be given something (a
//! message it was waiting for) by whoever serves it. Serving is handing over: from then on the
//! operation has happened, whatever comes in between before its task runs.

use std::cell::RefCell;
use std::task::Waker;

/// A queue of waiters of which each holds a `T`.
pub(crate) struct Waiters<T> {
    inner: RefCell<Inner<T>>,
}

struct Inner<T> {
    slots: Vec<Slot<T>>,
    free: u32,
    head: u32,
    tail: u32,
}

const NONE: u32 = u32::MAX;

struct Slot<T> {
    state: State<T>,
    /// In the queue while waiting, in the free list while free.
    prev: u32,
    next: u32,
    /// Tells a slot from its earlier uses.
    generation: u32,
}

enum State<T> {
    Free,
    Waiting {
        value: T,
        waker: Waker,
    },
    /// Out of the queue, with what it was given; the operation has not looked yet.
    Served(T),
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    index: u32,
    generation: u32,
}

/// What has become of a waiter.
pub(crate) enum Outcome<T> {
    Waiting,
    /// It was served, and its place is gone.
    Served(T),
}

impl<T> Waiters<T> {
    pub(crate) const fn new() -> Self {
        Waiters {
            inner: RefCell::new(Inner { slots: Vec::new(), free: NONE, head: NONE, tail: NONE }),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.inner.borrow().head == NONE
    }

    /// Joins the queue at its end.
    pub(crate) fn join(&self, value: T, waker: &Waker) -> Ticket {
        let waker = waker.clone();
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let state = State::Waiting { value, waker };
        let index = if inner.free == NONE {
            inner.slots.push(Slot { state, prev: NONE, next: NONE, generation: 0 });
            u32::try_from(inner.slots.len() - 1).expect("more than 4 billion waiters")
        } else {
            let index = inner.free;
            let slot = &mut inner.slots[index as usize];
            inner.free = slot.next;
            slot.state = state;
            slot.next = NONE;
            index
        };
        inner.slots[index as usize].prev = inner.tail;
        match inner.tail {
            NONE => inner.head = index,
            tail => inner.slots[tail as usize].next = index,
        }
        inner.tail = index;
        Ticket { index, generation: inner.slots[index as usize].generation }
    }

    /// Serves the first in the queue: `give` turns what it brought into what it is given. Returns
    /// what `give` kept, and the waker to wake when nothing is borrowed any more.
    pub(crate) fn serve<R>(&self, give: impl FnOnce(T) -> (T, R)) -> Option<(R, Waker)> {
        let mut inner = self.inner.borrow_mut();
        let index = inner.head;
        if index == NONE {
            return None;
        }
        inner.unlink(index);
        let slot = &mut inner.slots[index as usize];
        let State::Waiting { value, waker } = std::mem::replace(&mut slot.state, State::Free)
        else {
            unreachable!("who is in the queue is waiting")
        };
        let (given, kept) = give(value);
        slot.state = State::Served(given);
        Some((kept, waker))
    }

    /// Looks whether a waiter was served, and makes sure that this waker is the one that is woken
    /// when it is.
    pub(crate) fn look(&self, ticket: Ticket, waker: &Waker) -> Outcome<T> {
        let mut old = None;
        let mut inner = self.inner.borrow_mut();
        let slot = inner.slot(ticket);
        let outcome = match &mut slot.state {
            State::Waiting { waker: kept, .. } => {
                if !kept.will_wake(waker) {
                    old = Some(std::mem::replace(kept, waker.clone()));
                }
                Outcome::Waiting
            }
            State::Served(_) => inner.free(ticket),
            State::Free => unreachable!("a ticket is good for as long as its operation"),
        };
        drop(inner);
        drop(old); // foreign code
        outcome
    }

    /// Gives a place up. What the waiter brought, or was given, comes back, and which it was.
    pub(crate) fn leave(&self, ticket: Ticket) -> (T, bool) {
        let mut inner = self.inner.borrow_mut();
        let slot = inner.slot(ticket);
        if let State::Served(_) = slot.state {
            let Outcome::Served(value) = inner.free(ticket) else { unreachable!() };
            return (value, true);
        }
        inner.unlink(ticket.index);
        let state = std::mem::replace(&mut inner.slot(ticket).state, State::Free);
        inner.release(ticket.index);
        drop(inner);
        match state {
            State::Waiting { value, waker } => {
                drop(waker); // foreign code
                (value, false)
            }
            _ => unreachable!("a ticket is good for as long as its operation"),
        }
    }
}

impl<T> Inner<T> {
    fn slot(&mut self, ticket: Ticket) -> &mut Slot<T> {
        let slot = &mut self.slots[ticket.index as usize];
        debug_assert_eq!(slot.generation, ticket.generation, "a ticket was used twice");
        slot
    }

    fn unlink(&mut self, index: u32) {
        let Slot { prev, next, .. } = self.slots[index as usize];
        match prev {
            NONE => self.head = next,
            prev => self.slots[prev as usize].next = next,
        }
        match next {
            NONE => self.tail = prev,
            next => self.slots[next as usize].prev = prev,
        }
    }

    /// Ends a served waiter's use of its slot.
    fn free(&mut self, ticket: Ticket) -> Outcome<T> {
        let state = std::mem::replace(&mut self.slot(ticket).state, State::Free);
        self.release(ticket.index);
        match state {
            State::Served(value) => Outcome::Served(value),
            _ => unreachable!("it was served"),
        }
    }

    fn release(&mut self, index: u32) {
        let free = self.free;
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.next = free;
        slot.prev = NONE;
        self.free = index;
    }
}
