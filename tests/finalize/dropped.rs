//! F2: a suspended generator that is dropped.

use std::cell::Cell;

use futures::stream::{FuturesUnordered, TryStreamExt};
use seedbed::testing::VirtualClock;
use seedbed::{
    GeneratorExit, Yielder, checkpoint, current_effective_deadline, fail_after, generator, now,
    nursery, sleep, sleep_forever, yield_now,
};
use tracing::Level;

use super::{EXIT, begun, quiet_on};
use crate::support::{
    Drops, Log, cancelled, count, poll_once, recording, run, run_on, secs, shielded, slow_to_close,
};

#[test]
fn f02_a_suspended_generator_that_is_dropped_is_closed_in_a_system_task() {
    let clock = VirtualClock::new();
    let place = Cell::new(0);
    let (outcome, records) = recording(|| {
        run_on(&clock, async {
            let log = Log::new();
            let inside = log.clone();
            place.set(line!() + 1);
            let mut g = generator(async move |y: Yielder<u32>| {
                let error = y.yield_(1).await.unwrap_err();
                inside.add(format!("exit: {}", error.is::<GeneratorExit>()));
                // Inside a cancelled scope …
                inside
                    .add(format!("cancelled: {}", checkpoint().await.unwrap_err().is_cancelled()));
                inside.add(format!(
                    "cancelled: {}",
                    sleep(secs(9)).await.unwrap_err().is_cancelled()
                ));
                inside.add(format!("late: {}", current_effective_deadline().unwrap() <= now()));
                // … but it may raise a shield of its own.
                shielded(sleep(secs(2))).await?;
                inside.add("cleaned");
                Err(error)
            });
            g.set_qualname("readings");
            assert_eq!(g.anext().await?, Some(1));
            drop(g);
            assert!(log.take().is_empty(), "not in the destructor");
            sleep(secs(1)).await?;
            assert_eq!(
                log.take(),
                ["exit: true", "cancelled: true", "cancelled: true", "late: true"]
            );
            sleep(secs(2)).await?;
            assert_eq!(log.take(), ["cleaned"], "while the program goes on");
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].level, Level::WARN);
    assert_eq!(records[0].field("generator"), "readings");
    let made_at = records[0].field("made_at");
    assert!(made_at.starts_with(&format!("{}:{}:", file!(), place.get())), "{made_at}");
    let suspended_at = records[0].field("suspended_at");
    assert!(
        suspended_at.starts_with(&format!("{}:{}:", file!(), place.get() + 1)),
        "{suspended_at}"
    );
    assert!(records[0].message().contains("aclosing"), "it says what to do");
}

#[test]
fn f02_its_scope_is_shielded_from_what_is_cancelled_around() {
    // Neither the consumer's scope nor the end of the main future interrupts the shielded part.
    let log = Log::new();
    let clock = VirtualClock::new();
    recording(|| {
        run_on(&clock, async {
            cancelled(async {
                let g = begun(slow_to_close(&log)).await?;
                drop(g);
                yield_now().await
            })
            .await?;
            Ok(())
        })
    })
    .0
    .unwrap();
    assert_eq!(log.take(), ["cleaning", "cleaned"]);
    assert_eq!(clock.elapsed(), secs(1));
}

#[test]
fn f02_what_was_not_begun_or_has_ended_needs_no_finalizer() {
    let (outcome, records) = recording(|| {
        run(async {
            let drops = Drops::default();
            let guard = drops.guard();
            let unbegun = generator(async move |y: Yielder<u32>| {
                let _guard = guard;
                count(&y).await
            });
            drop(unbegun);
            assert_eq!(drops.count(), 1, "at once");
            let mut ended = generator(async |_: Yielder<u32>| Ok(()));
            assert_eq!(ended.anext().await?, None);
            drop(ended);
            let mut closed = begun(async |y: Yielder<u32>| count(&y).await).await?;
            closed.aclose().await
        })
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn f02_dropped_in_flight() {
    // It waits for something of its own, for something behind a combinator that polls only what
    // was woken, in a nursery, or in a timeout: the cancelled scope reaches it.
    let clock = VirtualClock::new();
    quiet_on(&clock, async {
        for kind in 0..5 {
            let log = Log::new();
            let inside = log.clone();
            let mut g = generator(async move |y: Yielder<u32>| {
                let _guard = inside.on_drop("dropped");
                let outcome = match kind {
                    0 => sleep_forever().await,
                    1 => {
                        let all: FuturesUnordered<_> = (0..3).map(|_| sleep_forever()).collect();
                        all.try_collect::<Vec<_>>().await.map(drop)
                    }
                    2 => nursery(async |n| n.spawn(sleep_forever()).await).await,
                    3 => fail_after(secs(1000), sleep_forever()).await,
                    _ => {
                        let mut inner = generator(async |_: Yielder<u32>| {
                            let all = (0..50).map(|_| sleep_forever());
                            futures::future::join_all(all).await.into_iter().collect()
                        });
                        inner.anext().await.map(drop)
                    }
                };
                inside.add(format!("cancelled: {}", outcome.as_ref().unwrap_err().is_cancelled()));
                outcome?;
                y.yield_(1).await.map(drop)
            });
            assert!(poll_once(g.anext()).await.is_none());
            drop(g);
            sleep(secs(1)).await?;
            assert_eq!(log.take(), ["cancelled: true", "dropped"], "{kind}");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn f02_dropped_in_flight_under_a_shield_of_its_own() {
    let log = Log::new();
    let clock = VirtualClock::new();
    let inside = log.clone();
    quiet_on(&clock, async {
        let mut g = generator(async move |y: Yielder<u32>| {
            shielded(sleep(secs(5))).await?;
            inside.add("done");
            let error = y.yield_(1).await.unwrap_err();
            inside.add(error.to_string());
            Err(error)
        });
        assert!(poll_once(g.anext()).await.is_none());
        drop(g);
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["done", EXIT], "its work was not interrupted");
    assert_eq!(clock.elapsed(), secs(5));
}

#[test]
fn f02_many_dropped_at_once_are_closed_beside_each_other() {
    let log = Log::new();
    let clock = VirtualClock::new();
    quiet_on(&clock, async {
        for _ in 0..100 {
            drop(begun(slow_to_close(&log)).await?);
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take().iter().filter(|line| *line == "cleaned").count(), 100);
    assert_eq!(clock.elapsed(), secs(1));
}
