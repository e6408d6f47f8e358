//! Runs that the executor of another library polls: X3.

#[path = "../support/mod.rs"]
mod support;

mod apart;
mod descriptors;
mod dropped;
mod elsewhere;
mod fairness;
mod refused;
mod running;
mod smol;
mod tokio_program;

use std::future::{Future, poll_fn};
use std::pin::pin;

use seedbed::{Builder, Result};

/// Runs a tokio program on one thread.
fn on_tokio<T>(program: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, program)
}

/// Runs this as a guest of tokio.
fn guest<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    on_tokio(Builder::new().guest(main))
}

/// Calls `between` after each poll of the future that leaves it pending.
async fn polled<T>(future: impl Future<Output = T>, mut between: impl FnMut()) -> T {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            between();
        }
        polled
    })
    .await
}
