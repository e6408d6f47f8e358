//! A fair queue of waiting operations: first come, first served, and who gives up leaves without
//! a trace.
//!
//! Each waiter may bring something (a message it wants to send) and may be given something (a
//! message it was waiting for) by whoever serves it. Serving is handing over: from then on the
//! operation has happened, whatever comes in between before its task runs. Who was cancelled is
//! not served any more.

use std::cell::RefCell;
use std::task::{Context, Waker};

use crate::coop::Watch;
use crate::error::Error;
use crate::frame;

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
    queued: bool,
    /// Tells a slot from its earlier uses.
    generation: u32,
}

enum State<T> {
    Free,
    Waiting {
        value: T,
        waker: Waker,
        watch: Watch,
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

/// What has become of a waiter. Unless it waits, its place is gone.
pub(crate) enum Outcome<T> {
    Waiting,
    Served(T),
    /// What it brought comes back.
    Cancelled(T, Error),
    /// It was passed over when it was cancelled, but was then moved out of the scope that was: it
    /// has to begin again. What it brought comes back.
    PassedOver(T),
}

impl<T> Waiters<T> {
    pub(crate) const fn new() -> Self {
        Waiters {
            inner: RefCell::new(Inner { slots: Vec::new(), free: NONE, head: NONE, tail: NONE }),
        }
    }

    /// Joins the queue at its end.
    pub(crate) fn join(&self, value: T, cx: &Context<'_>, operation: &'static str) -> Ticket {
        frame::awaits(operation);
        let state = State::Waiting { value, waker: cx.waker().clone(), watch: Watch::armed(cx) };
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let index = if inner.free == NONE {
            inner.slots.push(Slot { state, prev: NONE, next: NONE, queued: true, generation: 0 });
            u32::try_from(inner.slots.len() - 1).expect("more than 4 billion waiters")
        } else {
            let index = inner.free;
            let slot = &mut inner.slots[index as usize];
            inner.free = slot.next;
            slot.state = state;
            slot.queued = true;
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

    /// Serves the first in the queue that was not cancelled: `give` turns what it brought into
    /// what it is given. Returns what `give` kept, and the waker to wake when nothing is borrowed
    /// any more.
    #[inline]
    pub(crate) fn serve<R>(&self, give: impl FnOnce(T) -> (T, R)) -> Option<(R, Waker)> {
        if self.inner.borrow().head == NONE {
            return None;
        }
        self.serve_first(give)
    }

    fn serve_first<R>(&self, give: impl FnOnce(T) -> (T, R)) -> Option<(R, Waker)> {
        let mut inner = self.inner.borrow_mut();
        loop {
            let index = inner.head;
            if index == NONE {
                return None;
            }
            inner.unlink(index);
            let slot = &mut inner.slots[index as usize];
            match std::mem::replace(&mut slot.state, State::Free) {
                State::Waiting { value, waker, watch } if !watch.is_cancelled() => {
                    let (given, kept) = give(value);
                    slot.state = State::Served(given);
                    drop(inner);
                    watch.handed();
                    drop(watch); // foreign code
                    return Some((kept, waker));
                }
                // It was woken when it was cancelled, and will look.
                state => slot.state = state,
            }
        }
    }

    /// Looks what has become of a waiter, and makes sure that this waker is the one that is woken
    /// when something does.
    pub(crate) fn look(&self, ticket: Ticket, cx: &Context<'_>) -> Outcome<T> {
        // Nearly always: who waits is polled when it was served.
        if let Some(value) = self.inner.borrow_mut().take_served(ticket) {
            return Outcome::Served(value);
        }
        // Out of its slot meanwhile: wakers are foreign code, and may come back here.
        let taken = std::mem::replace(&mut self.inner.borrow_mut().slot(ticket).state, State::Free);
        let State::Waiting { value, waker, mut watch } = taken else {
            unreachable!("a ticket is good for as long as its operation")
        };
        watch.arm(cx);
        let kept = if waker.will_wake(cx.waker()) { waker } else { cx.waker().clone() };
        let cancelled = watch.check().err();
        {
            let mut inner = self.inner.borrow_mut();
            inner.slot(ticket).state = State::Waiting { value, waker: kept, watch };
            if cancelled.is_none() && inner.slot(ticket).queued {
                return Outcome::Waiting;
            }
        }
        match (self.leave(ticket), cancelled) {
            ((value, _), Some(error)) => Outcome::Cancelled(value, error),
            ((value, _), None) => Outcome::PassedOver(value),
        }
    }

    /// Gives a place up. What the waiter brought, or was given, comes back, and whether it was
    /// served.
    pub(crate) fn leave(&self, ticket: Ticket) -> (T, bool) {
        let mut inner = self.inner.borrow_mut();
        if inner.slot(ticket).queued {
            inner.unlink(ticket.index);
        }
        let state = std::mem::replace(&mut inner.slot(ticket).state, State::Free);
        inner.release(ticket.index);
        drop(inner);
        match state {
            State::Waiting { value, .. } => (value, false),
            State::Served(value) => (value, true),
            State::Free => unreachable!("a ticket is good for as long as its operation"),
        }
    }
}

impl<T> Inner<T> {
    fn slot(&mut self, ticket: Ticket) -> &mut Slot<T> {
        let slot = &mut self.slots[ticket.index as usize];
        debug_assert_eq!(slot.generation, ticket.generation, "a ticket was used twice");
        slot
    }

    /// What it was given, if it was served; its place is gone then.
    fn take_served(&mut self, ticket: Ticket) -> Option<T> {
        let slot = self.slot(ticket);
        if !matches!(slot.state, State::Served(_)) {
            return None;
        }
        let State::Served(value) = std::mem::replace(&mut slot.state, State::Free) else {
            unreachable!("it was just looked at")
        };
        self.release(ticket.index);
        Some(value)
    }

    fn unlink(&mut self, index: u32) {
        self.slots[index as usize].queued = false;
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

    fn release(&mut self, index: u32) {
        let free = self.free;
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.next = free;
        slot.prev = NONE;
        self.free = index;
    }
}

#[cfg(test)]
mod tests;
