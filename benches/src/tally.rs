//! What a benchmark has done, counted, so that no subject does less than it says.
//!
//! On one thread, for one piece of work at a time.

use std::cell::Cell;

thread_local! {
    static DONE: Cell<usize> = const { Cell::new(0) };
}

/// One more piece of work has been done.
#[inline]
pub fn count() {
    DONE.set(DONE.get() + 1);
}

/// Checks that it was this many since the last call.
#[track_caller]
pub fn expect(done: usize) {
    assert_eq!(DONE.replace(0), done, "it did not do all of the work, or more");
}

/// How much that is, since the last check.
#[inline]
pub fn so_far() -> usize {
    DONE.get()
}
