//! Libraries that need tokio's runtime: X1 and X2. (The libraries themselves are in
//! `companion-tests/`; what needs a `fork` or a signal is in `fork.rs` and `signal/`.)
//!
//! Threads and tests wait for each other through channels; nothing sleeps to let something happen.

#[path = "../support/mod.rs"]
mod support;

mod calls;
mod clocks;
mod contexts;
mod endings;
mod mistakes;
mod undoing;

use std::future::Future;
use std::time::Duration;

use seedbed::tokio::Companion;
use seedbed::{Builder, Result};

/// Runs beside a companion.
fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new().tokio(Companion::new()).run(main)
}

/// A limit that passes while a test waits.
const SHORT: Duration = Duration::from_millis(5);
