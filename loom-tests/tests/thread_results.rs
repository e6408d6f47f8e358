//! A thread's result against a cancellation, and against being abandoned (R3).
//!
//! A function on another thread ends, and its outcome comes back, before, while or after its task
//! is cancelled, is dropped or abandons it, and while the run ends, refuses calls or has gone. The
//! outcome reaches the task or is dropped, once, on either thread. A function that was not
//! abandoned has ended when `run` returns. Its permit is free only when it has ended.
#![cfg(loom)]

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use loom::thread;
use loom_tests::Extent::{All, Preemptions};
use loom_tests::model;
use seedbed::{CapacityLimiter, cancel_scope, checkpoint, sleep, to_thread};

/// The clock of a model jumps, so this is over as soon as nothing can run.
const SOON: Duration = Duration::from_secs(1);

#[test]
fn r03_a_function_that_has_begun_is_waited_for_in_spite_of_a_cancellation() {
    model(All, || {
        let ended = Arc::new(AtomicUsize::new(0));
        let ending = ended.clone();
        let run = seedbed::run(cancel_scope(async |scope| {
            let mut job = pin!(to_thread(move || ending.fetch_add(1, SeqCst)));
            begin(job.as_mut()).await;
            scope.cancel();
            assert_eq!(job.await?, 0);
            assert_eq!(ended.load(SeqCst), 1);
            checkpoint().await
        }));
        assert_eq!(run.unwrap(), None);
    });
}

/// The cancellation comes from a third thread, at any moment.
#[test]
fn r03_a_result_against_a_cancellation_from_elsewhere() {
    let outcomes = model(Preemptions(3), || {
        let ran = Arc::new(AtomicUsize::new(0));
        let running = ran.clone();
        let run = seedbed::run(cancel_scope(async |scope| {
            let handle = scope.cancel_handle();
            thread::spawn(move || handle.cancel());
            sleep(SOON).await?;
            to_thread(move || running.fetch_add(1, SeqCst)).await
        }));
        // The value comes before the cancellation, or in spite of it if the function has begun. If
        // the cancellation came first, it has not begun.
        let begun = run.unwrap().is_some();
        assert_eq!(ran.load(SeqCst), usize::from(begun));
        begun
    });
    assert_eq!(outcomes, [false, true].into());
}

/// The run may have gone when the outcome comes.
#[test]
fn r03_a_result_against_its_abandonment() {
    let outcomes = model(Preemptions(3), || {
        // Loom finds it if this is left over.
        let value = Arc::new(7);
        let run = seedbed::run(cancel_scope(async |scope| {
            let handle = scope.cancel_handle();
            thread::spawn(move || handle.cancel());
            to_thread(move || value).abandon_on_cancel(true).await
        }));
        run.unwrap().map(|value| *value)
    });
    assert_eq!(outcomes, [None, Some(7)].into());
}

#[test]
fn r03_run_waits_for_a_function_whose_future_was_dropped() {
    model(All, || {
        let ended = Arc::new(AtomicUsize::new(0));
        let ending = ended.clone();
        let run = seedbed::run(async {
            begin(pin!(to_thread(move || ending.fetch_add(1, SeqCst)))).await;
            Ok(())
        });
        run.unwrap();
        assert_eq!(ended.load(SeqCst), 1);
    });
}

/// With one permit there is one function at a time, even if nobody waits for the first.
#[test]
fn r03_an_abandoned_function_keeps_its_permit() {
    model(All, || {
        let running = Arc::new(AtomicUsize::new(0));
        let work = |running: &Arc<AtomicUsize>| {
            let running = running.clone();
            move || {
                assert_eq!(running.fetch_add(1, SeqCst), 0);
                running.fetch_sub(1, SeqCst);
            }
        };
        let run = seedbed::run(async {
            let limiter = CapacityLimiter::new(1);
            {
                let first = to_thread(work(&running)).limiter(&limiter).abandon_on_cancel(true);
                begin(pin!(first)).await;
            }
            to_thread(work(&running)).limiter(&limiter).await
        });
        run.unwrap();
    });
}

/// Makes a thread begin it.
async fn begin(mut job: Pin<&mut impl Future>) {
    let pending = poll_fn(|cx| Poll::Ready(job.as_mut().poll(cx).is_pending())).await;
    assert!(pending);
}
