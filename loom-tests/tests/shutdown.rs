//! A remote call against shutdown (R4, R2).
//!
//! A call may come while the run works, sleeps, ends its tasks, has refused further calls but not
//! made the last ones, or has gone. A function that was taken is called once, and in order; one
//! that was not taken comes back without having been called. Whoever waits for an answer gets one.
//! A token that outlives its run reaches no later run, and a waker that does so wakes a later run
//! at most once for nothing.
#![cfg(loom)]

use std::future::poll_fn;
use std::mem;
use std::task::Poll;
use std::time::Duration;

use loom::sync::{Arc, Mutex};
use loom::thread;
use loom_tests::Extent::{All, Preemptions};
use loom_tests::{Slot, model};
use seedbed::{Builder, Cancelled, Deadlock, Event, Token, sleep, sleep_forever};

/// What was called, in order.
type Calls = Arc<Mutex<Vec<u32>>>;

/// Leaves a call, and returns whether it was taken.
fn soon(token: Token, calls: &Calls, number: u32) -> bool {
    let called = calls.clone();
    let left = token.run_sync_soon(move || called.lock().unwrap().push(number));
    left.is_ok()
}

#[test]
fn r04_a_call_is_made_or_given_back_when_the_run_ends() {
    let outcomes = model(All, || {
        let calls = Calls::default();
        let thread = seedbed::run(async {
            let token = Token::current()?;
            let calls = calls.clone();
            Ok(thread::spawn(move || soon(token, &calls, 1)))
        });
        let taken = thread.unwrap().join().unwrap();
        assert_eq!(calls.lock().unwrap().len(), usize::from(taken));
        taken
    });
    assert_eq!(outcomes, [false, true].into());
}

#[test]
fn r04_calls_are_made_in_order_while_the_run_ends() {
    let outcomes = model(All, || {
        let calls = Calls::default();
        let thread = seedbed::run(async {
            let token = Token::current()?;
            let calls = calls.clone();
            Ok(thread::spawn(move || [1, 2].map(|number| soon(token, &calls, number))))
        });
        let taken = thread.unwrap().join().unwrap();
        (taken, mem::take(&mut *calls.lock().unwrap()))
    });
    let in_order = [([false, false], vec![]), ([true, false], vec![1]), ([true, true], vec![1, 2])];
    assert_eq!(outcomes, in_order.into());
}

/// A call ends the main future; the second thread's call comes at any moment around that.
#[test]
fn r04_two_threads_call_a_run_that_sleeps_and_ends() {
    let outcomes = model(Preemptions(3), || {
        let calls = Calls::default();
        let done = Slot::new();
        let ender = done.clone();
        let run = seedbed::run(async {
            let token = Token::current()?;
            let ender = thread::spawn(move || token.run_sync_soon(move || ender.give(())));
            let calls = calls.clone();
            let caller = thread::spawn(move || soon(token, &calls, 1));
            done.take().await;
            Ok((ender, caller))
        });
        let (ender, caller) = run.unwrap();
        ender.join().unwrap().unwrap();
        let taken = caller.join().unwrap();
        assert_eq!(calls.lock().unwrap().len(), usize::from(taken));
        taken
    });
    assert_eq!(outcomes, [false, true].into());
}

#[test]
fn r04_who_waits_for_a_function_gets_its_value_or_the_function() {
    let outcomes = model(All, || {
        let thread = seedbed::run(async {
            let token = Token::current()?;
            Ok(thread::spawn(move || match token.run_sync(|| "called") {
                Ok(called) => called,
                Err(not_run) => {
                    assert_eq!(not_run.into_inner()(), "called");
                    "given back"
                }
            }))
        });
        thread.unwrap().join().unwrap()
    });
    assert_eq!(outcomes, ["called", "given back"].into());
}

#[test]
fn r04_who_waits_for_a_task_gets_its_outcome_or_the_closure() {
    let outcomes = model(All, || {
        let thread = seedbed::run(async {
            let token = Token::current()?;
            let thread = thread::spawn(move || {
                match token.run(async || {
                    sleep_forever().await?;
                    Ok(())
                }) {
                    // It had begun, and was cancelled with the run.
                    Ok(outcome) => {
                        assert!(outcome.unwrap_err().is::<Cancelled>());
                        "cancelled"
                    }
                    Err(not_run) => {
                        let _closure = not_run.into_inner();
                        "given back"
                    }
                }
            });
            sleep(Duration::from_secs(1)).await?; // makes it look at what has come
            Ok(thread)
        });
        thread.unwrap().join().unwrap()
    });
    assert_eq!(outcomes, ["cancelled", "given back"].into());
}

/// A run that breaks down makes no more calls. Whatever waits for one must learn of that.
#[test]
fn r04_a_run_that_breaks_down_answers() {
    let outcomes = model(All, || {
        let mut thread = None;
        let run = Builder::new().detect_deadlock(true).run(async {
            let token = Token::current()?;
            thread =
                Some(thread::spawn(move || token.run_sync(|| "called").unwrap_or("given back")));
            Event::new().wait().await
        });
        assert!(run.unwrap_err().is::<Deadlock>());
        thread.unwrap().join().unwrap()
    });
    assert_eq!(outcomes, ["called", "given back"].into());
}

/// The second run has the first one's slot.
#[test]
fn r04_a_token_of_a_run_that_has_ended_reaches_no_later_run() {
    model(All, || {
        let old = seedbed::run(async { Token::current() }).unwrap();
        let calls = Calls::default();
        let thread = {
            let calls = calls.clone();
            thread::spawn(move || soon(old, &calls, 1))
        };
        seedbed::run(async { Ok(()) }).unwrap();
        assert!(!thread.join().unwrap());
        assert_eq!(calls.lock().unwrap().len(), 0);
    });
}

#[test]
fn r02_a_waker_of_a_run_that_has_ended_does_not_disturb_a_later_one() {
    model(Preemptions(3), || {
        let slot = Slot::new();
        let giver = slot.clone();
        let run = || {
            seedbed::run(async {
                let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
                Ok(thread::spawn(move || waker.wake()))
            })
        };
        let late = run().unwrap();
        let giver = thread::spawn(move || giver.give(1));
        let got = seedbed::run(async { Ok(slot.take().await) });
        assert_eq!(got.unwrap(), 1);
        late.join().unwrap();
        giver.join().unwrap();
    });
}

/// The run that begins may get the slot of the one that ends, and must not be closed with it.
#[test]
fn r02_a_run_begins_while_another_ends() {
    model(All, || {
        let slot = Slot::new();
        let giver = slot.clone();
        let ending = thread::spawn(|| seedbed::run(async { Ok(()) }).unwrap());
        let giver = thread::spawn(move || giver.give(1));
        let got = seedbed::run(async { Ok(slot.take().await) });
        assert_eq!(got.unwrap(), 1);
        ending.join().unwrap();
        giver.join().unwrap();
    });
}
