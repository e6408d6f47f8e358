//! Blocking work on other threads: row R3 of what the crate promises.
//!
//! Threads and tests wait for each other through channels; nothing sleeps to let something happen.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};

use futures::channel::oneshot;
use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CapacityLimiter, Deadlock, Error, Event, NotRunning, Result, Token, cancel_scope,
    cancellable, checkpoint, current_default_thread_limiter, fail_after, generator, move_on_after,
    nursery, sleep, to_thread, yield_now,
};
use support::{catching, poll_once, recording, run, run_on, said, secs, shielded};

mod support;

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

#[test]
fn r03_the_value_comes_back_from_another_thread() {
    run(async {
        let here = thread::current().id();
        let (there, sum) = to_thread(move || (thread::current().id(), 1 + 1)).await?;
        assert_ne!(there, here);
        assert_eq!(sum, 2);
        // What is sent and what comes back need not be copied.
        let text = String::from("moved");
        assert_eq!(to_thread(move || text + " twice").await?, "moved twice");
        // An error of the function is a value.
        let error = to_thread(|| "x".parse::<u8>()).await?.unwrap_err();
        assert_eq!(error.to_string(), "invalid digit found in string");
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_others_run_meanwhile() {
    run(async {
        let (mut gate, stand) = gate();
        let rounds = Cell::new(0);
        nursery(async |n| {
            let work = n.spawn(to_thread(stand));
            n.spawn(async {
                gate.begun().await?;
                for _ in 0..1000 {
                    rounds.set(rounds.get() + 1);
                    yield_now().await?;
                }
                gate.open();
                Ok(())
            });
            work.await?;
            assert_eq!(rounds.get(), 1000);
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn r03_a_panic_resumes_in_the_caller_with_its_own_payload() {
    struct Payload(u32);
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            to_thread(|| resume_unwind(Box::new(Payload(7)))).await?;
            Ok(())
        })
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref::<Payload>().unwrap().0, 7);

    // The permit is given back, and the thread is none the worse.
    run(async {
        let text = catching(to_thread(|| panic!("a panic for a test"))).await.unwrap_err();
        assert_eq!(text, "a panic for a test");
        assert_eq!(current_default_thread_limiter()?.borrowed(), 0);
        assert_eq!(to_thread(|| 3).await?, 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_in_a_cancelled_scope_nothing_starts() {
    run(async {
        let begun = Arc::new(AtomicUsize::new(0));
        let error = cancel_scope(async |scope| {
            scope.cancel();
            let begun = begun.clone();
            let error = to_thread(move || begun.fetch_add(1, Ordering::SeqCst)).await.unwrap_err();
            Ok(error)
        })
        .await?
        .unwrap();
        assert!(error.is_cancelled());
        // The function is dropped, not started.
        assert_eq!(Arc::strong_count(&begun), 1);
        assert_eq!(begun.load(Ordering::SeqCst), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_outside_of_run_it_is_an_error() {
    let mut future = pin!(to_thread(|| 1));
    let error = futures::executor::block_on(&mut future).unwrap_err();
    assert!(error.is::<NotRunning>());
    assert!(current_default_thread_limiter().unwrap_err().is::<NotRunning>());
}

#[test]
fn r03_cancellation_does_not_abandon_the_work() {
    run(async {
        let (mut gate, stand) = gate();
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                let work = n.spawn(async {
                    let value = to_thread(move || {
                        stand();
                        "done"
                    })
                    .await?;
                    // It has happened; the cancellation is raised by what comes next.
                    assert!(checkpoint().await.unwrap_err().is_cancelled());
                    Ok(value)
                });
                gate.begun().await?;
                scope.cancel();
                assert!(yield_now().await.unwrap_err().is_cancelled());
                assert!(!work.is_finished());
                shielded(yield_now()).await?;
                assert!(!work.is_finished());
                gate.open();
                shielded(work).await
            })
            .await
        })
        .await?;
        assert_eq!(outcome, Some("done"));
        Ok(())
    })
    .unwrap();
}
