//! Events and channels: C2, C10 and D3, and what their own documentation promises.

mod channel;
mod end;
mod event;
mod loss;
mod random;

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use seedbed::testing::VirtualClock;
use seedbed::{Builder, Error, Result};

/// Runs on a virtual clock, and fails where it would hang.
fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    builder().run(main)
}

fn builder() -> Builder {
    Builder::new().clock(&VirtualClock::new()).detect_deadlock(true)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn is_cancelled<T>(outcome: &Result<T>) -> bool {
    outcome.as_ref().is_err_and(Error::is_cancelled)
}

/// SplitMix64.
struct Random(Cell<u64>);

impl Random {
    fn new(seed: u64) -> Random {
        Random(Cell::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)))
    }

    fn below(&self, n: usize) -> usize {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut bits = self.0.get();
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % n as u64) as usize
    }

    fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }
}
