//! The walk from an error along its causes.
//!
//! `source` is foreign code. It may go on forever, as in an error that is its own cause, and it may
//! panic.

use std::error::Error as StdError;
use std::io;
use std::ptr;

/// How many causes are looked at, at most.
const MOST: usize = 10_000;

/// Returns what caused an error. `io::Error::source` leaves out the error that it wraps and whose
/// text it uses as its own; here that error is the cause.
pub(in crate::error) fn cause<'a>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// Notices when a walk along the causes of an error does not end. (This is Brent's algorithm:
/// remember one error that was passed, each time twice as far along as before.)
pub(in crate::error) struct Walk<'a> {
    passed: Option<&'a (dyn StdError + 'static)>,
    steps: usize,
    keeps_at: usize,
}

impl<'a> Walk<'a> {
    pub(in crate::error) fn new() -> Self {
        Walk { passed: None, steps: 0, keeps_at: 0 }
    }

    /// Whether to look at this error: false if the walk is going round in a circle or has gone far
    /// enough.
    pub(in crate::error) fn comes_to(&mut self, error: &'a (dyn StdError + 'static)) -> bool {
        // The comparison includes the type, by its vtable, because the first field of another error
        // can have the same address. One type may have two vtables, so the walk may go round a
        // circle more than once.
        if self.steps == MOST || self.passed.is_some_and(|passed| ptr::eq(passed, error)) {
            return false;
        }
        if self.steps == self.keeps_at {
            self.passed = Some(error);
            self.keeps_at = 2 * self.steps + 1;
        }
        self.steps += 1;
        true
    }
}
