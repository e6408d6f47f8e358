//! A cancellation from another thread against a scope that is being left (C14).
//!
//! A handle is used before its scope is entered; while it is being entered; while what is in it
//! runs or sleeps; between the end of the body and the moment the scope is left; after that, when
//! the next scope has its place; and when the run has gone. What is in the scope is cancelled or
//! has ended, and nothing outside it is ever cancelled. A cancellation of something that would
//! never end is not lost.
#![cfg(loom)]

use std::time::Duration;

use loom::thread;
use loom_tests::Extent::All;
use loom_tests::model;
use seedbed::{CancelScope, Result, cancel_scope, checkpoint, finishing, sleep, sleep_forever};

#[test]
fn c14_a_cancel_from_a_thread_against_a_scope_being_left() {
    let outcomes = model(All, || {
        let run = seedbed::run(async {
            let first = cancel_scope(async |scope| {
                let handle = scope.cancel_handle();
                thread::spawn(move || handle.cancel());
                look_around().await
            })
            .await?;
            // It has the first one's place, and a handle, so it is found under the same key.
            let second = cancel_scope(async |scope| {
                let _handle = scope.cancel_handle();
                look_around().await
            });
            assert_eq!(second.await?, Some(()));
            look_around().await?;
            Ok(first)
        });
        run.unwrap()
    });
    assert_eq!(outcomes, [None, Some(())].into());
}

#[test]
fn c14_a_cancel_reaches_what_sleeps_in_the_scope() {
    model(All, || {
        let run = seedbed::run(async {
            let none: Option<()> = cancel_scope(async |scope| {
                let handle = scope.cancel_handle();
                thread::spawn(move || handle.cancel());
                sleep_forever().await
            })
            .await?;
            assert_eq!(none, None);
            checkpoint().await
        });
        run.unwrap();
    });
}

#[test]
fn c14_a_cancel_against_a_scope_being_entered() {
    model(All, || {
        let run = seedbed::run(async {
            let scope = CancelScope::new();
            let handle = scope.cancel_handle();
            thread::spawn(move || handle.cancel());
            let none: Option<()> = scope.enter(async |_| sleep_forever().await).await?;
            assert_eq!(none, None);
            checkpoint().await
        });
        run.unwrap();
    });
}

/// Both may come before the scope's thread has learned of the first one.
#[test]
fn c14_a_full_cancel_against_a_graceful_one() {
    model(All, || {
        let run = seedbed::run(async {
            let none: Option<()> = cancel_scope(async |scope| {
                let (graceful, full) = (scope.cancel_handle(), scope.cancel_handle());
                thread::spawn(move || graceful.cancel_gracefully(Duration::MAX));
                thread::spawn(move || full.cancel());
                finishing(sleep_forever()).await
            })
            .await?;
            assert_eq!(none, None);
            checkpoint().await
        });
        run.unwrap();
    });
}

/// The handle is used while its run ends, and while the next run has its place.
#[test]
fn c14_a_handle_outlives_its_run() {
    model(All, || {
        let first = seedbed::run(cancel_scope(async |scope| {
            let handle = scope.cancel_handle();
            Ok(thread::spawn(move || handle.cancel()))
        }));
        let second = seedbed::run(cancel_scope(async |scope| {
            let _handle = scope.cancel_handle();
            look_around().await
        }));
        assert_eq!(second.unwrap(), Some(()));
        if let Some(canceller) = first.unwrap() {
            canceller.join().unwrap();
        }
    });
}

/// Makes the run look at what other threads want, which it does when nothing can run. The clock of
/// a model jumps.
async fn look_around() -> Result<()> {
    sleep(Duration::from_secs(1)).await
}
