//! Blocking work on other threads: R3 and R8; channels from threads and to them: D4. (What needs
//! a `fork` is in `tests/fork.rs`.)
//!
//! Threads and tests wait for each other through channels; nothing sleeps to let something happen.

#[path = "../support/mod.rs"]
mod support;

mod cancellation;
mod channel;
mod end_of_run;
mod hanging;
mod limits;
mod pool;
mod results;
mod virtual_clock;

use std::future::Future;
use std::sync::mpsc;

use futures::channel::oneshot;
use seedbed::testing::VirtualClock;
use seedbed::{Builder, Error, Result, cancellable};

/// A job that says when it has begun, and goes on when it is told to, or when nobody can tell it
/// any more.
struct Gate {
    begun: oneshot::Receiver<()>,
    go_on: mpsc::Sender<()>,
}

/// The gate, and what the job calls to stand at it.
fn gate() -> (Gate, impl FnOnce() + Send + 'static) {
    let (begin, begun) = oneshot::channel();
    let (go_on, told) = mpsc::channel();
    let stand = move || {
        let _ = begin.send(());
        let _ = told.recv();
    };
    (Gate { begun, go_on }, stand)
}

impl Gate {
    async fn begun(&mut self) -> Result<()> {
        cancellable(&mut self.begun).await?.map_err(Error::from)
    }

    fn open(self) {
        self.go_on.send(()).unwrap();
    }
}

/// Runs on a virtual clock, and fails where it would hang, or where something is stuck.
fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    run_on(&VirtualClock::new(), main)
}

fn run_on<T>(clock: &VirtualClock, main: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new().clock(clock).detect_deadlock(true).fail_when_stuck(true).run(main)
}
