//! G4: generators that yield while they are closed. They are suspended there, can be resumed, and
//! get `GeneratorExit` a second time when they go. What CPython does is the measure.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;

use futures::future::{Either, select};
use seedbed::{
    AsyncgenHooks, Builder, Error, Generator, GeneratorExit, GeneratorState, IgnoredGeneratorExit,
    Result, Yielder, aclosing, cancel_scope, checkpoint, context_manager, generator, nursery,
    set_asyncgen_hooks, sleep, sleep_forever, sync_generator, with,
};
use tracing::Level;

use crate::support::{
    self, Drops, Log, Record, cancelled, poll_once, recording, run, secs, shielded,
};

/// A body that yields 1, yields 2 when it is closed, and then 3, 4, … What it is resumed with it
/// writes to the log, as it does its end.
fn stubborn(log: &Log) -> impl AsyncFnOnce(Yielder<u32, &'static str>) -> Result<()> + 'static {
    let log = log.clone();
    async move |y| {
        let first = y.yield_(1).await;
        assert!(first.unwrap_err().is::<GeneratorExit>());
        for i in 2.. {
            match y.yield_(i).await {
                Ok(sent) => log.add(format!("{i}: {sent:?}")),
                Err(error) => {
                    log.add(format!("{i}: {error}"));
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

const EXIT: &str = "the generator is being closed";

/// Brings a generator to the yield by which it ignores its exit.
async fn ignoring<S>(
    body: impl AsyncFnOnce(Yielder<u32, S>) -> Result<()> + 'static,
) -> Result<Generator<'static, u32, S>>
where
    S: 'static,
{
    let mut g = generator(body);
    g.anext().await?;
    assert!(g.aclose().await.unwrap_err().is::<IgnoredGeneratorExit>());
    Ok(g)
}

/// A body that ignores its exit, and does `then` when it gets it a second time.
fn and_then(
    then: impl AsyncFnOnce(&Yielder<u32>) -> Result<()> + 'static,
) -> impl AsyncFnOnce(Yielder<u32>) -> Result<()> + 'static {
    async move |y| {
        drop(y.yield_(1).await);
        let exit = y.yield_(2).await;
        assert!(exit.as_ref().is_err_and(Error::is::<GeneratorExit>), "{exit:?}");
        then(&y).await?;
        exit.map(drop)
    }
}

fn errors(records: &[Record]) -> Vec<&str> {
    assert!(records.iter().all(|record| record.level == Level::ERROR), "{records:?}");
    records.iter().map(|record| record.field("error")).collect()
}

#[test]
fn g04_a_further_yield_is_ignored_generator_exit_and_names_the_yield() {
    run(async {
        let line = Rc::new(Cell::new(0));
        let at = line.clone();
        let drops = Drops::default();
        let mut g = generator(async move |y: Yielder<DropsWhenDropped>| {
            drop(y.yield_(DropsWhenDropped(None)).await);
            sleep(secs(1)).await?; // clean-up may await
            at.set(line!() + 1);
            y.yield_(DropsWhenDropped(Some(drops.guard()))).await?;
            assert_eq!(drops.count(), 1, "nobody gets what it yielded");
            Ok(())
        });
        g.anext().await?;
        let error = g.aclose().await.unwrap_err();
        let ignored = error.downcast_ref::<IgnoredGeneratorExit>().expect("it was ignored");
        assert_eq!((ignored.place().file(), ignored.place().line()), (file!(), line.get()));
        assert!(error.to_string().contains("GeneratorExit"), "{error}");
        assert_eq!(g.state(), GeneratorState::Suspended);
        assert_eq!(g.suspended_at().map(Location::line), Some(line.get()));
        assert!(g.anext().await?.is_none());
        Ok(())
    })
    .unwrap();
}

/// Something that is yielded.
struct DropsWhenDropped(#[expect(dead_code, reason = "it is dropped")] Option<support::DropGuard>);

#[test]
fn g04_a_body_that_ignored_its_exit_is_resumed_by_anext_and_asend() {
    run(async {
        let log = Log::new();
        let mut g = ignoring(stubborn(&log)).await?;
        assert!(log.take().is_empty());
        assert_eq!(g.anext().await?, Some(3));
        assert_eq!(g.asend("four").await?, Some(4));
        assert_eq!(g.anext().await?, Some(5));
        assert_eq!(log.take(), ["2: None", "3: Some(\"four\")", "4: None"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g04_closing_it_again_is_fine_and_runs_nothing() {
    run(async {
        let log = Log::new();
        let mut g = ignoring(stubborn(&log)).await?;
        for _ in 0..2 {
            g.aclose().await?;
        }
        assert!(log.take().is_empty());
        assert_eq!(g.anext().await?, Some(3));
        g.aclose().await?; // not after it was resumed either, as in CPython
        assert_eq!(log.take(), ["2: None"]);
        assert_eq!(g.state(), GeneratorState::Suspended);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g04_nothing_is_thrown_into_it() {
    // CPython answers with the end. An error that goes nowhere is reported.
    let log = Log::new();
    let (outcome, records) = recording(|| {
        run(async {
            let mut g = ignoring(stubborn(&log)).await?;
            assert_eq!(g.athrow(Error::msg("lost")).await?, None);
            assert!(log.take().is_empty());
            assert_eq!(g.anext().await?, Some(3));
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(records.iter().filter(|record| record.field("error") == "lost").count(), 1);
}

#[test]
fn g04_dropped_it_gets_its_exit_again_and_what_does_not_wait_runs() {
    let called = Rc::new(Cell::new(0));
    let calls = called.clone();
    let (outcome, records) = recording(|| {
        run(async {
            let hooks = AsyncgenHooks {
                finalizer: Some(Rc::new(move |_| calls.set(calls.get() + 1))),
                ..AsyncgenHooks::default()
            };
            let before = set_asyncgen_hooks(hooks);
            let log = Log::new();
            let g = ignoring(stubborn(&log)).await?;
            drop(g);
            assert_eq!(log.take(), [format!("2: {EXIT}")], "there and then");
            let mut g = ignoring(stubborn(&log)).await?;
            g.anext().await?;
            drop(g);
            assert_eq!(log.take(), ["2: None".to_owned(), format!("3: {EXIT}")]);
            // Outside the finalizer's scope: an operation that need not wait does not fail.
            let inside = log.clone();
            let g = ignoring(and_then(async move |_| {
                checkpoint().await?;
                inside.add("passed");
                Ok(())
            }));
            drop(g.await?);
            assert_eq!(log.take(), ["passed"]);
            // But inside whatever scope it is dropped in.
            let inside = log.clone();
            let g = ignoring(and_then(async move |_| {
                inside.add(format!("{}", checkpoint().await.unwrap_err().is_cancelled()));
                Ok(())
            }));
            let g = g.await?;
            cancelled(async {
                drop(g);
                checkpoint().await
            })
            .await?;
            assert_eq!(log.take(), ["true"]);
            set_asyncgen_hooks(before);
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(called.get(), 0, "the hook");
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn g04_what_it_does_then_does_not_depend_on_what_is_left_of_a_budget() {
    for spent in 0..130 {
        run(async {
            for _ in 0..spent {
                checkpoint().await?;
            }
            let log = Log::new();
            let inside = log.clone();
            let g = ignoring(and_then(async move |_| {
                for _ in 0..100 {
                    checkpoint().await?;
                }
                inside.add("passed");
                Ok(())
            }));
            drop(g.await?);
            assert_eq!(log.take(), ["passed"], "after {spent}");
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn g04_a_second_refusal_is_reported_and_the_body_dropped() {
    let drops = Drops::default();
    let (yields, waits, fails, panics) =
        (drops.guard(), drops.guard(), drops.guard(), drops.guard());
    let (outcome, records) = recording(|| {
        run(async {
            let yields = ignoring(and_then(async move |y| {
                let _guard = yields;
                y.yield_(3).await.map(drop)
            }));
            drop(yields.await?);
            assert_eq!(drops.count(), 1);
            let waits = ignoring(and_then(async move |_| {
                let _guard = waits;
                sleep(secs(1)).await
            }));
            drop(waits.await?);
            assert_eq!(drops.count(), 2);
            let fails = ignoring(and_then(async move |_| {
                let _guard = fails;
                Err(Error::msg("the disk is full"))
            }));
            drop(fails.await?);
            assert_eq!(drops.count(), 3);
            let panics = ignoring(and_then(async move |_| {
                let _guard = panics;
                panic!("in the clean-up")
            }));
            drop(panics.await?);
            assert_eq!(drops.count(), 4);
            Ok(())
        })
    });
    outcome.unwrap();
    let errors = errors(&records);
    assert!(errors[0].contains("yields again at"), "{errors:?}");
    assert_eq!(errors[1..], ["it waits for something", "the disk is full", "it panicked"]);
    for record in &records {
        assert!(record.field("made_at").starts_with(file!()));
    }
}

#[test]
fn g04_with_every_operation_a_point_of_the_schedule_a_checkpoint_waits() {
    // As in Trio.
    let (outcome, records) = recording(|| {
        Builder::new().budget(1).run(async {
            drop(ignoring(and_then(async |_| checkpoint().await)).await?);
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(errors(&records), ["it waits for something"]);
}

#[test]
fn g04_one_that_is_left_gets_its_exit_again_when_the_run_ends() {
    let log = Log::new();
    let kept = Rc::new(RefCell::new(Vec::new()));
    let (outcome, records) = recording(|| {
        run(async {
            let g = ignoring(stubborn(&log)).await?;
            kept.borrow_mut().push(g);
            std::mem::forget(ignoring(stubborn(&log)).await?);
            // This one ignores its exit only when the run ends.
            let mut late = generator(stubborn(&log));
            late.anext().await?;
            std::mem::forget(late);
            assert!(log.take().is_empty());
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(log.take(), [format!("2: {EXIT}"), format!("2: {EXIT}"), format!("2: {EXIT}")]);
    assert_eq!(records.len(), 1, "that of the late one: {records:?}");
    assert!(records[0].field("error").contains("yields again"));
    let kept = kept.take().pop().unwrap();
    assert_eq!(kept.state(), GeneratorState::Finished);
}

#[test]
fn g04_one_that_was_dropped_and_ignores_its_finalizer_is_not_asked_again() {
    // CPython finalizes an object once: the scenario gen-1-0296 has Trio's trace.
    let log = Log::new();
    let drops = Drops::default();
    let (outcome, records) = recording(|| {
        run(async {
            let (body, guard) = (stubborn(&log), drops.guard());
            let mut g = generator(async move |y| {
                let _guard = guard;
                body(y).await
            });
            g.anext().await?;
            drop(g);
            sleep(secs(1)).await?;
            assert_eq!(drops.count(), 1, "the body is dropped");
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(log.take().is_empty());
    let ignored = records.iter().filter(|record| record.level == Level::ERROR);
    assert_eq!(ignored.count(), 1, "{records:?}");
}

#[test]
fn g04_aclosing_gives_the_error_after_what_does_not_wait_has_run() {
    run(async {
        let log = Log::new();
        let error = aclosing(generator(stubborn(&log)), async |g| {
            g.anext().await?;
            Ok(())
        });
        assert!(error.await.unwrap_err().is::<IgnoredGeneratorExit>());
        assert_eq!(log.take(), [format!("2: {EXIT}")]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g04_a_borrowed_one_is_ended_with_its_nursery_at_the_latest() {
    let log = Log::new();
    let (outcome, records) = recording(|| {
        run(async {
            let text = String::from("borrowed");
            nursery(async |n| {
                let make = || {
                    n.generator(async |y: Yielder<usize>| {
                        drop(y.yield_(text.len()).await);
                        let exit = y.yield_(0).await;
                        log.add(format!("{text}: {}", exit.as_ref().unwrap_err()));
                        exit.map(drop)
                    })
                };
                let (mut dropped, mut left) = (make(), make());
                for g in [&mut dropped, &mut left] {
                    assert_eq!(g.anext().await?, Some(8));
                    assert!(g.aclose().await.unwrap_err().is::<IgnoredGeneratorExit>());
                }
                drop(dropped);
                assert_eq!(log.take(), [format!("borrowed: {EXIT}")]);
                std::mem::forget(left);
                Ok(())
            })
            .await?;
            assert_eq!(log.take(), [format!("borrowed: {EXIT}")]);
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(records.iter().all(|record| record.level != Level::ERROR), "{records:?}");
}

#[test]
fn g04_inside_a_context_manager_and_around_one() {
    let log = Log::new();
    let (outcome, records) = recording(|| {
        run(async {
            // A context manager that holds one.
            let (body, inside) = (stubborn(&log), log.clone());
            let manager = context_manager(async move |y: Yielder<()>| {
                let g = ignoring(body).await?;
                let outcome = y.yield_(()).await;
                inside.add("leaving");
                drop(g);
                outcome.map(drop)
            });
            with(manager, async |()| checkpoint().await).await?;
            assert_eq!(log.take(), ["leaving".to_owned(), format!("2: {EXIT}")]);
            // One that has a context manager open at the yield by which it ignores its exit.
            let inside = log.clone();
            let g = ignoring(async move |y: Yielder<u32>| {
                let log = inside.clone();
                let manager = context_manager(async move |y: Yielder<()>| {
                    let outcome = y.yield_(()).await;
                    log.add(format!("left: {}", outcome.as_ref().unwrap_err()));
                    outcome.map(drop)
                });
                drop(y.yield_(1).await);
                with(manager, async |()| y.yield_(2).await.map(drop)).await
            });
            drop(g.await?);
            assert_eq!(log.take(), [format!("left: {EXIT}")]);
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn g04_a_yield_that_a_select_gives_up_has_ignored_nothing() {
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            let exit = y.yield_(1).await;
            let ready = Box::pin(async { 7 });
            match select(y.yield_(2), ready).await {
                Either::Left(_) => unreachable!(),
                Either::Right((seven, given_up)) => {
                    drop(given_up);
                    inside.add(format!("{seven}"));
                }
            }
            shielded(sleep(secs(1))).await?;
            inside.add("cleaned");
            exit.map(drop)
        });
        g.anext().await?;
        g.aclose().await?;
        assert_eq!(log.take(), ["7", "cleaned"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g04_a_yield_in_a_scope_is_refused_as_such_when_it_is_closed() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            drop(y.yield_(1).await);
            // seedbed-lint: allow(yield-in-scope)
            cancel_scope(async |_| y.yield_(2).await).await.map(drop)
        });
        g.anext().await?;
        let error = g.aclose().await.unwrap_err();
        assert!(error.is::<seedbed::YieldInCancelScope>());
        assert_eq!(g.state(), GeneratorState::Finished);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g04_one_that_waits_elsewhere_when_it_is_dropped_is_polled_once() {
    // It was resumed, and the `anext` dropped in flight.
    let log = Log::new();
    let drops = Drops::default();
    let (outcome, records) = recording(|| {
        run(async {
            let guard = drops.guard();
            let mut g = ignoring(async move |y: Yielder<u32>| {
                let _guard = guard;
                drop(y.yield_(1).await);
                y.yield_(2).await?;
                sleep_forever().await
            })
            .await?;
            assert!(poll_once(g.anext()).await.is_none());
            g.aclose().await?;
            drop(g);
            assert_eq!(drops.count(), 1);
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(log.take().is_empty());
    assert_eq!(errors(&records), ["it waits for something"]);
}

#[test]
fn g10_a_further_yield_is_ignored_generator_exit() {
    let log = Log::new();
    let ((), records) = recording(|| {
        let mut g = sync_generator(stubborn(&log));
        g.next();
        assert!(g.close().unwrap_err().is::<IgnoredGeneratorExit>());
        g.close().unwrap();
        assert!(log.take().is_empty(), "closing it again runs nothing");
        assert_eq!(g.next().unwrap().unwrap(), 3);
        assert_eq!(g.send("four").unwrap(), Some(4));
        assert_eq!(log.take(), ["2: None", "3: Some(\"four\")"]);
        g.close().unwrap();
        drop(g);
        assert_eq!(log.take(), [format!("4: {EXIT}")]);
    });
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn g10_a_second_refusal_is_reported_and_the_body_dropped() {
    let drops = Drops::default();
    let guard = drops.guard();
    let ((), records) = recording(|| {
        let mut g = sync_generator(async move |y: Yielder<u32>| {
            let _guard = guard;
            loop {
                drop(y.yield_(1).await);
            }
        });
        g.next();
        assert!(g.close().unwrap_err().is::<IgnoredGeneratorExit>());
        drop(g);
    });
    assert_eq!(drops.count(), 1);
    assert_eq!(errors(&records).len(), 1);
}
