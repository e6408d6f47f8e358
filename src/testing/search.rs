//! The schedules of a program, in the order in which they are tried.
//!
//! First comes the one that takes the first way everywhere. Having run, a schedule is known with
//! all its decisions, and those that depart from it once more, later than it has yet, come after
//! all that are waiting. So each schedule comes once, and one with fewer deviations before one
//! with more: the first that fails is among the simplest that do.

use super::decisions::Met;
use super::schedule::{Deviation, Schedule};

/// The schedules found so far. A schedule is its parent's with one more deviation, so each is of
/// a fixed size, and in the order of the list they are tried.
pub(super) struct Search {
    found: Vec<Found>,
    most: usize,
    /// The first schedule of which not all that follow from it have found room.
    cut_at: Option<usize>,
}

struct Found {
    /// What its deviation comes after; itself for the first of all, which has none.
    parent: u32,
    deviation: Deviation,
    /// A digest of all decisions up to the deviation.
    digest: u64,
}

impl Search {
    /// A search that finds up to `most` schedules, and one at least.
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

    /// Whether the decisions that a schedule came by are, as far as it follows another, those
    /// which that one came by.
    pub(super) fn agrees(&self, index: usize, met: &[Met]) -> bool {
        let found = &self.found[index];
        let position = found.deviation.position as usize;
        found.deviation.choice == 0
            || digests(met).nth(position).is_some_and(|digest| digest == found.digest)
    }

    /// Finds the schedules that follow from one that came by these decisions.
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

    /// `None` if there are no more schedules than were found, else up to how many deviations
    /// there are not.
    pub(super) fn cut_after(&self) -> Option<usize> {
        self.schedule(self.cut_at?).map(|schedule| schedule.deviations.len())
    }
}

/// Digests of the decisions up to each of them.
fn digests(met: &[Met]) -> impl Iterator<Item = u64> {
    met.iter().scan(0u64, |digest, met| {
        *digest = (digest.rotate_left(5) ^ u64::from(met.ways)).wrapping_mul(0x517c_c1b7_2722_0a95);
        Some(*digest)
    })
}
