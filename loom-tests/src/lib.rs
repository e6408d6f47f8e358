//! What the models have in common. See `README.md`.
#![cfg(loom)]

use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use loom::sync::{Arc, Mutex};

/// How much of a model is gone through.
pub enum Extent {
    /// Every interleaving.
    All,
    /// Those in which threads are interrupted, where they could have gone on, so many times at
    /// the most.
    Preemptions(usize),
}

/// Goes through a model, and prints how many executions that were.
pub fn model(extent: Extent, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = match extent {
        Extent::All => None,
        Extent::Preemptions(most) => Some(most),
    };
    let executions = StdArc::new(AtomicUsize::new(0));
    let counted = executions.clone();
    let begun = Instant::now();
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        body();
    });
    let name = std::thread::current().name().unwrap_or("a model").to_owned();
    let executions = executions.load(Ordering::Relaxed);
    println!("{name}: {executions} executions, {:.1} s", begun.elapsed().as_secs_f64());
}

/// A value that one thread gives and a task waits for, as a user would write it.
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
