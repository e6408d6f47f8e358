//! The budget of a unit: how much it may do in one poll before it lets others run, and how
//! operations use it. It is counted down in [`turn`](crate::schedule::turn).

use crate::schedule::current::THREAD;
use crate::schedule::rounds::SCHEDULER;
pub(crate) use crate::schedule::turn::Share;

/// How many operations a unit may finish at once in one poll, unless the program says otherwise.
/// There are enough of them to make the cost of letting others run negligible.
pub(crate) const DEFAULT_BUDGET: u32 = 128;

/// How many milliseconds a poll may last before the next operation lets others run.
pub(super) const POLL_TIME: u64 = 1;

/// How many operations that are not checkpoints a unit may finish in one poll, if these have a
/// count of their own.
pub(super) const ASIDE: u32 = DEFAULT_BUDGET;

/// Counts an operation that finishes at once.
#[inline]
pub(crate) fn spend() -> Share {
    THREAD.with(|thread| thread.turn.spend(interrupts))
}

/// Whether a task that could go on has to let others run first, in runs where somebody decides
/// that. If no other is ready, it makes no difference, and nobody is asked.
fn interrupts() -> bool {
    THREAD.with(|thread| thread.rounds.ready_queues.get() > 0)
        && SCHEDULER.with(|scheduler| scheduler.is_some_and(|all| all.order.interrupts()))
}

/// Counts an operation of a function that is not asynchronous. If it uses up the budget, the next
/// asynchronous operation lets others run.
#[inline]
pub(crate) fn count() {
    THREAD.with(|thread| thread.turn.pass_aside());
}

/// Runs something that must not let others run in between, because nobody would poll it again.
#[inline(always)]
pub(crate) fn uninterrupted<R>(f: impl FnOnce() -> R) -> R {
    THREAD.with(|thread| thread.turn.uninterrupted(f))
}

/// Like [`uninterrupted`], for something that may do as much as one budget allows and no more.
pub(crate) fn with_whole_budget<R>(f: impl FnOnce() -> R) -> R {
    let budget = SCHEDULER.with(|scheduler| scheduler.map_or(u32::MAX, |all| all.budget));
    THREAD.with(|thread| thread.turn.with_budget(budget, f))
}
