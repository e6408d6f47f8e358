//! Waking: what is polled as one piece, the order in which the ready ones run, and the wakers
//! that point at them.
//!
//! | file | concept |
//! |---|---|
//! | `unit` | a piece of work with a waker of its own |
//! | `roster` | the units of one nursery, and those that are ready |
//! | `table` | the units of one run: from a waker's number to the unit it stands for |
//! | `chunk` | their memory |
//! | `waker` | `std::task::Waker` as a number |

pub(crate) mod chunk;
pub(crate) mod roster;
pub(crate) mod table;
pub(crate) mod unit;
pub(crate) mod waker;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

/// Wakes them all, also when one of them panics, which is passed on at the end.
pub(crate) fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    let mut panic = None;
    for waker in wakers {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            panic.get_or_insert(payload);
        }
    }
    if let Some(payload) = panic {
        resume_unwind(payload);
    }
}
