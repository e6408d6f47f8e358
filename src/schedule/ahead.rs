//! Who goes ahead: what a look at the world has made ready, when a round lasts for too long.
//!
//! In a round each ready unit is polled once. Where a hundred of them compute for ten milliseconds
//! each, that takes a second, and who waits for a timer would wait for as long. So each look notes
//! what it makes ready. When that still waits a few milliseconds later the round is cut: everybody
//! on the stack returns, and the run loop has just those units polled, each on a way of its own
//! from the root. What they wake goes ahead as well. Then the round goes on where it was: nobody
//! loses the place, and in the long run each side has half of the time.
//!
//! Nothing of this happens where a round is short, or where time is not looked at.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr::NonNull;

use crate::schedule::current::CONTEXT;
use crate::schedule::ids::UnitId;
use crate::schedule::memory::table;
use crate::schedule::roster::{Host, Roster};
use crate::schedule::unit::Unit;

/// For how many rounds a note may be of use: what became ready in one has run when the next is over.
const ROUNDS: u32 = 2;

/// What was noted, and the way to one of them.
#[derive(Default)]
pub(crate) struct Ahead {
    /// With the tick in which each became ready: in a later one it has been polled meanwhile.
    noted: RefCell<VecDeque<(UnitId, u32)>>,
    /// When the first of them can have been due.
    since: Cell<u64>,
    /// The tick of the latest note.
    tick: Cell<u32>,
    /// Until then it is the others' time.
    not_before: Cell<u64>,
    /// Whether the round is being cut.
    is_cutting: Cell<bool>,
    /// The way to the unit that goes ahead, from the end: itself, its nursery's host, and so on.
    way: RefCell<Vec<UnitId>>,
    is_on_the_way: Cell<bool>,
}

impl Ahead {
    /// Notes a unit that is made ready by a look, or by one that goes ahead.
    #[cold]
    pub(crate) fn note(&self, unit: UnitId, tick: u32) {
        let now = CONTEXT.with(|context| context.tick.get());
        self.tick.set(now);
        let mut noted = self.noted.borrow_mut();
        if noted.is_empty() {
            self.since.set(CONTEXT.with(|context| context.turn.began()));
        }
        noted.push_back((unit, tick));
    }

    /// Forgets what has been polled in the meantime.
    #[inline]
    pub(crate) fn tidy(&self, tick: u32) {
        let mut noted = self.noted.borrow_mut();
        if !noted.is_empty() && tick.wrapping_sub(self.tick.get()) >= ROUNDS {
            noted.clear();
        }
    }

    /// Cuts the round, if something has waited for too long.
    pub(crate) fn cut_if_due(&self) {
        let mut noted = self.noted.borrow_mut();
        if noted.is_empty() {
            return;
        }
        let is_due = CONTEXT.with(|context| {
            context.turn.has_waited(self.since.get())
                && context.turn.has_come(self.not_before.get())
        });
        if is_due {
            while noted.pop_front_if(|&mut (unit, tick)| !is_waiting(unit, tick)).is_some() {}
            self.is_cutting.set(!noted.is_empty());
        }
    }

    /// Whether everybody is to return to the run loop.
    #[inline]
    pub(crate) fn is_cutting(&self) -> bool {
        self.is_cutting.get()
    }

    /// Everybody has returned. True if the round was cut.
    #[inline]
    pub(crate) fn was_cut(&self) -> bool {
        self.is_cutting.replace(false)
    }

    /// The others have as much time as those that went ahead have had since `began`.
    pub(crate) fn is_over(&self, began: u64) {
        let now = CONTEXT.with(|context| context.turn.time());
        self.not_before.set(now.saturating_add(now.saturating_sub(began)));
        self.is_on_the_way.set(false);
        drop(self.way.take());
    }

    /// Finds the way to the next that goes ahead. False if there is none.
    pub(crate) fn next(&self, root: &Roster) -> bool {
        loop {
            let next = self.noted.borrow_mut().pop_front();
            let Some((unit, tick)) = next else { return false };
            if is_waiting(unit, tick) && self.find_way(unit, root) {
                self.is_on_the_way.set(true);
                return true;
            }
        }
    }

    /// Finds the way from the root. False if something of another library is on it.
    fn find_way(&self, unit: UnitId, root: &Roster) -> bool {
        let mut way = self.way.borrow_mut();
        way.clear();
        way.push(unit);
        loop {
            let last = way.last().and_then(|&unit| table::lookup(unit));
            // SAFETY: what the table knows is alive (invariant 1 of `schedule::unit`), and so is what it
            // is attached to.
            let roster = last.and_then(|unit| unsafe { (*unit).roster().as_ref() });
            match roster {
                Some(roster) if std::ptr::eq(roster, root) => return true,
                Some(roster) => match roster.host() {
                    Host::Unit(host) => way.push(host),
                    _ => return false,
                },
                None => return false,
            }
        }
    }

    /// Whether somebody goes ahead, and is still to be polled.
    #[inline]
    pub(crate) fn is_on_the_way(&self) -> bool {
        self.is_on_the_way.get()
    }

    /// The unit of this roster that is on the way. If it is the one that goes ahead, it is taken out of
    /// the queue.
    pub(crate) fn step(&self, roster: &Roster) -> Option<NonNull<Unit>> {
        let (unit, is_last) = {
            let mut way = self.way.borrow_mut();
            let unit = NonNull::new(table::lookup(*way.last()?)?.cast_mut())?;
            // SAFETY: as above.
            if !std::ptr::eq(unsafe { unit.as_ref() }.roster(), roster) {
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
            self.is_on_the_way.set(false);
            // SAFETY: as above.
            if !unsafe { unit.as_ref() }.is_queued() {
                return None;
            }
            roster.unqueue(unit.as_ptr());
        }
        Some(unit)
    }
}

/// Whether the unit has been waiting since it was noted.
fn is_waiting(unit: UnitId, tick: u32) -> bool {
    // SAFETY: as in `find_way`.
    table::lookup(unit).is_some_and(|unit| unsafe { &*unit }.is_queued_since(tick))
}
