//! Tasks that have been cancelled and do not come to a checkpoint.
//!
//! What is no checkpoint does not look for cancellation: an item of a generator, entering a scope. It
//! lets others run when the budget is spent, so a loop of nothing else starves nobody, but it would
//! never learn that it was cancelled. So a task that has let others run in such places for
//! [`PATIENCE`] times, always in a cancelled scope, is told at the next one. A loop that comes to its
//! end before that, as clean-up does, is not interrupted.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::platform::part::part;
use crate::schedule::current::CONTEXT;
use crate::schedule::memory::table::{self, UnitId};
use crate::{Result, scope};

/// How often a cancelled task lets others run before it is told. With the default budget these are
/// 131,072 items of a generator, some milliseconds.
const PATIENCE: u32 = 1024;

/// As well, in milliseconds, where time is looked at and what runs is slow, and how often it has to
/// have let others run by then.
const PATIENCE_TIME: u64 = 50;
const SLOW_TIMES: u32 = 4;

/// A loop that never waits is polled in nearly every round. After so many rounds without it the task
/// has waited for something, and is counted anew.
const ROUNDS: u32 = 64;

/// Each task that is counted, by its unit.
#[derive(Default)]
pub(crate) struct Unheeded(RefCell<HashMap<UnitId, Count>>);

part! {
    /// Those of the present run.
    pub(crate) const UNHEEDED: Unheeded;
}

struct Count {
    times: u32,
    /// When it was counted first.
    since: u64,
    /// The round in which it was counted last.
    round: u32,
}

impl Unheeded {
    /// The run has nothing to do: who was counted waits for something.
    pub(crate) fn clear(&self) {
        // The memory as well: it is seldom needed.
        drop(self.0.take());
    }

    /// The task has let others run in a cancelled scope. True if it is to be told.
    fn count(&self, unit: UnitId) -> bool {
        let mut counts = self.0.borrow_mut();
        if counts.len() == counts.capacity() {
            counts.retain(|&unit, _| table::lookup(unit).is_some());
        }
        CONTEXT.with(|context| {
            let (since, round) = (context.turn.time(), context.tick.get());
            let count = counts.entry(unit).or_insert(Count { times: 0, since, round });
            if round.wrapping_sub(count.round) > ROUNDS {
                (count.times, count.since) = (0, since);
            }
            count.times += 1;
            count.round = round;
            let is_slow =
                count.times >= SLOW_TIMES && context.turn.is_past(count.since, PATIENCE_TIME);
            let told = count.times >= PATIENCE || is_slow;
            if told {
                counts.remove(&unit);
            }
            told
        })
    }

    fn forget(&self, unit: UnitId) {
        let mut counts = self.0.borrow_mut();
        if !counts.is_empty() {
            counts.remove(&unit);
        }
    }
}

/// To be called when the task has let others run where it is at no checkpoint.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled), if it has done so for too long since it was cancelled.
#[cold]
pub(crate) fn look() -> Result<()> {
    let unit = CONTEXT.with(|context| context.unit.get());
    let told = UNHEEDED.with(|unheeded| {
        let Some(unheeded) = unheeded else { return false };
        if !scope::is_cancelled() {
            unheeded.forget(unit);
            return false;
        }
        unheeded.count(unit)
    });
    if told { scope::check() } else { Ok(()) }
}
