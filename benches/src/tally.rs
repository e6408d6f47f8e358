//! A count of what a benchmark has done, so that no subject does less than it claims.
//!
//! For one thread, and one piece of work at a time.

use std::cell::Cell;
#[cfg(feature = "peers")]
use std::time::Duration;

#[cfg(feature = "peers")]
use crate::clock;

thread_local! {
    static DONE: Cell<usize> = const { Cell::new(0) };
}

/// Counts one more piece of work.
#[inline]
pub fn count() {
    DONE.set(DONE.get() + 1);
}

/// Checks that this many pieces were done since the last call.
#[track_caller]
pub fn expect(done: usize) {
    assert_eq!(DONE.replace(0), done, "it did not do all of the work, or more");
}

/// How long some work takes, which has to do this many pieces.
#[cfg(feature = "peers")]
pub async fn checked(done: usize, work: impl Future<Output = ()>) -> Duration {
    let elapsed = clock::timed(work).await;
    expect(done);
    elapsed
}

/// How many pieces were done since the last check.
#[inline]
pub fn so_far() -> usize {
    DONE.get()
}
