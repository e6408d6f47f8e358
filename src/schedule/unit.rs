//! A unit is a piece of work that is polled with a waker of its own: the main future, the body of
//! a nursery, a child. It is the beginning of a node in a [`Table`](crate::schedule::memory::table::Table),
//! and belongs to one nursery's [`Roster`].
//!
//! # Invariants
//!
//! 1. A node does not move. Its `Unit` is valid as long as its chunk is there, in use or not; who
//!    has taken it out of the table has the node. A node that stands in a ready queue is not given
//!    back before it has been taken out of that.
//! 2. `roster` is null, or points to the roster the unit is attached to, which outlives that.
//! 3. Everything here belongs to one thread: no type in this file is `Send` or `Sync` (raw
//!    pointers see to it), and wakers from other threads go through `remote::inbox`.
//! 4. No function in this file calls foreign code. A foreign waker that has to be woken is returned
//!    to the caller, who wakes it when nothing is borrowed or half changed any more.

use std::cell::Cell;
use std::ptr;

use crate::schedule::current::{self, CONTEXT};
use crate::schedule::foreign::Foreign;
use crate::schedule::memory::table::{self, RunId, UnitId};
use crate::schedule::roster::Roster;

/// A piece of work with a waker of its own. See the module's documentation.
#[repr(C)]
pub(crate) struct Unit {
    pub(super) roster: Cell<*const Roster>,
    /// The next that is ready; while the node is not in use, the next such.
    pub(super) next_ready: Cell<*const Unit>,
    /// The indices of its neighbours among the children.
    pub(super) prev: Cell<u32>,
    pub(super) next: Cell<u32>,
    /// The tick in which the unit became ready: it runs in a later one.
    pub(super) tick: Cell<u32>,
    index: u32,
    generation: Cell<u16>,
    class: u8,
    flags: Cell<u8>,
    /// For who has the node.
    pub(crate) note: Cell<u32>,
}

/// What is true of a unit.
#[derive(Clone, Copy)]
pub(crate) struct Flag(u8);

impl Flag {
    /// It stands in a ready queue.
    pub(crate) const QUEUED: Flag = Flag(1);
    /// A nursery has it.
    pub(crate) const HELD: Flag = Flag(2);
    /// A `Task` has it.
    pub(crate) const TASK: Flag = Flag(4);
    /// It was woken since its latest poll by something other than a nursery that it polls.
    pub(super) const WOKEN: Flag = Flag(128);
    /// For who has the node.
    pub(crate) const NOTE: Flag = Flag(8);
    pub(crate) const VALUE: Flag = Flag(16);
    pub(crate) const FUTURE: Flag = Flag(32);
    pub(crate) const FAILED: Flag = Flag(64);
}

/// Why a unit that is being polled is to be polled again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It lets others run.
    Yields,
    /// A nursery that it polls has something ready.
    ForNursery,
    /// As well, and the round was cut: it goes on with that.
    WasCut,
}

/// No index of a unit.
pub(crate) const NO_INDEX: u32 = u32::MAX;

impl Unit {
    // What belongs to the place of the node.

    /// A unit that is not in use.
    #[inline]
    pub(super) const fn new(index: u32, generation: u16, class: u8) -> Unit {
        Unit {
            roster: Cell::new(ptr::null()),
            next_ready: Cell::new(ptr::null()),
            prev: Cell::new(NO_INDEX),
            next: Cell::new(NO_INDEX),
            tick: Cell::new(0),
            index,
            generation: Cell::new(generation),
            class,
            flags: Cell::new(0),
            note: Cell::new(NO_INDEX),
        }
    }

    #[inline]
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    #[inline]
    pub(super) fn class(&self) -> u8 {
        self.class
    }

    #[inline]
    pub(super) fn generation(&self) -> u16 {
        self.generation.get()
    }

    pub(super) fn next_unused(&self) -> *const Unit {
        self.next_ready.get()
    }

    /// The node is in use as a child's.
    #[inline]
    pub(crate) fn begin(&self) {
        self.flags.set(Flag::HELD.0 | Flag::TASK.0 | Flag::FUTURE.0);
        self.note.set(NO_INDEX);
    }

    /// The node is not in use any more: its number means nothing.
    #[inline]
    pub(super) fn set_unused(&self, next: *const Unit) {
        self.generation.set(self.generation.get().wrapping_add(1));
        self.flags.set(0);
        self.next_ready.set(next);
    }

    // What it is.

    #[inline]
    pub(crate) fn has(&self, flag: Flag) -> bool {
        self.flags.get() & flag.0 != 0
    }

    #[inline]
    pub(crate) fn has_any(&self, one: Flag, other: Flag) -> bool {
        self.flags.get() & (one.0 | other.0) != 0
    }

    #[inline]
    pub(crate) fn set(&self, flag: Flag) {
        self.flags.set(self.flags.get() | flag.0);
    }

    #[inline]
    pub(crate) fn clear(&self, flag: Flag) {
        self.flags.set(self.flags.get() & !flag.0);
    }

    /// Whether it was woken since its latest poll, which begins now.
    #[inline]
    pub(crate) fn take_woken(&self) -> bool {
        let woken = self.has(Flag::WOKEN);
        self.clear(Flag::WOKEN);
        woken
    }

    /// Its number in this run, which has to be its own.
    #[inline]
    pub(crate) fn id(&self, run: RunId) -> UnitId {
        UnitId::new(run, self.index, self.generation.get())
    }

    /// The roster it is attached to, or null.
    pub(crate) fn roster(&self) -> *const Roster {
        self.roster.get()
    }

    pub(crate) fn is_queued(&self) -> bool {
        self.has(Flag::QUEUED)
    }

    /// Whether it has been ready since this tick.
    pub(crate) fn is_queued_since(&self, tick: u32) -> bool {
        self.is_queued() && self.tick.get() == tick
    }

    /// Whether it has become ready in a later tick than this one.
    pub(crate) fn is_ready_since_later(&self, tick: u32) -> bool {
        self.is_queued() && self.tick.get().wrapping_sub(tick).cast_signed() > 0
    }

    // Waking.

    /// Makes the unit ready, in the present tick: it is polled in the next one. Whoever has to
    /// come for it is made ready too, up to the root or up to the first foreign waker, which is
    /// returned and must be woken by the caller.
    ///
    /// # Safety
    ///
    /// `this` is a node whose chunk is there: one found in the table or in a roster.
    #[must_use]
    #[inline]
    pub(crate) unsafe fn make_ready(this: *const Unit) -> Option<Foreign> {
        // SAFETY: the caller's promise.
        let unit = unsafe { &*this };
        unit.set(Flag::WOKEN);
        let (now, notes) = CONTEXT.with(|context| (context.tick.get(), context.notes.get()));
        if notes {
            unit.note_ahead(now);
        }
        if unit.is_queued() || unit.roster.get().is_null() {
            return None;
        }
        // SAFETY: invariant 2.
        let roster = unsafe { &*unit.roster.get() };
        if !roster.push(this, now) || roster.is_draining() {
            return None;
        }
        roster.call_host(now)
    }

    /// Makes the unit that is being polled ready, for the next tick, or for this one if it was cut.
    /// False if it is not this one.
    ///
    /// Unless it is for a nursery that it polls, that counts as a wake.
    #[inline]
    pub(crate) fn poll_again(id: UnitId, why: Again) -> bool {
        CONTEXT.with(|context| {
            // SAFETY: invariant 3 of `context`: it is being polled.
            let Some(unit) = (unsafe { context.polled.get().as_ref() }) else { return false };
            // SAFETY: invariant 2.
            let Some(roster) = (unsafe { unit.roster.get().as_ref() }) else { return false };
            if context.unit.get() != id || unit.is_queued() || !roster.is_draining() {
                return false;
            }
            if why == Again::Yields {
                unit.set(Flag::WOKEN);
            }
            match why {
                Again::WasCut => {
                    roster.push_first(context.polled.get(), context.tick.get().wrapping_sub(1));
                }
                _ => drop(roster.push(context.polled.get(), context.tick.get())),
            }
            true
        })
    }

    /// It may go ahead of others, unless it is what runs and wakes itself.
    #[cold]
    fn note_ahead(&self, tick: u32) {
        let (is_polled, id) = CONTEXT
            .with(|context| (ptr::eq(context.polled.get(), self), self.id(context.unit_run.get())));
        if !is_polled {
            let tick = if self.is_queued() { self.tick.get() } else { tick };
            current::with_runtime(|runtime| {
                if let Some(runtime) = runtime {
                    runtime.ahead.note(id, tick);
                }
            });
        }
    }

    /// As `make_ready`, but the unit is polled in the present tick, if its owner is, and before all
    /// others there: it goes on in the place of what is being polled. That itself is left alone, as
    /// it is about to poll the owner.
    ///
    /// # Safety
    ///
    /// As `make_ready`.
    #[must_use]
    pub(crate) unsafe fn make_ready_now(this: *const Unit) -> Option<Foreign> {
        let (before, current) = CONTEXT.with(|context| {
            let current = table::lookup(context.unit.get()).unwrap_or(ptr::null());
            (context.tick.get().wrapping_sub(1), current)
        });
        let mut this = this;
        loop {
            // SAFETY: the caller's promise, and then what the table knows.
            let unit = unsafe { &*this };
            unit.set(Flag::WOKEN);
            // SAFETY: invariant 2.
            let roster = unsafe { unit.roster.get().as_ref() }?;
            if ptr::eq(this, current) {
                return None;
            }
            roster.push_first(this, before);
            if roster.is_draining() {
                return None;
            }
            match roster.host_unit()? {
                Ok(host) => this = table::lookup(host)?,
                Err(foreign) => return Some(foreign),
            }
        }
    }
}
