//! Operations through traits of other libraries, whose `poll` functions have no state of their own:
//! nothing tells where one operation ends and the next begins.

use std::cell::Cell;
use std::task::{Context, Poll};

use crate::error::{Error, Result};
use crate::operation::checkpoint::pass;
use crate::schedule::budget::{self, Share};
use crate::schedule::current;
use crate::scope;

/// Whether the present operation in one direction has been counted against the budget.
#[derive(Default)]
pub(crate) struct Paid(Cell<bool>);

impl Paid {
    pub(crate) const fn new() -> Self {
        Paid(Cell::new(false))
    }

    /// Looks for cancellation, and counts the operation, once; then polls it.
    pub(crate) fn operate<T, E: From<Error>>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<Result<T, E>>,
    ) -> Poll<Result<T, E>> {
        if self.0.get() || !pass() {
            let is_new = !self.0.replace(true);
            if is_new && budget::spend() == Share::UsedUp && current::is_running() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Err(error) = scope::check() {
                self.0.set(false);
                return Poll::Ready(Err(error.into()));
            }
        }
        let polled = poll(cx);
        self.0.set(polled.is_pending()); // others run in the meantime
        polled
    }
}
