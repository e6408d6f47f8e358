//! Going ahead: if a round takes too long, units that a look at the world has made ready are polled
//! before the others.
//!
//! In a round each ready unit is polled once. If a hundred of them compute for ten milliseconds
//! each, that takes a second, and a unit whose timer fires in the meantime would wait for as long.
//! So the scheduler lists the units that each look makes ready. If some are still on the list a few
//! milliseconds later, the round is cut: everything on the stack returns, and the run loop polls
//! only the units on the list, each along its own path from the root. Units that these wake go
//! ahead too. Then the round continues where it was: no unit loses its place, and in the long run
//! each side gets half of the time.
//!
//! None of this happens if rounds are short, or if time is not read.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr::{self, NonNull};

use crate::schedule::current::THREAD;
use crate::schedule::ids::UnitId;
use crate::schedule::seen::attention::By;
use crate::schedule::units::roster::{HostWaker, Roster};
use crate::schedule::units::table;
use crate::schedule::units::unit::Unit;

/// For how many rounds the list is of use: a unit that became ready in one round has run by the end
/// of the next.
const ROUNDS: u32 = 2;

/// The list, and the path to one of the units on it.
#[derive(Default)]
pub(crate) struct Ahead {
    /// The units, with the round in which each became ready: if a unit's round is no longer this
    /// one, it has been polled in the meantime.
    listed: RefCell<VecDeque<(UnitId, u32)>>,
    /// The earliest time at which the first of these can have been due.
    since: Cell<u64>,
    /// The round in which the latest unit was listed.
    tick: Cell<u32>,
    /// Until this time it is the others' turn.
    not_before: Cell<u64>,
    /// What nurseries have to heed before they poll anything: nearly always 0.
    heed: Cell<u8>,
    /// The path to the unit that goes ahead, from its end: the unit, its nursery's host, and so on.
    way: RefCell<Vec<UnitId>>,
}

/// The round is cut: everything on the stack is to return to the run loop.
const CUTTING: u8 = 1 << 0;

/// A unit that goes ahead has not been polled yet.
const ON_THE_WAY: u8 = 1 << 1;

/// Somebody [looks on](crate::schedule::seen::onlookers). This has nothing to do with going ahead,
/// and is here because a nursery looks at nothing else.
const LOOKED_ON: u8 = 1 << 2;

/// The run [shows](crate::schedule::seen::shown) what it polls. As above.
const SHOWS: u8 = 1 << 3;

/// Whether anything goes ahead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Found,
    None,
}

impl Ahead {
    /// Whether a nursery polls what is ready, as usual, and nobody looks on.
    #[inline(always)]
    pub(crate) fn is_as_usual(&self) -> bool {
        self.heed.get() == 0
    }

    #[inline(always)]
    fn has(&self, what: u8) -> bool {
        self.heed.get() & what != 0
    }

    fn begin(&self, what: u8) {
        self.heed.set(self.heed.get() | what);
    }

    fn cease(&self, what: u8) {
        self.heed.set(self.heed.get() & !what);
    }

    /// Somebody has begun to look on, or nobody does any more.
    pub(super) fn set_looked_on(&self, by: By) {
        match by {
            By::Somebody => self.begin(LOOKED_ON),
            By::Nobody => self.cease(LOOKED_ON),
        }
    }

    /// Whether somebody looks on.
    #[inline(always)]
    pub(crate) fn is_looked_on(&self) -> bool {
        self.has(LOOKED_ON)
    }

    /// From now on the run shows what it polls.
    pub(crate) fn begin_to_show(&self) {
        self.begin(SHOWS);
    }

    // The list.

    /// Lists a unit that has been ready since the round `tick`.
    pub(super) fn list(&self, unit: UnitId, tick: u32) {
        THREAD.with(|thread| {
            self.tick.set(thread.rounds.tick.get());
            let mut listed = self.listed.borrow_mut();
            if listed.is_empty() {
                self.since.set(thread.turn.began());
            }
            listed.push_back((unit, tick));
        });
    }

    /// Clears the list once everything on it has been polled.
    #[inline]
    pub(super) fn tidy(&self, tick: u32) {
        let mut listed = self.listed.borrow_mut();
        if !listed.is_empty() && tick.wrapping_sub(self.tick.get()) >= ROUNDS {
            listed.clear();
        }
    }

    /// Frees the list's memory. To be called when nothing is ready, and so nothing is to go ahead.
    #[inline]
    pub(crate) fn forget(&self) {
        drop(self.listed.take());
    }

    // Cutting a round.

    /// Cuts the round, if something on the list has waited for too long.
    pub(super) fn cut_if_due(&self) {
        let mut listed = self.listed.borrow_mut();
        if listed.is_empty() {
            return;
        }
        let is_due = THREAD.with(|thread| {
            thread.turn.has_waited(self.since.get()) && thread.turn.has_come(self.not_before.get())
        });
        if is_due {
            while listed.pop_front_if(|&mut (unit, tick)| !is_still_ready(unit, tick)).is_some() {}
            match listed.is_empty() {
                true => self.cease(CUTTING),
                false => self.begin(CUTTING),
            }
        }
    }

    /// Cuts the round, because the loop has to look at the world.
    pub(super) fn cut(&self) {
        self.begin(CUTTING);
    }

    /// Whether everything on the stack is to return to the run loop.
    #[inline]
    pub(crate) fn is_cutting(&self) -> bool {
        self.has(CUTTING)
    }

    /// Whether the round was cut. To be called when everything has returned.
    #[inline]
    pub(super) fn was_cut(&self) -> bool {
        let was_cut = self.has(CUTTING);
        self.cease(CUTTING);
        was_cut
    }

    /// Called when the units that went ahead have been polled, which took the time since `began`.
    /// The others now get as much.
    pub(super) fn end(&self, began: u64) {
        let now = THREAD.with(|thread| thread.turn.time());
        self.not_before.set(now.saturating_add(now.saturating_sub(began)));
        self.cease(ON_THE_WAY);
        drop(self.way.take());
    }

    // The way.

    /// Finds the path to the next unit that goes ahead.
    pub(super) fn next(&self, root: &Roster) -> Way {
        loop {
            let next = self.listed.borrow_mut().pop_front();
            let Some((unit, tick)) = next else { return Way::None };
            if is_still_ready(unit, tick) && self.find_way(unit, root) == Way::Found {
                self.begin(ON_THE_WAY);
                return Way::Found;
            }
        }
    }

    /// Finds the path from the root to the unit. There is none if something from another library is
    /// in between.
    fn find_way(&self, unit: UnitId, root: &Roster) -> Way {
        let mut way = self.way.borrow_mut();
        way.clear();
        way.push(unit);
        loop {
            let last = way.last().and_then(|&unit| table::lookup(unit));
            // SAFETY: what the table knows is alive (invariant 1 of `units::unit`), and so
            // is what it is attached to (invariant 2 there).
            let roster = last.and_then(|unit| unsafe { (*unit).roster().as_ref() });
            match roster {
                Some(roster) if ptr::eq(roster, root) => return Way::Found,
                Some(roster) => match roster.host() {
                    HostWaker::Unit(host) => way.push(host),
                    _ => return Way::None,
                },
                None => return Way::None,
            }
        }
    }

    /// Whether a unit that goes ahead has not been polled yet.
    #[inline]
    pub(crate) fn is_on_the_way(&self) -> bool {
        self.has(ON_THE_WAY)
    }

    /// Returns the unit of this roster that is next on the path. If it is the one that goes ahead,
    /// it is taken out of the queue.
    pub(crate) fn step(&self, roster: &Roster) -> Option<NonNull<Unit>> {
        let (unit, is_last) = {
            let mut way = self.way.borrow_mut();
            let unit = NonNull::new(table::lookup(*way.last()?)?.cast_mut())?;
            // SAFETY: as in `find_way`.
            if !ptr::eq(unsafe { unit.as_ref() }.roster(), roster) {
                return None;
            }
            way.pop();
            let is_last = way.is_empty();
            if is_last {
                *way = Vec::new(); // it is seldom needed
            }
            (unit, is_last)
        };
        if is_last {
            self.cease(ON_THE_WAY);
            // SAFETY: as in `find_way`.
            if !unsafe { unit.as_ref() }.is_queued() {
                return None;
            }
            roster.queue.remove(unit.as_ptr());
        }
        Some(unit)
    }
}

/// Whether the unit has been ready since it was listed.
fn is_still_ready(unit: UnitId, tick: u32) -> bool {
    // SAFETY: as in `find_way`.
    table::lookup(unit).is_some_and(|unit| unsafe { &*unit }.is_queued_since(tick))
}
