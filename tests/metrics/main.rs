//! L4: metrics, and instruments that are called at what happens.

#[path = "../support/mod.rs"]
mod support;

mod changes_nothing;
mod counted;
mod instruments;
mod other_threads;
mod present;
mod prometheus;

use seedbed::testing::VirtualClock;
use seedbed::{Builder, Result};

/// Runs on a virtual clock, and fails instead of hanging.
fn run<T>(main: impl Future<Output = Result<T>>) -> T {
    run_on(&VirtualClock::new(), main)
}

fn run_on<T>(clock: &VirtualClock, main: impl Future<Output = Result<T>>) -> T {
    builder(clock).run(main).unwrap()
}

fn builder(clock: &VirtualClock) -> Builder {
    Builder::new().clock(clock).detect_deadlock(true)
}
