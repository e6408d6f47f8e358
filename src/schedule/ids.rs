//! The numbers of runs and of their units.
//!
//! Each run has a number that is unique in the process. It consists of the run's slot, by which
//! other threads find its inbox, and its tenancy, which tells the runs in a slot apart.
//!
//! A unit's number is what its wakers hold in place of a pointer. From the highest bit down:
//!
//! | bits | what |
//! |---|---|
//! | 24 | the run: the lowest bits of its number, which are 8 of the tenancy and all of the slot |
//! | 28 | the index of the node in the run's table |
//! | 12 | the generation of the node, which tells the units in a node apart |
//!
//! In a unit's number tenancies and generations wrap, so an old waker may, if rarely, wake a
//! stranger. That is a spurious wake, which every future has to cope with. Whatever must not
//! mistake one run for another keeps the whole number.

use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(not(target_pointer_width = "64"))]
compile_error!("seedbed packs four numbers into a waker's data pointer and needs 64-bit pointers");

const SLOT_BITS: u32 = 16;
const RUN_BITS: u32 = 24;
const INDEX_BITS: u32 = 28;
const GENERATION_BITS: u32 = 12;

const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
const GENERATION_MASK: u16 = (1 << GENERATION_BITS) - 1;

/// The most runs that can go on at the same time in one process. The last slot is never given out,
/// so that no unit's number is [`UnitId::NONE`].
pub(crate) const MAX_RUNTIMES: usize = (1 << SLOT_BITS) - 1;

/// The number of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(Rust, packed(4))] // so that it takes no more room beside smaller numbers
pub(crate) struct RunId(u64);

impl RunId {
    /// The number of no run: its slot is never given out.
    pub(crate) const NONE: RunId = RunId(u64::MAX);

    /// The number of a run that begins in this slot.
    pub(super) fn begin(slot: u16) -> RunId {
        static TENANCIES: AtomicU64 = AtomicU64::new(1);
        RunId::new(slot, TENANCIES.fetch_add(1, Ordering::Relaxed))
    }

    const fn new(slot: u16, tenancy: u64) -> RunId {
        RunId(tenancy << SLOT_BITS | slot as u64)
    }

    pub(super) const fn from_bits(bits: u64) -> RunId {
        RunId(bits)
    }

    pub(super) const fn to_bits(self) -> u64 {
        self.0
    }

    pub(super) fn slot(self) -> u16 {
        self.0 as u16
    }

    /// The run's place in the sequence of all runs that the process has had.
    pub(crate) fn tenancy(self) -> u64 {
        self.0 >> SLOT_BITS
    }

    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self == RunId::NONE
    }

    /// A part of the number that differs from that of any other run except one in four billion.
    pub(crate) const fn tag(self) -> RunTag {
        RunTag((self.0 >> SLOT_BITS) as u32)
    }

    /// Whether a unit may belong to this run. While the run goes on this is certain, unless the
    /// unit's number is from an earlier run in the same slot, 256 tenancies ago.
    #[inline]
    pub(crate) fn may_have(self, unit: UnitId) -> bool {
        let shift = usize::BITS - RUN_BITS;
        unit.0 >> shift == (self.0 as usize) << shift >> shift
    }
}

/// A shortened run number, for places where very many are stored. It recurs after four billion
/// runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RunTag(u32);

impl RunTag {
    /// The tag of no run, with nearly the same certainty.
    pub(crate) const NONE: RunTag = RunId::NONE.tag();
}

/// The number of a unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) struct UnitId(pub(crate) usize);

impl UnitId {
    /// The number of no unit.
    pub(crate) const NONE: UnitId = UnitId(usize::MAX);
    /// How many indices there are.
    pub(super) const INDICES: u32 = 1 << INDEX_BITS;

    #[inline]
    pub(crate) fn new(run: RunId, index: u32, generation: u16) -> Self {
        UnitId(
            // The shift drops the part of the run's number for which there is no room.
            (run.0 as usize) << (INDEX_BITS + GENERATION_BITS)
                | (index as usize) << GENERATION_BITS
                | (generation & GENERATION_MASK) as usize,
        )
    }

    /// The slot of the unit's run.
    pub(crate) fn slot(self) -> u16 {
        (self.0 >> (INDEX_BITS + GENERATION_BITS)) as u16
    }

    /// The number without the run's.
    pub(crate) fn in_run(self) -> u64 {
        self.0 as u64 & ((1 << (INDEX_BITS + GENERATION_BITS)) - 1)
    }

    #[inline]
    pub(crate) fn index(self) -> u32 {
        (self.0 >> GENERATION_BITS) as u32 & INDEX_MASK
    }

    #[inline]
    pub(super) fn is_of_generation(self, generation: u16) -> bool {
        (self.0 as u16 ^ generation) & GENERATION_MASK == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_told_from_those_of_other_runs() {
        let run = RunId::new(7, 300);
        let unit = UnitId::new(run, 12, 5);
        assert_eq!((unit.slot(), unit.index()), (7, 12));
        assert!(run.may_have(unit));
        assert!(!RunId::new(8, 300).may_have(unit), "another slot");
        assert!(!RunId::new(7, 301).may_have(unit), "a later run in the same slot");
        assert!(RunId::new(7, 300 + 256).may_have(unit), "there is room for 8 bits only");
        assert!(!RunId::NONE.may_have(unit));
        assert_eq!((run.slot(), run.tenancy()), (7, 300));
    }
}
