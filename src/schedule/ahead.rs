//! What goes ahead: what a look at the world has made ready, when a round lasts for too long.
//!
//! In a round each unit that is ready is polled once. Where a hundred of them compute for ten
//! milliseconds each that takes a second, and whatever waits for a timer would wait for as long. So
//! the scheduler lists what each look makes ready. What is still there some milliseconds later cuts
//! the round: everybody on the stack returns, and the run loop has just the units on the list
//! polled, each on a way of its own from the root. What they wake goes ahead as well. Then the
//! round goes on where it was: nobody loses their place, and in the long run each side has half of
//! the time.
//!
//! Nothing of this happens where rounds are short, or where no time is read.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr::{self, NonNull};

use crate::schedule::current::THREAD;
use crate::schedule::ids::UnitId;
use crate::schedule::units::roster::{HostWaker, Roster};
use crate::schedule::units::table;
use crate::schedule::units::unit::Unit;

/// For how many rounds the list may be of use: what became ready in one round has run when the next
/// is over.
const ROUNDS: u32 = 2;

/// The list, and the way to one of those on it.
#[derive(Default)]
pub(crate) struct Ahead {
    /// With the round in which each became ready: if that is another one, it was polled meanwhile.
    listed: RefCell<VecDeque<(UnitId, u32)>>,
    /// The earliest time at which the first of them can have been due.
    since: Cell<u64>,
    /// The round in which the latest was listed.
    tick: Cell<u32>,
    /// Until then it is the others' time.
    not_before: Cell<u64>,
    is_cutting: Cell<bool>,
    /// The way to the unit that goes ahead, from its end: the unit, its nursery's host, and so on.
    way: RefCell<Vec<UnitId>>,
    is_on_the_way: Cell<bool>,
}

/// Whether anything goes ahead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Found,
    None,
}

impl Ahead {
    // The list.

    /// Lists a unit that is ready since the round `tick`.
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

    /// Forgets what has been polled in the meantime.
    #[inline]
    pub(super) fn tidy(&self, tick: u32) {
        let mut listed = self.listed.borrow_mut();
        if !listed.is_empty() && tick.wrapping_sub(self.tick.get()) >= ROUNDS {
            listed.clear();
        }
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
            self.is_cutting.set(!listed.is_empty());
        }
    }

    /// Whether everybody is to return to the run loop.
    #[inline]
    pub(crate) fn is_cutting(&self) -> bool {
        self.is_cutting.get()
    }

    /// Whether the round was cut, now that everybody has returned.
    #[inline]
    pub(super) fn was_cut(&self) -> bool {
        self.is_cutting.replace(false)
    }

    /// Those that went ahead have had the time since `began`. The others have as much now.
    pub(super) fn end(&self, began: u64) {
        let now = THREAD.with(|thread| thread.turn.time());
        self.not_before.set(now.saturating_add(now.saturating_sub(began)));
        self.is_on_the_way.set(false);
        drop(self.way.take());
    }

    // The way.

    /// Finds the way to the next unit that goes ahead.
    pub(super) fn next(&self, root: &Roster) -> Way {
        loop {
            let next = self.listed.borrow_mut().pop_front();
            let Some((unit, tick)) = next else { return Way::None };
            if is_still_ready(unit, tick) && self.find_way(unit, root) == Way::Found {
                self.is_on_the_way.set(true);
                return Way::Found;
            }
        }
    }

    /// Finds the way from the root. There is none if something of another library is on it.
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

    /// Whether something goes ahead and is still to be polled.
    #[inline]
    pub(crate) fn is_on_the_way(&self) -> bool {
        self.is_on_the_way.get()
    }

    /// The unit of this roster that is on the way. If it is the one that goes ahead it is taken out
    /// of the queue.
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
            self.is_on_the_way.set(false);
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
