//! Telling a program that calls `run` where tokio polls it: in a task, or in `block_on`. Until the
//! run has ended it holds the thread, and whatever else tokio has for it waits.
//!
//! On a thread of `spawn_blocking`, where that is no harm, tokio has a context as well, and even a
//! number for the task. What tells the two apart is that what is polled has a budget.

use std::panic::Location;
use std::task::{Context, Poll, Waker};

use ::tokio::runtime::Handle;
use ::tokio::task::coop::poll_proceed;

use crate::error::panic::report;

/// As many operations as no budget of tokio's has.
const MORE_THAN_A_BUDGET: u32 = 256;

/// To be called when `run` is called at `place`.
pub(super) fn tell_if_polled(place: &'static Location<'static>) {
    let mut cx = Context::from_waker(Waker::noop());
    if Handle::try_current().is_ok() && has_budget(&mut cx, MORE_THAN_A_BUDGET) {
        report!(
            warn,
            run_at = %place,
            "`seedbed::run` was called in a task of tokio's, or in its `block_on`, whose thread it \
             holds until it has ended; make it a guest there (`Builder::guest`), or call it on a \
             thread of `spawn_blocking`"
        );
    }
}

/// Whether no more than so many operations could be done now. None is: each is given back.
fn has_budget(cx: &mut Context<'_>, operations: u32) -> bool {
    match poll_proceed(cx) {
        Poll::Pending => true,
        // In this order each gives back what it took.
        Poll::Ready(_given_back) => operations > 0 && has_budget(cx, operations - 1),
    }
}
