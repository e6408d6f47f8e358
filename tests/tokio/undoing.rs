//! X1: what undoes a call that was cancelled.

use std::cell::Cell;
use std::future::{pending, ready};
use std::io;
use std::pin::pin;
use std::time::Duration;

use seedbed::testing::VirtualClock;
use seedbed::tokio::{Companion, call};
use seedbed::{Builder, Error, cancel_scope, checkpoint, now, nursery, sleep, yield_now};

use super::run;
use crate::support::{Log, recording, said};

type Never = io::Result<()>;

#[test]
fn x01_a_cancelled_call_is_undone() {
    let log = Log::new();
    run(async {
        let undone = cancel_scope(async |scope| {
            nursery(async |n| {
                n.spawn(async {
                    let dropped = log.on_drop("dropped");
                    let waits = call(async move {
                        let _dropped = dropped;
                        pending::<Never>().await
                    });
                    let outcome = waits
                        .on_cancel(async || {
                            checkpoint().await?; // shielded
                            log.add("undone");
                            Ok(())
                        })
                        .await;
                    log.add(format!("cancelled: {}", outcome.unwrap_err().is_cancelled()));
                    checkpoint().await
                });
                yield_now().await?;
                scope.cancel();
                Ok(())
            })
            .await
        });
        assert_eq!(undone.await?, None);
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["dropped", "undone", "cancelled: true"]);
}

#[test]
fn x01_what_has_not_begun_or_has_ended_is_not_undone() {
    let (outcome, records) = recording(|| {
        run(async {
            let never = async || panic!("there is nothing to undo");
            assert_eq!(call(ready(io::Result::Ok(1))).on_cancel(never).await?, 1);
            let failed = call(ready(Err::<(), _>(Error::msg("out of paper")))).on_cancel(never);
            assert_eq!(failed.await.unwrap_err().to_string(), "out of paper");
            let cancelled = cancel_scope(async |scope| {
                scope.cancel();
                call(pending::<Never>()).on_cancel(never).await
            });
            assert_eq!(cancelled.await?, None);
            drop(call(pending::<Never>()).on_cancel(never));
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
}

/// Cancels a call, and undoes it by this. Returns how much time that took.
fn undoing(
    limit: Option<Duration>,
    undo: impl AsyncFnOnce() -> seedbed::Result<()>,
) -> (Duration, Vec<crate::support::Record>) {
    let clock = VirtualClock::new();
    let builder = Builder::new().clock(&clock).tokio(Companion::new());
    let (took, records) = recording(|| {
        builder.run(async {
            let scope = seedbed::CancelScope::new();
            let waits = scope.enter(async |_| match limit {
                None => call(pending::<Never>()).on_cancel(undo).await,
                Some(limit) => call(pending::<Never>()).on_cancel_within(limit, undo).await,
            });
            let mut waits = pin!(waits);
            assert!(futures::poll!(waits.as_mut()).is_pending());
            let began = now();
            scope.cancel();
            assert_eq!(waits.await?, None);
            Ok(now() - began)
        })
    });
    (took.unwrap(), records)
}

#[test]
fn x01_undoing_has_a_limit() {
    let (took, records) = undoing(None, async || seedbed::sleep_forever().await);
    assert_eq!(took, Duration::from_secs(5));
    assert_eq!(said(&records, "not done in time"), 1, "{records:?}");
    assert!(records[0].field("call").contains("undoing.rs"));

    let limit = Duration::from_secs(60);
    let (took, records) = undoing(Some(limit), async || sleep(limit / 2).await);
    assert_eq!(took, limit / 2);
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn x01_undoing_that_fails_is_told_and_the_call_is_cancelled() {
    let (_, records) = undoing(None, async || Err(Error::msg("the server has gone")));
    assert_eq!(said(&records, "has failed"), 1, "{records:?}");
    assert_eq!(records[0].field("error"), "the server has gone");
}

#[test]
fn x01_undoing_may_call_too() {
    let told = Cell::new(0);
    let (_, records) = undoing(None, async || {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        tokio::spawn(async { sender.send(42) });
        told.set(call(receiver).await?);
        Ok(())
    });
    assert_eq!(told.get(), 42);
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn x01_a_call_that_is_dropped_says_that_it_was_not_undone() {
    let (outcome, records) = recording(|| {
        run(async {
            let never = async || panic!("it cannot run");
            let mut waits = Box::pin(call(pending::<Never>()).on_cancel(never));
            assert!(futures::poll!(&mut waits).is_pending());
            drop(waits);
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(said(&records, "was dropped before it had ended"), 1, "{records:?}");
    assert!(records[0].field("call").contains("undoing.rs"));
}
