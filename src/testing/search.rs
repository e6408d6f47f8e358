//! The schedules of a program, in the order in which they are tried.
//!
//! First comes the schedule that takes the first way everywhere. Once a schedule has run, all its
//! decisions are known. The schedules that deviate from it once more, at a later decision than it
//! has so far, are then added to the end of the list. So each schedule is listed once, and those
//! with fewer deviations come before those with more: the first that fails is among the simplest
//! that do.

use super::decisions::Met;
use super::schedule::{Deviation, Schedule};

/// The schedules found so far, in the order in which they are tried. A schedule is its parent's
/// with one more deviation, so each has a fixed size.
pub(super) struct Search {
    found: Vec<Found>,
    most: usize,
    /// The first schedule whose successors did not all fit in the list.
    cut_at: Option<usize>,
}

struct Found {
    /// The schedule that this one extends; the first of all, which has no deviation, names itself.
    parent: u32,
    deviation: Deviation,
    /// A digest of all the decisions up to the deviation.
    digest: u64,
}

impl Search {
    /// A search that finds up to `most` schedules, but at least one.
    pub(super) fn new(most: usize) -> Search {
        let first = Found { parent: 0, deviation: Deviation { position: 0, choice: 0 }, digest: 0 };
        Search { found: vec![first], most: most.min(u32::MAX as usize), cut_at: None }
    }

    /// The schedule with this number, if there is one.
    pub(super) fn schedule(&self, index: usize) -> Option<Schedule> {
        let mut found = self.found.get(index)?;
        let mut deviations = Vec::new();
        while found.deviation.choice > 0 {
            deviations.push(found.deviation);
            found = &self.found[found.parent as usize];
        }
        deviations.reverse();
        Some(Schedule { deviations })
    }

    /// Whether this schedule, as far as it follows another, met the same decisions as that one did.
    pub(super) fn agrees(&self, index: usize, met: &[Met]) -> bool {
        let found = &self.found[index];
        let position = found.deviation.position as usize;
        found.deviation.choice == 0
            || digests(met).nth(position).is_some_and(|digest| digest == found.digest)
    }

    /// Adds the schedules that follow from one that met these decisions.
    pub(super) fn expand(&mut self, index: usize, met: &[Met]) {
        let Found { deviation: last, .. } = self.found[index];
        let begin = if last.choice == 0 { 0 } else { last.position as usize + 1 };
        for ((position, met), digest) in met.iter().enumerate().zip(digests(met)).skip(begin) {
            for choice in 1..met.ways {
                if self.found.len() >= self.most {
                    self.cut_at.get_or_insert(index);
                    return;
                }
                let deviation = Deviation { position: position as u32, choice };
                self.found.push(Found { parent: index as u32, deviation, digest });
            }
        }
    }

    /// The number of deviations up to which the list has all schedules; `None` if there are no
    /// others.
    pub(super) fn cut_after(&self) -> Option<usize> {
        self.schedule(self.cut_at?).map(|schedule| schedule.deviations.len())
    }
}

/// For each decision, a digest of all those before it and itself.
fn digests(met: &[Met]) -> impl Iterator<Item = u64> {
    met.iter().scan(0u64, |digest, met| {
        *digest = (digest.rotate_left(5) ^ u64::from(met.ways)).wrapping_mul(0x517c_c1b7_2722_0a95);
        Some(*digest)
    })
}
