//! What an error is and what caused it, one after the other.
//!
//! `source` is foreign code: it may go on for ever, as that of an error that is its own cause does,
//! and it may panic.

use std::error::Error as StdError;
use std::io;
use std::ptr;

/// How many causes are looked at.
const MOST: usize = 10_000;

/// What caused an error. `io::Error::source` leaves out the error it wraps, whose words it uses as
/// its own; here that is what caused it.
pub(super) fn cause<'a>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// Notices that a walk along the causes of an error comes to no end. (Brent's algorithm: one of
/// those that were passed is kept, each time twice as far on.)
pub(super) struct Walk<'a> {
    passed: Option<&'a (dyn StdError + 'static)>,
    steps: usize,
    keeps_at: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new() -> Self {
        Walk { passed: None, steps: 0, keeps_at: 0 }
    }

    /// Whether this error is to be looked at: false if the walk goes round in a circle, or has gone
    /// far enough.
    pub(super) fn comes_to(&mut self, error: &'a (dyn StdError + 'static)) -> bool {
        // With the type, by way of its table of functions: what is the first field of another error
        // has the same address. One type may have two tables, so that a circle may be gone round
        // more often than once.
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
