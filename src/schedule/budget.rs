//! What an operation does with the budget of the unit that is being polled.

use crate::schedule::current::CONTEXT;
use crate::schedule::rounds::SCHEDULER;

/// Counts an operation that finishes at once. True if the task has had its share and must let
/// others run before it goes on.
#[inline]
pub(crate) fn spend() -> bool {
    CONTEXT.with(|context| context.turn.spend(interrupts))
}

/// Whether a task that could go on is to let others run first, where that is decided. Where no other
/// is ready it makes no difference, and nothing is decided.
fn interrupts() -> bool {
    CONTEXT.with(|context| context.rounds.ready_queues.get() > 0)
        && SCHEDULER.with(|scheduler| scheduler.is_some_and(|all| all.order.interrupts()))
}

/// Counts what a function that is not asynchronous does without waiting: the next operation that
/// is asynchronous lets others run, if that is due.
#[inline]
pub(crate) fn count() {
    CONTEXT.with(|context| context.turn.pass_aside());
}

/// Runs what must not let others run in between, because nobody would poll it again.
#[inline]
pub(crate) fn uninterrupted<R>(f: impl FnOnce() -> R) -> R {
    CONTEXT.with(|context| context.turn.with_budget(u32::MAX, f))
}

/// The same, for what may do as much as one budget allows and no more.
pub(crate) fn with_whole_budget<R>(f: impl FnOnce() -> R) -> R {
    let budget = SCHEDULER.with(|scheduler| scheduler.map_or(u32::MAX, |all| all.budget));
    CONTEXT.with(|context| context.turn.with_budget(budget, f))
}
