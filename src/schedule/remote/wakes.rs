//! The units that other threads have woken, each once, so that a thread that wakes without pause
//! does not make the list grow.
//!
//! # Invariants
//!
//! 1. There is at most one entry in `units` for each index of a unit's number, however many units
//!    had that index one after the other.
//! 2. A mark counts only if its `round` is the present one. Then its `position` is that of the
//!    entry for its index.

use std::mem;

use crate::schedule::ids::UnitId;

/// A unit that was woken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Woken {
    pub(crate) id: UnitId,
    pub(crate) generation: Generation,
}

/// Which of the units that had the same index, one after the other, was woken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Generation {
    /// The one with exactly this number.
    Own,
    /// Several of them, so whichever is there now, if any.
    Any,
}

/// The units that were woken.
pub(super) struct Wakes {
    units: Vec<Woken>,
    /// By the index of a unit's number.
    marks: Vec<Mark>,
    round: u32,
}

#[derive(Clone, Copy)]
struct Mark {
    round: u32,
    position: u32,
}

impl Wakes {
    pub(super) const fn new() -> Self {
        Wakes { units: Vec::new(), marks: Vec::new(), round: 1 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    pub(super) fn add(&mut self, id: UnitId) {
        let index = id.index() as usize;
        if index >= self.marks.len() {
            self.marks.resize(index + 1, Mark { round: 0, position: 0 });
        }
        let mark = &mut self.marks[index];
        if mark.round == self.round {
            let there = &mut self.units[mark.position as usize];
            if there.id != id {
                there.generation = Generation::Any;
            }
        } else {
            *mark = Mark { round: self.round, position: self.units.len() as u32 };
            self.units.push(Woken { id, generation: Generation::Own });
        }
    }

    /// Exchanges the units in it for `empty`.
    pub(super) fn swap(&mut self, empty: &mut Vec<Woken>) {
        mem::swap(&mut self.units, empty);
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.marks.clear();
            self.round = 1;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Generation::{Any, Own};
    use super::*;
    use crate::schedule::ids::RunId;

    const RUN: RunId = RunId::NONE;

    fn woken(wakes: &mut Wakes) -> Vec<(UnitId, Generation)> {
        let mut units = Vec::new();
        wakes.swap(&mut units);
        units.iter().map(|unit| (unit.id, unit.generation)).collect()
    }

    #[test]
    fn r02_a_unit_is_in_the_queue_once() {
        let (one, other) = (UnitId::new(RUN, 1, 5), UnitId::new(RUN, 7, 0));
        let mut wakes = Wakes::new();
        for _ in 0..1000 {
            wakes.add(one);
            wakes.add(other);
        }
        assert_eq!(woken(&mut wakes), [(one, Own), (other, Own)]);
        assert_eq!(woken(&mut wakes), []);
        wakes.add(other);
        assert_eq!(woken(&mut wakes), [(other, Own)], "in a later round again");
    }

    /// With old and new wakers of the same place, the unit that is there now must be woken.
    #[test]
    fn r02_units_with_the_same_place_are_in_the_queue_once_for_all() {
        let (old, new) = (UnitId::new(RUN, 1, 5), UnitId::new(RUN, 1, 6));
        for (first, second) in [(old, new), (new, old)] {
            let mut wakes = Wakes::new();
            for _ in 0..1000 {
                wakes.add(first);
                wakes.add(second);
            }
            assert_eq!(woken(&mut wakes), [(first, Any)]);
        }
    }

    #[test]
    fn r02_the_rounds_may_run_over() {
        let id = UnitId::new(RUN, 1, 5);
        let mut wakes = Wakes::new();
        wakes.round = u32::MAX;
        wakes.add(id);
        assert_eq!(woken(&mut wakes), [(id, Own)]);
        wakes.add(id);
        assert_eq!(woken(&mut wakes), [(id, Own)]);
    }
}
