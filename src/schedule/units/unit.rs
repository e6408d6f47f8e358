//! A unit is a piece of work with a waker of its own: the main future, the body of a nursery, a
//! child. It is the first part of a node in a [`Table`](crate::schedule::units::table::Table), and
//! belongs to one nursery's [`Roster`].
//!
//! # The states of a node
//!
//! ```text
//!              1              2               4
//!   UNUSED ─────────► LOOSE ──────► IDLE ───────────► QUEUED ─┐
//!    ▲  ▲               │  ▲ ▲       │ ▲                │ ▲   │ 6
//!    │  │       8       │  │ │   3   │ │       5        │ └───┘
//!    │  └───────────────┘  │ └───────┘ └────────────────┤
//!    │                     │ 7                          │ 3
//!    │         7           │                            ▼
//!    └─────────────────────┴────────────────────────── GHOST
//! ```
//!
//! | state | its roster | `QUEUED` | what it is |
//! |---|---|---|---|
//! | unused | none | no | memory, in the list of its chunk |
//! | loose | none | no | a child that is being made, is moving to another nursery, or has ended but whose value is still wanted |
//! | idle | the nursery's | no | it waits, or is being polled |
//! | queued | the nursery's | yes | it is ready; while it is being polled: to be polled again |
//! | ghost | none | yes | it has left its nursery, and its memory stays until it has left the queue too |
//!
//! | transition | made by |
//! |---|---|
//! | 1 taken into use | [`Table::allocate`], and then [`Unit::begin`] or `Roster::open` |
//! | 2 attached to a nursery | `Roster::attach`, `Roster::open` |
//! | 3 detached | `Roster::detach`, `Roster::detach_body` |
//! | 4 made ready | a verb of [`wake`](crate::schedule::wake), by `Queue::push` or `push_first` |
//! | 5 taken out to be polled, or to be added again | `Queue::pop`, `Queue::remove` |
//! | 6 woken once more | a verb of `wake`: it stays where it is, unless it [goes first](crate::schedule::wake::wake_now) |
//! | 7 taken out as a ghost | `Queue::bury`: loose if somebody has it, otherwise unused |
//! | 8 freed | [`Table::free`], called by its last owner |
//!
//! # Invariants
//!
//! 1. A node does not move. Its `Unit` is valid for as long as its chunk is alive, in use or not.
//!    The node belongs to whoever allocated it from the table. A ghost is not freed before it has
//!    left its queue.
//! 2. `roster` is null, or points to the roster that the unit is attached to, which outlives the
//!    attachment.
//! 3. The word `next_ready` is a link of a list while the node is unused or queued. Otherwise it is
//!    null, or what [`Parked`] has left: whoever takes a node out of its list empties the word.
//! 4. Everything here belongs to one thread: raw pointers keep all types of this file from being
//!    `Send` or `Sync`. Wakes from other threads go through `remote::inbox`.
//!
//! [`Table::allocate`]: crate::schedule::units::table::Table::allocate
//! [`Table::free`]: crate::schedule::units::table::Table::free

use std::cell::Cell;
use std::ptr;

use crate::schedule::ids::{RunId, UnitId};
use crate::schedule::units::parked::Parked;
use crate::schedule::units::roster::Roster;

/// A piece of work with a waker of its own. See the module's documentation.
#[repr(C)]
pub(crate) struct Unit {
    pub(super) roster: Cell<*const Roster>,
    /// The next one in the ready queue; while the node is unused, the next unused one of its chunk;
    /// otherwise what the unit waits for, if that is known. See [invariant 3](self#invariants).
    pub(super) next_ready: Cell<*const Unit>,
    /// The indices of its neighbours among the children.
    pub(super) prev: Cell<u32>,
    pub(super) next: Cell<u32>,
    /// The round in which the unit became ready: it runs in a later one.
    pub(in crate::schedule) tick: Cell<u32>,
    index: u32,
    generation: Cell<u16>,
    class: u8,
    flags: Cell<u8>,
    /// The index of the unit that waits for this child's value, or [`NO_INDEX`]. This belongs to
    /// `nursery::child`, and is here because there is room.
    pub(crate) joiner: Cell<u32>,
}

/// Facts about a unit. Those below the line belong to `nursery::child`, whose nodes have no other
/// place for them.
#[derive(Clone, Copy)]
pub(crate) struct Flag(u8);

impl Flag {
    /// The unit is in a ready queue. Set by `Queue::push` and `push_first`, cleared when it is
    /// taken out; never set on an unused node.
    pub(crate) const QUEUED: Flag = Flag(1 << 0);

    /// A nursery owns the node. Set when it is taken into use, cleared when the child has ended or
    /// the body is detached; set once more while a child's value is dropped, so that nothing frees
    /// the node meanwhile. Every attached unit has this flag.
    pub(crate) const OWNED: Flag = Flag(1 << 1);

    /// A `Task` owns the node. Set when a child begins, cleared when its `Task` is dropped; never
    /// set on a body.
    pub(crate) const TASK: Flag = Flag(1 << 2);

    /// The unit was woken since its latest poll by something other than a nursery that it polls.
    /// Set by whatever [counts as a wake](crate::schedule::wake), cleared when a poll begins.
    pub(in crate::schedule) const WOKEN: Flag = Flag(1 << 3);

    // ---

    /// The run keeps a waker that does not belong to a unit, to be woken when this child ends.
    /// Never set while `joiner` names a unit.
    pub(crate) const FOREIGN_JOINER: Flag = Flag(1 << 4);

    /// The child has ended with a value that nobody has taken. Never set with `FUTURE` or `FAILED`.
    pub(crate) const VALUE: Flag = Flag(1 << 5);

    /// The node holds the child's future. Set when the child begins, cleared just before the future
    /// is dropped. Never set with `VALUE` or `FAILED`.
    pub(crate) const FUTURE: Flag = Flag(1 << 6);

    /// The child has ended without a value, and the node holds the reason. Never set with `VALUE`
    /// or `FUTURE`.
    pub(crate) const FAILED: Flag = Flag(1 << 7);
}

/// The index of no unit.
pub(crate) const NO_INDEX: u32 = u32::MAX;

impl Unit {
    // The node.

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
            joiner: Cell::new(NO_INDEX),
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

    /// Takes the node out of the list of unused ones. Returns the next one there.
    pub(super) fn take_next_unused(&self) -> *const Unit {
        self.next_ready.replace(ptr::null())
    }

    /// Takes the node into use for a child.
    #[inline]
    pub(crate) fn begin(&self) {
        self.flags.set(Flag::OWNED.0 | Flag::TASK.0 | Flag::FUTURE.0);
        self.joiner.set(NO_INDEX);
    }

    /// Marks the node as unused: the number of its unit becomes meaningless.
    #[inline]
    pub(super) fn set_unused(&self, next: *const Unit) {
        self.generation.set(self.generation.get().wrapping_add(1));
        self.flags.set(0);
        self.next_ready.set(next);
    }

    // Flags.

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

    /// Begins a poll. Returns whether the unit was woken since the latest one.
    #[inline]
    pub(crate) fn take_woken(&self) -> bool {
        let woken = self.has(Flag::WOKEN);
        self.clear(Flag::WOKEN);
        woken
    }

    /// Whether it was woken since its latest poll by something other than a nursery that it polls.
    pub(crate) fn is_woken(&self) -> bool {
        self.has(Flag::WOKEN)
    }

    /// The unit's number. `run` has to be the unit's own.
    #[inline]
    pub(crate) fn id(&self, run: RunId) -> UnitId {
        UnitId::new(run, self.index, self.generation.get())
    }

    /// The roster that the unit is attached to, or null.
    #[inline]
    pub(crate) fn roster(&self) -> *const Roster {
        self.roster.get()
    }

    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        self.has(Flag::QUEUED)
    }

    /// Whether it is [a ghost](self#the-states-of-a-node), given that it is queued.
    #[inline]
    pub(super) fn is_ghost(&self) -> bool {
        self.roster.get().is_null()
    }

    // What it waits for.

    /// Keeps what the unit, which is not queued, waits for after a poll that has not ended it.
    #[inline]
    pub(in crate::schedule) fn set_parked(&self, parked: Parked) {
        debug_assert!(!self.is_queued(), "then this would be a link");
        self.next_ready.set(parked.as_ptr().cast());
    }

    /// What the unit, which is in use and not being polled, has waited for since its latest poll,
    /// as far as that is known.
    pub(crate) fn parked(&self) -> Parked {
        match self.is_queued() {
            true => Parked::NOTHING,
            // SAFETY: invariant 3: it is in use, and not queued.
            false => unsafe { Parked::from_ptr(self.next_ready.get().cast()) },
        }
    }

    /// The round in which it became ready last.
    pub(crate) fn tick(&self) -> u32 {
        self.tick.get()
    }

    /// If it has been idle for at least so many rounds, this is from now on all that is known.
    pub(super) fn give_up_tick(&self, now: u32, rounds: u32) {
        if !self.is_queued() && now.wrapping_sub(self.tick.get()) >= rounds {
            self.tick.set(now.wrapping_sub(rounds));
        }
    }

    /// Whether it has been ready since this round.
    pub(crate) fn is_queued_since(&self, tick: u32) -> bool {
        self.is_queued() && self.tick.get() == tick
    }

    /// Whether it became ready in a later round than this one.
    pub(crate) fn is_ready_since_later(&self, tick: u32) -> bool {
        self.is_queued() && self.tick.get().wrapping_sub(tick).cast_signed() > 0
    }
}
