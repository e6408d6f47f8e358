//! What is reported as stuck says what a dump says of it.

use std::fmt::Debug;
use std::future::{Future, pending};
use std::pin::pin;

use futures::future::{Either, select};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Event, Result, Stuck, cancel_scope, channel, nursery, sleep,
    sleep_forever, yield_now,
};

use crate::support::{Record, poll_once, recording, run_on, secs};

/// Runs on a virtual clock, and returns the only report about something stuck.
#[track_caller]
fn stuck<T>(main: impl Future<Output = Result<T>>) -> Record {
    let (_, records) = recording(|| run_on(&VirtualClock::new(), main));
    let is_stuck = |record: &&Record| record.message().starts_with("stuck:");
    let reports: Vec<_> = records.iter().filter(is_stuck).collect();
    let [report] = &reports[..] else { panic!("{reports:?}") };
    (*report).clone()
}

/// The error of a run in which it is one to be stuck.
fn failure<T: Debug>(main: impl Future<Output = Result<T>>) -> Stuck {
    let builder = Builder::new().clock(&VirtualClock::new()).fail_when_stuck(true);
    builder.run(main).unwrap_err().find::<Stuck>().expect("it is stuck").clone()
}

/// The lines of its dump, without their indentation.
fn lines(report: &Record) -> Vec<String> {
    report.field("dump").lines().map(|line| line.trim().to_owned()).collect()
}

async fn parked_by_select() -> Result<()> {
    let work = pin!(nursery(async |n| {
        n.named("parked").spawn(sleep(secs(1)));
        n.spawn(async { Event::new().wait().await });
        Ok(())
    }));
    let Either::Right(_) = select(work, yield_now()).await else {
        panic!("the nursery has ended");
    };
    sleep(secs(5)).await
}

#[test]
fn l01_a_parked_nursery_with_its_tasks_and_nothing_else() {
    let report = stuck(nursery(async |n| {
        n.spawn(secs_later());
        parked_by_select().await
    }));
    let lines = lines(&report);
    assert_eq!(lines[0], "", "it begins below the line of the report");
    assert!(lines[1].starts_with("nursery opened at tests/stuck/dumps.rs:"), "{lines:?}");
    assert!(lines[2].starts_with("task \"parked\" spawned at "), "{lines:?}");
    assert!(lines[2].contains(": ready"), "{lines:?}");
    assert!(lines[3].contains("in `Event::wait` at "), "{lines:?}");
    assert_eq!(lines.len(), 4, "{lines:?}");
}

async fn secs_later() -> Result<()> {
    sleep(secs(9)).await
}

#[test]
fn l01_a_cancelled_scope_that_stays_open() {
    let report = stuck(async {
        cancel_scope(async |scope| {
            scope.cancel();
            pending::<()>().await;
            Ok(())
        })
        .await
    });
    let lines = lines(&report);
    assert!(lines[1].starts_with("scope opened at tests/stuck/dumps.rs:"), "{lines:?}");
    assert!(lines[1].contains("cancelled"), "{lines:?}");
}

#[test]
fn l01_clean_up_that_hangs_says_what_it_waits_for() {
    let stuck = failure(cancel_scope(async |outer| {
        outer.cancel();
        let shield = CancelScope::new().with_shield();
        shield
            .enter(async |_| {
                nursery(async |n| {
                    n.named("goodbye").spawn(async { Event::new().wait().await });
                    Ok(())
                })
                .await
            })
            .await
    }));
    let dump = stuck.dump();
    let goodbye = dump.lines().find(|line| line.contains("task \"goodbye\"")).unwrap();
    assert!(goodbye.contains("in `Event::wait` at tests/stuck/dumps.rs:"), "{dump}");
    assert!(dump.contains("shielded"), "{dump}");
}

#[test]
fn l01_an_operation_that_withholds_something() {
    let (_, records) = recording(|| {
        run_on(&VirtualClock::new(), async {
            let (sender, receiver) = channel::<u32>(1);
            let mut withholds = pin!(receiver.recv());
            assert!(poll_once(&mut withholds).await.is_none());
            sender.send(1).await?;
            for _ in 0..4 {
                sleep(secs(1)).await?;
                yield_now().await?;
            }
            Ok(())
        })
    });
    let about: Vec<_> =
        records.iter().filter(|record| record.message().contains("given a message")).collect();
    // Its task waits for something else by now, so a dump shows nothing of it.
    assert!(about.iter().all(|record| !record.fields.contains_key("dump")), "{about:?}");
}

#[test]
fn l01_as_an_error_the_whole_run() {
    let stuck = failure(nursery(async |n| {
        n.named("bystander").spawn(sleep_forever());
        parked_by_select().await
    }));
    let dump = stuck.dump();
    assert!(dump.starts_with("the run at tests/stuck/dumps.rs:"), "{dump}");
    assert!(dump.contains("task \"parked\"") && dump.contains("task \"bystander\""), "{dump}");
    assert!(!stuck.to_string().contains('\n'), "the dump is not in the text: {stuck}");
}
