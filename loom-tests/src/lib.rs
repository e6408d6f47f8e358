//! What the models have in common. See `README.md`.
#![cfg(loom)]

use std::collections::BTreeSet;
use std::mem;
use std::sync::{Arc, Mutex as StdMutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use loom::sync::Mutex;

/// How many interleavings of a model are tried.
pub enum Extent {
    /// Every interleaving.
    All,
    /// Those in which threads are interrupted, where they could have gone on, at most so many
    /// times.
    Preemptions(usize),
}

/// Runs a model in all its interleavings, prints how many executions there were, and returns what
/// came of them. A test that expects several outcomes has thereby tried what leads to each.
pub fn model<T: Ord + Send + 'static>(
    extent: Extent,
    body: impl Fn() -> T + Send + Sync + 'static,
) -> BTreeSet<T> {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = match extent {
        Extent::All => None,
        Extent::Preemptions(most) => Some(most),
    };
    // This is `std`'s lock, because it outlives an execution.
    let seen = Arc::new(StdMutex::new((0, BTreeSet::new())));
    let seeing = seen.clone();
    let begun = Instant::now();
    builder.check(move || {
        let outcome = body();
        let mut seeing = seeing.lock().unwrap();
        seeing.0 += 1;
        seeing.1.insert(outcome);
    });
    let (executions, outcomes) = mem::take(&mut *seen.lock().unwrap());
    let name = std::thread::current().name().unwrap_or("a model").to_owned();
    println!("{name}: {executions} executions, {:.1} s", begun.elapsed().as_secs_f64());
    outcomes
}

/// A value that a thread gives and a task waits for, written as a user would write it.
pub struct Slot<T>(Mutex<(Option<T>, Option<Waker>)>);

impl<T> Slot<T> {
    pub fn new() -> Arc<Self> {
        Arc::new(Slot(Mutex::new((None, None))))
    }

    pub fn give(&self, value: T) {
        let waker = {
            let mut slot = self.0.lock().unwrap();
            slot.0 = Some(value);
            slot.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub fn poll_take(&self, cx: &Context<'_>) -> Poll<T> {
        let mut slot = self.0.lock().unwrap();
        match slot.0.take() {
            Some(value) => Poll::Ready(value),
            None => {
                slot.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    pub async fn take(&self) -> T {
        std::future::poll_fn(|cx| self.poll_take(cx)).await
    }
}
