//! A wake against going to sleep (R2).
//!
//! The run looks whether something has come, says that it is about to sleep, and sleeps. Another
//! thread's wake may come before the task has left its waker; between that and the look; between
//! the look and the announcement; between the announcement and the sleep; during the sleep; and
//! while the run wakes up, when the next wake must find it either awake or asleep, and nothing in
//! between. The look itself takes no lock, and may see an old value. A lost wake is a deadlock of
//! the model.
#![cfg(loom)]

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use loom::sync::atomic::AtomicBool;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;
use loom_tests::Extent::{All, Preemptions};
use loom_tests::{Slot, model};
use seedbed::{Token, nursery};

#[test]
fn r02_a_wake_reaches_a_run_that_goes_to_sleep() {
    model(All, || {
        let slot = Slot::new();
        let giver = slot.clone();
        thread::spawn(move || giver.give(1));
        let got = seedbed::run(async { Ok(slot.take().await) });
        assert_eq!(got.unwrap(), 1);
    });
}

/// The second wake may come while the run sleeps, wakes up, or falls asleep again.
#[test]
fn r02_a_wake_reaches_a_run_that_wakes_up() {
    model(All, || {
        let (first, second) = (Slot::new(), Slot::new());
        let givers = (first.clone(), second.clone());
        thread::spawn(move || {
            givers.0.give(1);
            givers.1.give(2);
        });
        let got = seedbed::run(async { Ok([first.take().await, second.take().await]) });
        assert_eq!(got.unwrap(), [1, 2]);
    });
}

/// Calls go beside the lock under which the run falls asleep. One that is left before that must be
/// found, and one that is left later must interrupt the sleep.
#[test]
fn r04_a_call_reaches_a_run_that_goes_to_sleep() {
    model(All, || {
        let slot = Slot::new();
        let got = seedbed::run(async {
            let (token, giver) = (Token::current()?, slot.clone());
            thread::spawn(move || token.run_sync_soon(move || giver.give(1)));
            Ok(slot.take().await)
        });
        assert_eq!(got.unwrap(), 1);
    });
}

/// The second thread's call may come while the first is inside, and either may interrupt the sleep.
#[test]
fn r04_two_calls_reach_a_run_that_goes_to_sleep() {
    model(Preemptions(3), || {
        let slots = [Slot::new(), Slot::new()];
        let got = seedbed::run(async {
            let token = Token::current()?;
            for giver in slots.clone() {
                thread::spawn(move || token.run_sync_soon(move || giver.give(1)));
            }
            Ok(slots[0].take().await + slots[1].take().await)
        });
        assert_eq!(got.unwrap(), 2);
    });
}

/// Only one of them interrupts the sleep, and neither is lost.
#[test]
fn r02_two_threads_wake_two_tasks() {
    model(Preemptions(3), || {
        let slots = [Slot::new(), Slot::new()];
        for slot in slots.clone() {
            thread::spawn(move || slot.give(1));
        }
        let run = seedbed::run(nursery(async |n| {
            let [one, two] = &slots;
            n.spawn(async {
                one.take().await;
                Ok(())
            });
            n.spawn(async {
                two.take().await;
                Ok(())
            });
            Ok(())
        }));
        run.unwrap();
    });
}

/// A sleep that ends with nothing to do begins again.
#[test]
fn r02_a_run_sleeps_again_after_a_wake_for_nothing() {
    model(Preemptions(3), || {
        let slot = Slot::new();
        let giver = slot.clone();
        let run = seedbed::run(async {
            let waker = std::future::poll_fn(|cx| std::task::Poll::Ready(cx.waker().clone())).await;
            thread::spawn(move || waker.wake());
            thread::spawn(move || giver.give(1));
            Ok(slot.take().await)
        });
        assert_eq!(run.unwrap(), 1);
    });
}

/// One of them may find that the task has been woken already. What it did before that is still
/// seen.
#[test]
fn r02_two_threads_wake_one_task() {
    model(Preemptions(3), || {
        let done = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let mut begun = false;
        let run = seedbed::run(async {
            poll_fn(|cx| {
                if !std::mem::replace(&mut begun, true) {
                    for which in 0..2 {
                        let (done, waker) = (done.clone(), cx.waker().clone());
                        thread::spawn(move || {
                            done[which].store(true, Relaxed);
                            waker.wake();
                        });
                    }
                }
                let all = done.iter().all(|done| done.load(Relaxed));
                if all { Poll::Ready(Ok(())) } else { Poll::Pending }
            })
            .await
        });
        run.unwrap();
    });
}
