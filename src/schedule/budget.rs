//! What an operation does with the budget of the unit that is being polled.

use crate::schedule::current::{self, CONTEXT};

/// Counts an operation that finishes at once. True if the task has had its share and must let
/// others run before it goes on.
#[inline]
pub(crate) fn spend() -> bool {
    CONTEXT.with(|context| context.turn.spend())
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
    let budget =
        current::with_runtime(|runtime| runtime.map_or(u32::MAX, |runtime| runtime.budget));
    CONTEXT.with(|context| context.turn.with_budget(budget, f))
}
