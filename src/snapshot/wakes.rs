//! What will wake each unit, as far as it can be found out from whatever has the numbers of units:
//! timers, sources of news, and children whose values are awaited.
//!
//! # Invariants
//!
//! 1. The units that are looked at are alive: the table knows them, and no foreign code runs while
//!    a dump is taken.

use std::ptr::NonNull;

use crate::nursery::child::Child;
use crate::platform::clock::Nanos;
use crate::schedule::current;
use crate::schedule::ids::UnitId;
use crate::schedule::units::parked::{Parked, What};
use crate::schedule::units::table;
use crate::schedule::units::unit::{Flag, NO_INDEX, Unit};
use crate::scope::timers::TIMERS;
use crate::world::seen::Seen;

/// Something that will wake a unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Wakes {
    /// A timer, at this time.
    Timer(Nanos),
    /// News of the source with this index, for an operation.
    Source(u32, What),
    /// The end of the child with this number.
    Child(u64),
}

const TASK: What = What::of("Task");

/// The index of nothing.
const NONE: u32 = u32::MAX;

/// What will wake each unit.
#[derive(Default)]
pub(super) struct WakesOfUnits {
    /// By the index of a unit, the first thing that wakes it.
    first: Vec<u32>,
    /// Each with the next one that wakes the same unit.
    all: Vec<(Wakes, u32)>,
}

impl WakesOfUnits {
    pub(super) fn add_sources(&mut self, sources: &[Seen]) {
        for (at, source) in (0..).zip(sources) {
            for waits in &source.waits {
                if let Some(unit) = waits.unit {
                    self.add(unit, Wakes::Source(at, waits.what));
                }
            }
        }
    }

    /// `None` if the timers cannot be looked at.
    pub(super) fn add_timers(&mut self) -> Option<()> {
        TIMERS.with(|here| {
            let Some(here) = here else { return Some(()) };
            let timers = here.timers.try_borrow().ok()?;
            for (unit, deadline) in timers.of_units() {
                self.add(unit, Wakes::Timer(deadline));
            }
            Some(())
        })
    }

    /// Adds the children whose values are awaited.
    pub(super) fn add_children(&mut self) {
        let is_joined = |unit: &Unit| unit.has(Flag::FUTURE) && unit.joiner.get() != NO_INDEX;
        for pointer in table::find(is_joined) {
            // SAFETY (all): invariant 1. Only a child has a future.
            let child = unsafe { &*pointer };
            let Some(joiner) = table::node(child.joiner.get()) else { continue };
            let Some(node) = NonNull::new(pointer.cast_mut()) else { continue };
            let (joiner, spawned) = unsafe { (&*joiner, Child::spawned(node.cast())) };
            // A unit that has given up waiting for a child is still its joiner. So it has to be
            // said to wait for one that was spawned there.
            let is_attached = !joiner.roster().is_null();
            let parked = if is_attached { joiner.parked() } else { Parked::NOTHING };
            let awaits = parked.kind().is_some_and(|kind| kind == TASK);
            if awaits && parked.place() == Some(spawned.place()) {
                let run = current::current_run();
                self.add_at(joiner.index(), Wakes::Child(child.id(run).in_run()));
            }
        }
    }

    fn add(&mut self, unit: UnitId, wakes: Wakes) {
        if table::lookup(unit).is_some() {
            self.add_at(unit.index(), wakes);
        }
    }

    fn add_at(&mut self, index: u32, wakes: Wakes) {
        let at = index as usize;
        if self.first.len() <= at {
            self.first.resize(at + 1, NONE);
        }
        let next = std::mem::replace(&mut self.first[at], self.all.len() as u32);
        self.all.push((wakes, next));
    }

    /// What will wake this unit, in no order.
    pub(super) fn of(&self, unit: &Unit) -> impl Iterator<Item = Wakes> {
        let mut next = self.first.get(unit.index() as usize).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let (wakes, after) = *self.all.get(next as usize)?;
            next = after;
            Some(wakes)
        })
    }
}
