//! The ready queue of one nursery: first in, first out, unless a test or a seed decides.
//!
//! # Invariants
//!
//! 1. A unit in the queue has `Flag::QUEUED`, is in no other queue, and its memory is alive: a
//!    ghost whose last owner has gone is freed when it is taken out.
//! 2. Nothing here runs foreign code.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::schedule::current::THREAD;
use crate::schedule::ids::{RunId, UnitId};
use crate::schedule::order::Order;
use crate::schedule::units::table::Table;
use crate::schedule::units::unit::{Flag, Unit};

/// The units of a nursery that are ready, and ghosts among them.
pub(crate) struct Queue {
    head: Cell<*const Unit>,
    tail: Cell<*const Unit>,
    ghosts: Cell<u32>,
    /// The run that counts this queue among those that are not empty.
    counted_in: Cell<RunId>,
}

/// Where a unit was added.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::schedule) enum Added {
    /// To an empty queue, so the host may have to be told.
    First,
    Behind,
}

impl Queue {
    pub(super) const fn new() -> Queue {
        Queue {
            head: Cell::new(ptr::null()),
            tail: Cell::new(ptr::null()),
            ghosts: Cell::new(0),
            counted_in: Cell::new(RunId::NONE),
        }
    }

    /// Whether nothing is ready.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        if self.ghosts.get() > 0 {
            self.sweep();
        }
        self.is_empty()
    }

    /// Whether there is nothing in it, ghosts included.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    /// The round in which the first of the units became ready. It stays the same as long as nobody
    /// takes units out, and is a different one whenever the queue has been empty in between.
    pub(crate) fn ready_since(&self) -> Option<u32> {
        // SAFETY: invariant 1.
        unsafe { self.head.get().as_ref() }.map(|head| head.tick.get())
    }

    // In.

    /// Adds a unit that is not queued, as one that became ready in the round `tick`.
    ///
    /// # Safety
    ///
    /// The unit is attached to the nursery whose queue this is.
    #[inline]
    pub(in crate::schedule) unsafe fn push(&self, this: *const Unit, tick: u32) -> Added {
        // SAFETY: the caller's promise.
        let unit = unsafe { &*this };
        unit.tick.set(tick);
        unit.set(Flag::QUEUED);
        unit.next_ready.set(ptr::null());
        // SAFETY: invariant 1.
        match unsafe { self.tail.replace(this).as_ref() } {
            Some(tail) => {
                tail.next_ready.set(this);
                Added::Behind
            }
            None => {
                self.head.set(this);
                self.count();
                Added::First
            }
        }
    }

    /// Puts a unit before all others, queued or not, as one that became ready in an earlier round.
    ///
    /// # Safety
    ///
    /// As for `push`.
    pub(in crate::schedule) unsafe fn push_first(&self, this: *const Unit, tick: u32) {
        // SAFETY: the caller's promise.
        let unit = unsafe { &*this };
        if unit.is_queued() {
            self.remove(this);
        }
        unit.tick.set(tick);
        unit.set(Flag::QUEUED);
        let head = self.head.replace(this);
        unit.next_ready.set(head);
        if head.is_null() {
            self.tail.set(this);
            self.count();
        }
    }

    // Out.

    /// Takes out the next unit that became ready before the present round.
    #[inline]
    pub(crate) fn pop(&self, order: &Order) -> Option<NonNull<Unit>> {
        let now = THREAD.with(|thread| thread.rounds.tick.get());
        loop {
            let this = self.head.get();
            // SAFETY: invariant 1.
            let unit = unsafe { this.as_ref() }?;
            if unit.tick.get() == now {
                return None;
            }
            if !order.is_first_in_first_out() {
                return self.choose(order, now);
            }
            self.unlink(ptr::null(), unit);
            if !unit.is_ghost() {
                return NonNull::new(this.cast_mut());
            }
            self.bury(this);
        }
    }

    /// Takes out a unit, wherever it is. Takes time proportional to the number of units before it.
    pub(crate) fn remove(&self, this: *const Unit) {
        self.take_out(|unit| ptr::eq(unit, this));
    }

    /// Takes out one of the units that became ready before the round `now`.
    #[cold]
    fn choose(&self, order: &Order, now: u32) -> Option<NonNull<Unit>> {
        if self.ghosts.get() > 0 {
            self.sweep();
        }
        let older = self.older_than(now, order.reach());
        if older == 0 {
            return None;
        }
        let mut before = ptr::null();
        let mut this = self.head.get();
        // SAFETY (both): invariant 1; there are as many as `older_than` counted.
        for _ in 0..order.choose(older) {
            before = this;
            this = unsafe { &*this }.next_ready.get();
        }
        self.unlink(before, unsafe { &*this });
        NonNull::new(this.cast_mut())
    }

    /// How many units at the head became ready before the round `now`, counted up to a limit.
    fn older_than(&self, now: u32, limit: usize) -> usize {
        let mut count = 0;
        let mut next = self.head.get();
        // SAFETY: invariant 1.
        while let Some(unit) = unsafe { next.as_ref() } {
            if unit.tick.get() == now || count == limit {
                break;
            }
            count += 1;
            next = unit.next_ready.get();
        }
        count
    }

    /// Takes out a unit that comes right after `before`, or first.
    #[inline]
    fn unlink(&self, before: *const Unit, unit: &Unit) {
        // It is emptied: invariant 3 of `units::unit`.
        let next = unit.next_ready.replace(ptr::null());
        // SAFETY: invariant 1.
        match unsafe { before.as_ref() } {
            Some(before) => before.next_ready.set(next),
            None => self.head.set(next),
        }
        if next.is_null() {
            self.tail.set(before);
            if before.is_null() {
                self.uncount();
            }
        }
        unit.clear(Flag::QUEUED);
    }

    // Ghosts.

    /// To be called when a unit in this queue has been detached.
    #[inline]
    pub(super) fn add_ghost(&self) {
        self.ghosts.set(self.ghosts.get() + 1);
    }

    /// Takes out all ghosts.
    #[cold]
    pub(super) fn sweep(&self) {
        self.take_out(Unit::is_ghost);
    }

    /// Takes out the units for which `goes` is true.
    fn take_out(&self, goes: impl Fn(&Unit) -> bool) {
        // This queue may become empty, though it is recorded as having units.
        THREAD.with(|thread| thread.rounds.went_up.set(UnitId::NONE));
        let mut before = ptr::null();
        let mut this = self.head.get();
        // SAFETY: invariant 1.
        while let Some(unit) = unsafe { this.as_ref() } {
            let next = unit.next_ready.get();
            if goes(unit) {
                self.unlink(before, unit);
                if unit.is_ghost() {
                    self.bury(this);
                }
            } else {
                before = this;
            }
            this = next;
        }
    }

    /// Frees a ghost that was taken out, unless somebody still has it.
    #[cold]
    fn bury(&self, ghost: *const Unit) {
        self.ghosts.set(self.ghosts.get() - 1);
        // SAFETY: invariant 1: it has only just been taken out.
        let unit = unsafe { &*ghost };
        if let Some(node) = NonNull::new(ghost.cast_mut())
            && !unit.has_any(Flag::OWNED, Flag::TASK)
        {
            // SAFETY: nobody has it any more.
            unsafe { Table::free(node) };
        }
    }

    // The count of the queues that are not empty.

    #[inline]
    fn count(&self) {
        THREAD.with(|thread| {
            self.counted_in.set(thread.run.get());
            thread.rounds.ready_queues.set(thread.rounds.ready_queues.get() + 1);
        });
    }

    #[inline]
    fn uncount(&self) {
        THREAD.with(|thread| {
            // In a later run this queue is not counted, and outside any run nothing is.
            let run = thread.run.get();
            if run != RunId::NONE && self.counted_in.get() == run {
                thread.rounds.ready_queues.set(thread.rounds.ready_queues.get() - 1);
            }
        });
    }
}
