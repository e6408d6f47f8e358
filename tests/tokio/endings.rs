//! X1: what libraries leave behind ends with the run, or is told by number.

use std::future::pending;
use std::sync::mpsc;
use std::time::Duration;

use seedbed::tokio::Companion;
use seedbed::{Builder, Error, Result, cancel_scope, sleep_forever};

use crate::support::{Record, panics, recording, said};

const LONG: Duration = Duration::from_secs(3600);

/// Runs beside a companion with this grace, and returns what was reported.
fn warnings<T>(grace: Duration, main: impl Future<Output = Result<T>>) -> (Result<T>, Vec<Record>) {
    recording(|| Builder::new().tokio(Companion::new().grace(grace)).run(main))
}

/// A task that says when it is dropped, by closing this channel.
fn orphan() -> mpsc::Receiver<()> {
    let (alive, dropped) = mpsc::channel();
    tokio::spawn(async move {
        let _alive = alive;
        pending::<()>().await;
    });
    dropped
}

/// Returns when it has been dropped.
fn wait_for(dropped: &mpsc::Receiver<()>) {
    dropped.recv().unwrap_err();
}

#[track_caller]
fn tells_of(records: &[Record], tasks: &str) {
    let [record] = records else { panic!("{records:?}") };
    assert_eq!(record.field("tasks"), tasks);
    assert!(record.field("opened_at").contains("endings.rs"), "{record:?}");
    assert!(record.message().contains("Companion::grace"), "it says what to do");
}

#[test]
fn x01_tasks_that_are_left_behind_have_a_grace() {
    // The task ends when the run has, or rather when what the run drops has gone.
    let (outcome, records) = warnings(LONG, async {
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(receiver);
        let _until_the_end = sender;
        Ok(())
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn x01_tasks_without_an_end_are_cut_off_and_told_by_number() {
    let (outcome, records) = warnings(Duration::ZERO, async { Ok([orphan(), orphan(), orphan()]) });
    outcome.unwrap().iter().for_each(wait_for);
    tells_of(&records, "3");
}

#[test]
fn x01_the_same_after_a_failure() {
    let (outcome, records) = warnings(Duration::ZERO, async {
        orphan();
        Err::<(), _>(Error::msg("out of paper"))
    });
    assert_eq!(outcome.unwrap_err().to_string(), "out of paper");
    tells_of(&records, "1");
}

#[test]
fn x01_the_same_after_a_cancellation() {
    let (outcome, records) = warnings(Duration::ZERO, async {
        cancel_scope(async |scope| {
            orphan();
            scope.cancel();
            sleep_forever().await
        })
        .await
        .map(drop)
    });
    outcome.unwrap();
    tells_of(&records, "1");
}

#[test]
fn x01_the_same_after_a_panic() {
    let (mut dropped, mut text) = (None, String::new());
    let (_, records) = recording(|| {
        let builder = Builder::new().tokio(Companion::new().grace(Duration::ZERO));
        text = panics(|| {
            builder.run::<()>(async {
                dropped = Some(orphan());
                panic!("out of paper")
            })
        });
    });
    assert_eq!(text, "out of paper");
    wait_for(&dropped.unwrap());
    tells_of(&records, "1");
}

#[test]
fn x01_the_same_on_several_cores() {
    let builder = Builder::new().tokio(Companion::new().grace(Duration::ZERO));
    let (outcome, records) = recording(|| {
        builder.run_on_cores(2, async |_| {
            orphan();
            Ok(())
        })
    });
    outcome.unwrap();
    tells_of(&records, "2");
}

#[test]
fn x01_a_function_that_blocks_is_told_and_goes_on() {
    let (go_on, told) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let (outcome, records) = warnings(Duration::ZERO, async move {
        tokio::task::spawn_blocking(move || {
            begin.send(()).unwrap();
            let _ = told.recv();
        });
        begun.recv()?;
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(said(&records, "spawn_blocking"), 1, "{records:?}");
    go_on.send(()).unwrap();
}

#[test]
fn x01_a_function_that_blocks_has_the_grace_too() {
    let (go_on, told) = mpsc::channel::<()>();
    let (outcome, records) = warnings(LONG, async move {
        tokio::task::spawn_blocking(move || told.recv());
        let _until_the_end = go_on;
        Ok(())
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
}
