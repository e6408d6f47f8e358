//! Making a failing schedule simpler.

use super::schedule::{Deviation, Schedule};

/// How many attempts are made at most.
const ATTEMPTS: usize = 2000;

/// Leaves out deviations, and takes earlier ways at others, for as long as the schedule fails.
/// `attempt` runs a schedule and, if it fails in the same way, returns the schedule that it led to.
pub(super) fn shorten(
    schedule: Schedule,
    mut attempt: impl FnMut(Schedule) -> Option<Schedule>,
) -> Schedule {
    let mut best = schedule.deviations;
    let mut left = ATTEMPTS;
    let mut attempt = |candidate: Vec<Deviation>| {
        left = left.checked_sub(1)?;
        attempt(Schedule { deviations: candidate }).map(|schedule| schedule.deviations)
    };
    loop {
        let before = best.clone();
        leave_out(&mut best, &mut attempt);
        lower(&mut best, &mut attempt);
        if best == before {
            return Schedule { deviations: best };
        }
    }
}

type Attempt<'a> = dyn FnMut(Vec<Deviation>) -> Option<Vec<Deviation>> + 'a;

/// Leaves out deviations: all of them, then halves, quarters, and so on down to single ones.
fn leave_out(best: &mut Vec<Deviation>, attempt: &mut Attempt<'_>) {
    let mut length = best.len();
    while length > 0 {
        let mut at = 0;
        while at < best.len() {
            let mut candidate = best.clone();
            candidate.drain(at..best.len().min(at + length));
            match attempt(candidate) {
                Some(shorter) => *best = shorter,
                None => at += length,
            }
        }
        length /= 2;
    }
}

/// At each decision, takes the earliest way that still makes the schedule fail.
fn lower(best: &mut Vec<Deviation>, attempt: &mut Attempt<'_>) {
    let mut at = 0;
    while at < best.len() {
        for choice in 1..best[at].choice {
            let mut candidate = best.clone();
            candidate[at].choice = choice;
            if let Some(lower) = attempt(candidate) {
                *best = lower;
                break;
            }
        }
        at += 1;
    }
}
