//! What makes no sense in a guest, and says so.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;

use seedbed::testing::{Explore, VirtualClock};
use seedbed::tokio::Companion;
use seedbed::{AlreadyRunning, Builder, Guest, Result, checkpoint, nursery, sleep_forever};

use crate::support::{recording, said};
use crate::{guest, on_tokio};

#[test]
fn x03_a_virtual_clock_deadlocks_and_a_companion_are_refused() {
    let clock = VirtualClock::new();
    for (builder, what) in [
        (Builder::new().clock(&clock), "Builder::clock"),
        (Builder::new().detect_deadlock(true), "Builder::detect_deadlock"),
        (Builder::new().tokio(Companion::new()), "Builder::tokio"),
    ] {
        let error = on_tokio(builder.guest(async { Ok(()) })).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(what) && error.contains("refused.rs"), "{error}");
    }
}

#[test]
fn x03_a_run_inside_a_guest_is_an_error() {
    let error = guest(async { seedbed::run(async { Ok(()) }) }).unwrap_err();
    assert!(error.is::<AlreadyRunning>(), "{error}");
    let explores = guest(async { Ok(Explore::new().run(async || Ok(())).is_err()) });
    assert!(explores.unwrap());
    let on_cores = guest(async { seedbed::run_on_cores(2, async |_| Ok(())) });
    assert!(on_cores.unwrap_err().is::<AlreadyRunning>());
}

#[test]
fn x03_a_guest_inside_a_run_or_a_guest_is_an_error() {
    let inner = || Builder::new().guest(async { Ok(()) });
    let error = seedbed::run(async { inner().await }).unwrap_err();
    assert!(error.is::<AlreadyRunning>(), "{error}");
    assert!(error.to_string().contains("await its future there"), "{error}");
    let error = guest(nursery(async |n| n.spawn(async { inner().await }).await)).unwrap_err();
    assert!(error.to_string().contains("was polled inside"), "{error}");
    let error = guest(async { futures::executor::block_on(inner()) }).unwrap_err();
    assert!(error.is::<AlreadyRunning>(), "{error}");
}

#[test]
fn x03_a_guest_that_moves_into_another_one_goes_no_further() {
    type Moving = Rc<RefCell<Option<Pin<Box<Guest<'static, ()>>>>>>;
    let (outcome, warnings) = recording(|| {
        on_tokio(async {
            let moving: Moving = Rc::default();
            let mut first = Box::pin(Builder::new().guest(nursery(async |n| {
                n.spawn(sleep_forever());
                checkpoint().await?;
                sleep_forever().await
            })));
            poll_fn(|cx| {
                assert!(first.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            moving.replace(Some(first));
            let outcome: Result<()> = Builder::new()
                .guest(async {
                    let first = moving.take().unwrap();
                    let error = first.await.unwrap_err(); // and is dropped
                    assert!(error.is::<AlreadyRunning>(), "{error}");
                    checkpoint().await
                })
                .await;
            outcome
        })
    });
    outcome.unwrap();
    assert_eq!(said(&warnings, "2 tasks"), 1, "{warnings:?}");
}

#[test]
fn x03_without_a_tokio_runtime_it_says_what_to_do() {
    let error = futures::executor::block_on(Builder::new().guest(async { Ok(()) })).unwrap_err();
    assert!(error.to_string().contains("no tokio runtime"), "{error}");
}
