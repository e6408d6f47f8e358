//! HTTP through hyper: S2 to S7.
#![cfg(unix)]

mod connections;
mod handlers;
mod limits;

use std::time::Duration;

use seedbed::testing::VirtualClock;
use seedbed::{Builder, Result};

const SECOND: Duration = Duration::from_secs(1);
/// A request of HTTP/1.
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: me\r\n\r\n";

/// Runs to the end, and says how much time of the clock that took.
fn run_virtually(main: impl AsyncFnOnce() -> Result<()>) -> Duration {
    let clock = VirtualClock::new();
    Builder::new().clock(&clock).detect_deadlock(true).run(main()).unwrap();
    clock.elapsed()
}
