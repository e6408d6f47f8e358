//! X1: what a program is told that forgets something.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::time::Duration;

use futures::FutureExt;
use seedbed::testing::VirtualClock;
use seedbed::tokio::{Companion, call};
use seedbed::{Builder, NotRunning, Stuck, cancel_scope, nursery, yield_now};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

use super::run;
use crate::support::{panics, recording, said};

#[test]
fn x01_a_call_without_a_companion_says_what_to_do() {
    let error = seedbed::run(call(async { io::Result::Ok(()) })).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("mistakes.rs") && text.contains("Builder::new().tokio("), "{text}");
    assert!(error.place().unwrap().file().ends_with("mistakes.rs"), "{error:?}");
}

/// Runs in this place, and says how often a warning tells where else to.
fn told(place: impl FnOnce(&Runtime, fn())) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let calls_run = || {
        let sum = run(async {
            // More than tokio's budget.
            let (sender, mut receiver) = mpsc::channel(1000);
            (0..1000).for_each(|i| sender.try_send(i).unwrap());
            drop(sender);
            let mut sum = 0;
            while let Some(i) = call(receiver.recv()).output().await? {
                sum += i;
            }
            Ok(sum)
        });
        assert_eq!(sum.unwrap(), 999 * 500);
    };
    let ((), records) = recording(|| place(&runtime, calls_run));
    for record in &records {
        assert!(record.field("run_at").contains("tests/tokio"), "{record:?}");
        assert!(record.message().contains("Builder::guest"), "it says what to do");
    }
    records.len()
}

#[test]
fn x01_a_run_that_holds_a_thread_of_tokios_is_told() {
    assert_eq!(told(|_, run| run()), 0);
    assert_eq!(told(|runtime, run| runtime.block_on(async { run() })), 1);
    assert_eq!(
        told(|runtime, run| runtime.block_on(LocalSet::new().run_until(async { run() }))),
        1
    );
    let in_a_task = |runtime: &Runtime, run: fn()| {
        LocalSet::new()
            .block_on(runtime, async { spawn_local(async move { run() }).await.unwrap() });
    };
    assert_eq!(told(in_a_task), 1);
    let entered = |runtime: &Runtime, run: fn()| {
        let _entered = runtime.enter();
        run();
    };
    assert_eq!(told(entered), 0);
    let on_a_thread_for_that = |runtime: &Runtime, run: fn()| {
        let recorded = runtime.spawn_blocking(move || recording(run).1);
        let records = runtime.block_on(recorded).unwrap();
        assert!(records.is_empty(), "{records:?}");
    };
    assert_eq!(told(on_a_thread_for_that), 0);
}

/// It is enough that one has been entered, in whichever way.
#[test]
fn x01_a_call_is_content_with_any_runtime() {
    let runtime = Runtime::new().unwrap();
    let _entered = runtime.enter();
    let answer = seedbed::run(async { call(tokio::spawn(async { 42 })).await });
    assert_eq!(answer.unwrap(), 42);
}

#[test]
fn x01_a_call_outside_of_a_run_says_so() {
    let refused = call(async { io::Result::Ok(()) }).now_or_never().unwrap();
    assert!(refused.unwrap_err().is::<NotRunning>());
}

/// tokio's own words for it, which the guide names.
#[test]
fn x01_tokio_panics_without_a_companion() {
    let text = panics(|| {
        seedbed::run(async { Ok(tokio::net::TcpListener::bind("127.0.0.1:0").await?) }).unwrap()
    });
    assert!(text.contains("there is no reactor running"), "{text}");
}

#[test]
fn x01_a_cancelled_future_without_call_is_stuck_and_says_what_to_do() {
    let builder = Builder::new().clock(&VirtualClock::new()).fail_when_stuck(true);
    let stuck = builder.tokio(Companion::new()).run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        cancel_scope(async |scope| {
            scope.cancel();
            listener.accept().await?;
            Ok(())
        })
        .await
    });
    let stuck = stuck.unwrap_err();
    assert!(stuck.is::<Stuck>());
    assert!(stuck.to_string().contains("seedbed::tokio::call"), "{stuck}");
}

/// Whoever polls another runtime's context has to leave it before others are polled: two tasks that
/// do not get in each other's way.
#[test]
fn x01_guards_that_are_held_across_awaits_panic() {
    let text = panics(|| {
        let runtimes = [Runtime::new().unwrap(), Runtime::new().unwrap()];
        seedbed::run(nursery(async |n| {
            for (runtime, turns) in runtimes.iter().zip([1, 3]) {
                n.spawn(async move {
                    let _entered = runtime.enter();
                    for _ in 0..turns {
                        yield_now().await?;
                    }
                    Ok(())
                });
            }
            Ok(())
        }))
    });
    assert!(text.contains("dropped out of order"), "{text}");
}

#[test]
fn x01_a_guard_that_is_leaked_is_told_and_the_value_comes_out() {
    let (value, records) = recording(|| {
        run(async {
            std::mem::forget(tokio::runtime::Handle::current().enter());
            Ok(42)
        })
    });
    assert_eq!(value.unwrap(), 42);
    assert_eq!(said(&records, "EnterGuard"), 1, "{records:?}");
}

#[test]
fn x01_a_function_on_a_thread_that_leaks_a_guard_gives_its_value() {
    let value = run(async {
        seedbed::to_thread(|| {
            std::mem::forget(tokio::runtime::Handle::current().enter());
            42
        })
        .await
    });
    assert_eq!(value.unwrap(), 42);
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn x01_a_call_that_is_polled_after_it_was_ready_panics() {
    let _ = run(async {
        let mut done = pin!(call(async { io::Result::Ok(()) }));
        done.as_mut().await?;
        done.await
    });
}

#[test]
fn x01_a_call_that_has_begun_cannot_be_changed() {
    let text = panics(|| {
        run(async {
            let mut waits = call(pending::<io::Result<()>>().boxed_local());
            assert!(futures::poll!(&mut waits).is_pending());
            seedbed::move_on_after(Duration::ZERO, waits.output()).await
        })
    });
    assert!(text.contains("had begun"), "{text}");
}
