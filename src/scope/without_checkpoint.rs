//! Tasks that were cancelled but never reach a checkpoint.
//!
//! Driving a generator and entering a scope are not checkpoints: they do not look for cancellation.
//! They let others run when the budget is spent, so a loop that does nothing else starves nobody,
//! but it would never learn that it was cancelled. So when a task lets others run in such a place
//! for the [`PATIENCE`]th time, always in a cancelled scope, that operation fails with
//! [`Cancelled`](crate::Cancelled). A loop that ends before that, as clean-up does, is not
//! interrupted.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::error::Result;
use crate::platform::part::part;
use crate::schedule::current::THREAD;
use crate::schedule::ids::UnitId;
use crate::schedule::units::table;
use crate::scope;

/// How often a cancelled task lets others run before it fails. With the default budget this is
/// 131,072 items of a generator, a few milliseconds.
const PATIENCE: u32 = 1024;

/// If time is read, how many milliseconds pass before a slow task fails, and how often it must have
/// let others run by then.
const PATIENCE_TIME: u64 = 50;
const SLOW_TIMES: u32 = 4;

/// A loop that never waits is polled in nearly every round. A task that has not been seen for this
/// many rounds has waited for something, and its count starts again.
const ROUNDS: u32 = 64;

/// The counted tasks, by their units.
#[derive(Default)]
pub(crate) struct WithoutCheckpoint(RefCell<HashMap<UnitId, Count>>);

part! {
    /// The counted tasks of the present run.
    pub(crate) const WITHOUT_CHECKPOINT: WithoutCheckpoint;
}

struct Count {
    times: u32,
    /// When the task was first counted.
    since: u64,
    /// The round in which the task was last counted.
    round: u32,
}

impl WithoutCheckpoint {
    /// Forgets all of them. The run has nothing to do, so every task waits for something.
    pub(crate) fn clear(&self) {
        // This frees the memory too, because it is seldom needed.
        drop(self.0.take());
    }

    /// Counts that the task has let others run in a cancelled scope. True if it has to fail.
    fn count(&self, unit: UnitId) -> bool {
        let mut counts = self.0.borrow_mut();
        if counts.len() == counts.capacity() {
            counts.retain(|&unit, _| table::lookup(unit).is_some());
        }
        THREAD.with(|thread| {
            let (since, round) = (thread.turn.time(), thread.rounds.tick.get());
            let count = counts.entry(unit).or_insert(Count { times: 0, since, round });
            if round.wrapping_sub(count.round) > ROUNDS {
                (count.times, count.since) = (0, since);
            }
            count.times += 1;
            count.round = round;
            let is_slow =
                count.times >= SLOW_TIMES && thread.turn.is_past(count.since, PATIENCE_TIME);
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

/// Called when the task has let others run at a place that is not a checkpoint.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled), if it has done so too often since it was cancelled.
#[cold]
pub(crate) fn look() -> Result<()> {
    let unit = THREAD.with(|thread| thread.unit.get());
    let told = WITHOUT_CHECKPOINT.with(|counted| {
        let Some(counted) = counted else { return false };
        if !scope::is_cancelled() {
            counted.forget(unit);
            return false;
        }
        counted.count(unit)
    });
    if told { scope::check() } else { Ok(()) }
}
