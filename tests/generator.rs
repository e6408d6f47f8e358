//! Asynchronous generators, as in PEP 525: rows G1 to G11 of what the crate promises. That an item
//! allocates nothing (G9) is in `generator_allocations.rs`.

mod support;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use futures::future::{Either, join, join_all, select};
use futures::stream::{FuturesUnordered, select_all};
use futures::{Stream, StreamExt, TryStreamExt, poll};
use seedbed::testing::VirtualClock;
use seedbed::{
    AsendError, CancelScope, Cancelled, Error, Event, Generator, GeneratorExit, GeneratorMisused,
    GeneratorState, NotRunning, Result, SyncGenerator, Yield, YieldInCancelScope, Yielder,
    YielderMisused, aclosing, cancel_scope, channel, checkpoint, fail_after, generator,
    move_on_after, nursery, prevent_yields, sleep, sleep_forever, sync_generator, yield_now,
};
use support::{
    Drops, Log, cancelled, catching, count, counting, panics, poll_once, recording, run, run_on,
    secs, shielded,
};

fn text<T>(outcome: Result<T>) -> String {
    outcome.err().expect("it was to fail").to_string()
}

// G1: values out, values in, errors in, closing; after the end, the end again.

#[test]
fn g01_anext_gives_the_values_in_order_and_then_the_end_again_and_again() {
    run(async {
        let mut g = generator(async |y: Yielder<&str>| {
            y.yield_("a").await?;
            sleep(secs(1)).await?;
            y.yield_("b").await?;
            Ok(())
        });
        assert_eq!(g.anext().await?, Some("a"));
        assert_eq!(g.anext().await?, Some("b"));
        for _ in 0..3 {
            assert_eq!(g.anext().await?, None);
            assert_eq!(g.asend(()).await?, None);
        }
        g.aclose().await?;
        assert_eq!(g.anext().await?, None);
        // An error thrown into one that has ended is the thrower's, as in Python.
        assert_eq!(text(g.athrow(Error::msg("late")).await), "late");
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_nothing_runs_before_the_first_anext_nor_beyond_a_yield() {
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<()>| {
            inside.add("begun");
            y.yield_(()).await?;
            inside.add("after the yield");
            Ok(())
        });
        yield_now().await?;
        assert!(log.take().is_empty());
        let unpolled = g.anext();
        drop(unpolled);
        assert!(log.take().is_empty());
        g.anext().await?;
        yield_now().await?;
        assert_eq!(log.take(), ["begun"]);
        g.anext().await?;
        assert_eq!(log.take(), ["after the yield"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_asend_is_the_value_of_the_yield_and_anext_is_none() {
    run(async {
        let mut g = generator(async |y: Yielder<i64, i64>| {
            let mut sum = 0;
            loop {
                match y.yield_(sum).await? {
                    Some(more) => sum += more,
                    None => sum = -sum,
                }
            }
        });
        assert_eq!(g.anext().await?, Some(0));
        assert_eq!(g.asend(5).await?, Some(5));
        assert_eq!(g.asend(7).await?, Some(12));
        assert_eq!(g.anext().await?, Some(-12));
        assert_eq!(g.asend(2).await?, Some(-10));
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn g01_athrow_raises_at_the_yield_and_an_unhandled_error_comes_back() {
    run(async {
        let log = Log::new();
        let mut g = generator(counting(&log));
        assert_eq!(g.anext().await?, Some(0));
        assert_eq!(g.anext().await?, Some(1));
        let error = g.athrow(std::fmt::Error).await.unwrap_err();
        assert!(error.is::<std::fmt::Error>());
        assert_eq!(log.take(), [format!("left at 1: {}", std::fmt::Error)]);
        assert_eq!(g.state(), GeneratorState::Finished);
        assert_eq!(g.anext().await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_athrow_into_one_that_has_not_begun_never_runs_it() {
    // Python: the error is raised at the first line; that is, nothing of the body runs.
    run(async {
        let (log, drops) = (Log::new(), Drops::default());
        let (inside, guard) = (log.clone(), drops.guard());
        let mut g = generator(async move |y: Yielder<()>| {
            let _guard = guard;
            inside.add("begun");
            y.yield_(()).await.map(drop)
        });
        assert_eq!(text(g.athrow(Error::msg("no")).await), "no");
        assert_eq!(drops.count(), 1, "what the body owned is dropped at once");
        assert_eq!(g.state(), GeneratorState::Finished);
        assert_eq!(g.anext().await?, None);
        assert!(log.take().is_empty());
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_a_body_that_yields_nothing_ends_at_once() {
    run(async {
        let mut g = generator(async |_: Yielder<()>| checkpoint().await);
        assert_eq!(g.anext().await?, None);
        assert_eq!(g.state(), GeneratorState::Finished);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_values_that_are_not_taken_are_dropped_once() {
    run(async {
        let drops = Drops::default();
        let made = drops.clone();
        let mut g = generator(async move |y: Yielder<support::DropGuard, support::DropGuard>| {
            let _sent = y.yield_(made.guard()).await?;
            y.yield_(made.guard()).await?;
            Ok(())
        });
        drop(g.anext().await?);
        assert_eq!(drops.count(), 1);
        drop(g.asend(drops.guard())); // never polled
        assert_eq!(drops.count(), 2);
        let second = g.asend(drops.guard()).await?;
        assert_eq!(drops.count(), 2, "the body keeps what was sent, and the value is here");
        g.anext().await?;
        assert_eq!(drops.count(), 3);
        drop(second);
        assert_eq!(drops.count(), 4);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_generators_drive_generators() {
    run(async {
        fn numbers(n: u32) -> Generator<'static, u32> {
            generator(async move |y: Yielder<u32>| {
                for i in 0..n {
                    sleep(secs(1)).await?;
                    y.yield_(i).await?;
                }
                Ok(())
            })
        }
        let mut g = generator(async |y: Yielder<u32>| {
            let mut inner = numbers(4);
            while let Some(i) = inner.anext().await? {
                let mut innermost = numbers(i);
                while let Some(j) = innermost.anext().await? {
                    y.yield_(10 * i + j).await?;
                }
            }
            Ok(())
        });
        let mut got = Vec::new();
        while let Some(value) = g.anext().await? {
            got.push(value);
        }
        assert_eq!(got, [10, 20, 21, 30, 31, 32]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_nested_a_hundred_deep() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| count(&y).await);
        for _ in 0..100 {
            let inner = g;
            g = generator(async move |y: Yielder<u32>| {
                aclosing(inner, async |inner| {
                    while let Some(i) = inner.anext().await? {
                        y.yield_(i + 1).await?;
                    }
                    Ok(())
                })
                .await
            });
        }
        assert_eq!(g.anext().await?, Some(100));
        assert_eq!(g.anext().await?, Some(101));
        g.aclose().await
    })
    .unwrap();
}

// G2

#[test]
fn g02_asend_before_the_start_is_an_error_that_gives_the_value_back() {
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32, String>| {
            inside.add("begun");
            let sent = y.yield_(1).await?;
            inside.add(sent.unwrap_or_default());
            Ok(())
        });
        let Err(AsendError::Refused(value, why)) = g.asend("early".to_owned()).await else {
            panic!("it was to be refused")
        };
        assert_eq!(value, "early");
        assert!(why.to_string().contains("before the first `anext`"), "{why}");
        assert!(log.take().is_empty());
        assert_eq!(g.state(), GeneratorState::Created);
        // With `?` it is an ordinary error.
        let error: Error = g.asend("early".to_owned()).await.unwrap_err().into();
        assert!(error.is::<GeneratorMisused>());
        // And nothing is spoilt.
        assert_eq!(g.anext().await?, Some(1));
        assert_eq!(g.asend("in time".to_owned()).await?, None);
        assert_eq!(log.take(), ["begun", "in time"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g02_aclose_before_the_start_never_runs_the_body() {
    run(async {
        let (log, drops) = (Log::new(), Drops::default());
        let (inside, guard) = (log.clone(), drops.guard());
        let mut g = generator(async move |_: Yielder<()>| {
            let _guard = guard;
            inside.add("begun");
            Ok(())
        });
        g.aclose().await?;
        assert_eq!(g.state(), GeneratorState::Finished);
        assert_eq!(drops.count(), 1);
        assert_eq!(g.anext().await?, None);
        g.aclose().await?;
        assert!(log.take().is_empty());
        Ok(())
    })
    .unwrap();
}

// G3

#[test]
fn g03_an_error_comes_out_of_the_call_that_drove_it_and_finishes_it() {
    run(async {
        fn failing() -> Generator<'static, u32, u32> {
            generator(async |y: Yielder<u32, u32>| {
                let sent = y.yield_(1).await.unwrap_or(Some(100));
                sleep(secs(1)).await?;
                Err(Error::msg(format!("failed with {sent:?}")))
            })
        }
        let mut by_anext = failing();
        assert_eq!(by_anext.anext().await?, Some(1));
        assert_eq!(text(by_anext.anext().await), "failed with None");
        let mut by_asend = failing();
        by_asend.anext().await?;
        let Err(AsendError::Failed(error)) = by_asend.asend(7).await else { panic!("it fails") };
        assert_eq!(error.to_string(), "failed with Some(7)");
        let mut by_athrow = failing();
        by_athrow.anext().await?;
        assert_eq!(text(by_athrow.athrow(Error::msg("x")).await), "failed with Some(100)");
        let mut by_aclose = failing();
        by_aclose.anext().await?;
        assert_eq!(text(by_aclose.aclose().await), "failed with Some(100)");
        for mut g in [by_anext, by_asend, by_athrow, by_aclose] {
            assert_eq!(g.state(), GeneratorState::Finished);
            assert_eq!(g.anext().await?, None);
            g.aclose().await?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn g03_a_panic_comes_out_of_the_call_that_drove_it_and_finishes_it() {
    let (outcome, records) = recording(|| {
        run(async {
            for when in ["at once", "after a yield", "after a wait"] {
                let drops = Drops::default();
                let guard = drops.guard();
                let mut g = generator(async move |y: Yielder<u32>| {
                    let _guard = guard;
                    if when != "at once" {
                        y.yield_(1).await?;
                    }
                    if when == "after a wait" {
                        sleep(secs(1)).await?;
                    }
                    panic!("{when}");
                });
                if when != "at once" {
                    assert_eq!(g.anext().await?, Some(1));
                }
                assert_eq!(catching(g.anext()).await.unwrap_err(), when);
                assert_eq!(g.state(), GeneratorState::Finished);
                assert_eq!(drops.count(), 1);
                assert_eq!(g.anext().await?, None);
                g.aclose().await?;
            }
            // Dropped as it is, it has nothing to clean up and nothing to warn of.
            let mut g = generator(async |y: Yielder<u32>| {
                y.yield_(1).await?;
                panic!("dropped");
            });
            g.anext().await?;
            assert_eq!(catching(g.anext()).await.unwrap_err(), "dropped");
            drop(g);
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn g03_a_panic_while_closing_comes_out_of_aclose() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            let _ = y.yield_(1).await;
            panic!("cleaning up");
        });
        g.anext().await?;
        assert_eq!(catching(g.aclose()).await.unwrap_err(), "cleaning up");
        assert_eq!(g.state(), GeneratorState::Finished);
        g.aclose().await
    })
    .unwrap();
}

// G4

#[test]
fn g04_aclose_raises_generator_exit_at_the_yield_and_clean_up_may_await() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            let error = y.yield_(1).await.unwrap_err();
            inside.add(format!("{}", error.is::<GeneratorExit>()));
            sleep(secs(3)).await?;
            inside.add("cleaned");
            Err(error)
        });
        g.anext().await?;
        g.aclose().await?;
        assert_eq!(log.take(), ["true", "cleaned"]);
        assert_eq!(clock.elapsed(), secs(3));
        assert_eq!(g.state(), GeneratorState::Finished);
        g.aclose().await?; // twice is fine
        g.aclose().await?;
        assert_eq!(g.anext().await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g04_a_body_that_returns_when_it_is_closed_is_as_good() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            while y.yield_(1).await.is_ok() {}
            Ok(())
        });
        g.anext().await?;
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn g04_the_clean_up_of_a_cancelled_closer_is_cancelled_and_can_be_shielded() {
    // As in Trio: closing is no shield by itself.
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            let outcome = y.yield_(1).await;
            inside.add(format!("{}", sleep(secs(5)).await.unwrap_err().is_cancelled()));
            shielded(sleep(secs(2))).await?;
            inside.add("done");
            outcome.map(drop)
        });
        g.anext().await?;
        assert!(cancelled(g.aclose()).await?.is_some(), "the body passed `GeneratorExit` on");
        assert_eq!(log.take(), ["true", "done"]);
        assert_eq!(clock.elapsed(), secs(2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn g04_an_aclose_dropped_in_flight_can_be_called_again() {
    run(async {
        let log = Log::new();
        let mut g = generator(support::slow_to_close(&log));
        g.anext().await?;
        assert!(poll_once(g.aclose()).await.is_none());
        assert_eq!(g.state(), GeneratorState::Running);
        g.aclose().await?;
        assert_eq!(log.take(), ["cleaning", "cleaned"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g04_aclose_of_one_whose_anext_was_dropped_in_flight_exits_at_the_next_yield() {
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            sleep(secs(1)).await?;
            inside.add("slept");
            let error = y.yield_(1).await.unwrap_err();
            inside.add(error.to_string());
            Err(error)
        });
        assert!(poll_once(g.anext()).await.is_none());
        g.aclose().await?;
        assert_eq!(log.take(), ["slept".to_owned(), exit_text()]);
        Ok(())
    })
    .unwrap();
}

fn exit_text() -> String {
    "the generator is being closed".to_owned()
}

#[test]
fn g04_generator_exit_reaches_a_body_whose_yield_lost_a_race() {
    // The body gives a yield up with a `select`. What was to be raised there is raised at the
    // next one, so that a body that does everything right is not said to have ignored it.
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            for i in 0.. {
                let timer = pin!(sleep(secs(1)));
                let outcome = match select(timer, pin!(y.yield_(i))).await {
                    Either::Left((slept, _)) => slept,
                    Either::Right((resumed, _)) => resumed.map(drop),
                };
                if let Err(error) = outcome {
                    inside.add(format!("{i}: {error}"));
                    return Err(error);
                }
            }
            Ok(())
        });
        assert_eq!(g.anext().await?, Some(0));
        sleep(secs(5)).await?; // the timer wins
        g.aclose().await?;
        assert_eq!(log.take(), [format!("1: {}", exit_text())]);
        Ok(())
    })
    .unwrap();
}

// G5

#[test]
fn g05_an_error_that_is_handled_makes_athrow_give_the_next_value() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let mut g = generator(async |y: Yielder<String>| {
            let mut next = "start".to_owned();
            loop {
                match y.yield_(next).await {
                    Ok(_) => next = "resumed".to_owned(),
                    Err(error) if error.is::<GeneratorExit>() => return Err(error),
                    Err(error) => {
                        sleep(secs(1)).await?;
                        next = format!("handled {error}");
                    }
                }
            }
        });
        assert_eq!(g.anext().await?.unwrap(), "start");
        assert_eq!(g.athrow(Error::msg("one")).await?.unwrap(), "handled one");
        assert_eq!(g.athrow(Error::msg("two")).await?.unwrap(), "handled two");
        assert_eq!(g.anext().await?.unwrap(), "resumed");
        assert_eq!(clock.elapsed(), secs(2));
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn g05_an_error_handled_by_returning_is_the_end() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            drop(y.yield_(1).await);
            Ok(())
        });
        g.anext().await?;
        assert_eq!(g.athrow(Error::msg("x")).await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g05_generator_exit_may_be_thrown_in_by_hand() {
    // Python: `athrow(GeneratorExit)` is `aclose` without the checks.
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            let error = y.yield_(1).await.unwrap_err();
            assert!(error.is::<GeneratorExit>());
            y.yield_(2).await?;
            Err(error)
        });
        let mut donor = generator(async |y: Yielder<u32>| count(&y).await);
        donor.anext().await?;
        donor.aclose().await?;
        g.anext().await?;
        // There is no public way to make one, but the one that a body got can be passed on.
        let stolen = Rc::new(RefCell::new(None));
        let keep = stolen.clone();
        let mut thief = generator(async move |y: Yielder<u32>| {
            keep.replace(y.yield_(1).await.err());
            Ok(())
        });
        thief.anext().await?;
        thief.aclose().await?;
        let exit = stolen.take().unwrap();
        assert_eq!(g.athrow(exit).await?, Some(2));
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn g05_an_error_thrown_in_reaches_a_body_whose_yield_lost_a_race() {
    run(async {
        let mut g = generator(async |y: Yielder<String>| {
            let timer = pin!(sleep(secs(1)));
            drop(select(timer, pin!(y.yield_("first".into()))).await);
            let error = y.yield_("never".into()).await.unwrap_err();
            y.yield_(format!("handled {error}")).await?;
            Ok(())
        });
        assert_eq!(g.anext().await?.unwrap(), "first");
        sleep(secs(5)).await?;
        assert_eq!(g.athrow(Error::msg("x")).await?.unwrap(), "handled x");
        assert_eq!(g.anext().await?, None);
        Ok(())
    })
    .unwrap();
}

// G6

#[test]
fn g06_a_cancellation_is_raised_at_the_inner_await_and_may_be_handled() {
    // python-dev's question on PEP 525: cancelling `asend` cancels what the body awaits, and the
    // generator is not broken by it.
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let mut g = generator(async |y: Yielder<String, u32>| {
            y.yield_("ready".into()).await?;
            let error = sleep(secs(100)).await.unwrap_err();
            assert!(error.is::<Cancelled>());
            let sent = y.yield_("handled".into()).await?;
            y.yield_(format!("{sent:?}")).await?;
            Ok(())
        });
        g.anext().await?;
        let got = move_on_after(secs(2), async { Ok(g.asend(1).await?) }).await?;
        assert_eq!(got.flatten().as_deref(), Some("handled"), "though its time was up");
        assert_eq!(clock.elapsed(), secs(2));
        assert_eq!(g.asend(8).await?.as_deref(), Some("Some(8)"));
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn g06_a_cancellation_that_is_not_handled_finishes_the_generator() {
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            y.yield_(1).await?;
            let outcome = sleep_forever().await;
            inside.add(format!("{}", outcome.as_ref().unwrap_err().is_cancelled()));
            outcome
        });
        g.anext().await?;
        assert_eq!(move_on_after(secs(1), g.anext()).await?, None);
        assert_eq!(log.take(), ["true"]);
        assert_eq!(g.state(), GeneratorState::Finished);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g06_a_yield_itself_is_not_cancelled() {
    // Nothing is awaited at a yield: a consumer's cancelled scope is the consumer's business.
    run(async {
        let log = Log::new();
        let mut g = generator(counting(&log));
        let got = cancelled(async { Ok([g.anext().await?, g.anext().await?]) }).await?;
        assert_eq!(got, Some([Some(0), Some(1)]));
        assert_eq!(g.anext().await?, Some(2));
        assert!(log.take().is_empty());
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn g06_reaches_inner_generators_and_foreign_combinators() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            let mut inner = generator(async |_: Yielder<u32>| {
                let all: FuturesUnordered<_> = (1..50).map(|i| sleep(secs(100 * i))).collect();
                all.try_collect::<Vec<_>>().await.map(drop)
            });
            let error = inner.anext().await.unwrap_err();
            inside.add(format!("{}", error.is_cancelled()));
            y.yield_(7).await?;
            Ok(())
        });
        assert_eq!(move_on_after(secs(1), g.anext()).await?, Some(Some(7)));
        assert_eq!((clock.elapsed(), log.take()), (secs(1), vec!["true".to_owned()]));
        g.aclose().await
    })
    .unwrap();
}

// G7

#[test]
fn g07_an_anext_dropped_in_flight_loses_nothing() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let mut g = generator(async |y: Yielder<u32>| {
            for i in 0..3 {
                sleep(secs(10)).await?;
                y.yield_(i).await?;
            }
            Ok(())
        });
        let mut got = Vec::new();
        let mut ticks = 0;
        loop {
            let timer = pin!(sleep(secs(3)));
            match select(timer, g.anext()).await {
                Either::Left((slept, _)) => {
                    slept?;
                    ticks += 1;
                }
                Either::Right((value, _)) => match value? {
                    Some(value) => got.push((clock.elapsed().as_secs(), value)),
                    None => break,
                },
            }
        }
        assert_eq!(got, [(10, 0), (20, 1), (30, 2)], "each once, and in time");
        assert_eq!(ticks, 9);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g07_an_asend_after_that_gives_its_value_back() {
    run(async {
        let mut g = generator(async |y: Yielder<u32, String>| {
            sleep(secs(1)).await?;
            assert_eq!(y.yield_(1).await?, None);
            assert_eq!(y.yield_(2).await?.as_deref(), Some("again"));
            Ok(())
        });
        assert!(poll_once(g.anext()).await.is_none());
        assert_eq!(g.state(), GeneratorState::Running);
        let Err(AsendError::Refused(value, why)) = g.asend("x".to_owned()).await else {
            panic!("it was to be refused")
        };
        assert_eq!(value, "x");
        assert!(why.to_string().contains("in flight"), "{why}");
        let refused = g.athrow(Error::msg("thrown")).await.unwrap_err();
        assert!(refused.is::<GeneratorMisused>());
        assert_eq!(g.anext().await?, Some(1));
        assert_eq!(g.anext().await?, Some(2));
        assert_eq!(g.asend("again".to_owned()).await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g07_what_an_asend_dropped_in_flight_had_sent_stays_sent() {
    run(async {
        let mut g = generator(async |y: Yielder<u32, u32>| {
            let mut sent = y.yield_(0).await?;
            loop {
                sleep(secs(1)).await?;
                sent = y.yield_(sent.unwrap_or(99)).await?;
            }
        });
        g.anext().await?;
        assert!(poll_once(g.asend(5)).await.is_none());
        assert_eq!(g.anext().await?, Some(5));
        assert!(poll_once(g.athrow(Error::msg("x"))).await.is_some_and(|thrown| thrown.is_err()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn g07_carried_on_in_another_scope_and_under_a_foreign_combinator() {
    // What the body waits for moves with it: the cancellation that counts is that of the scope
    // in which it is driven now.
    let clock = VirtualClock::new();
    run_on(&clock, async {
        for foreign in [false, true] {
            let begun = clock.elapsed();
            let mut g = generator(async move |y: Yielder<&str>| {
                let outcome = if foreign {
                    let all: FuturesUnordered<_> = (1..3).map(|i| sleep(secs(100 * i))).collect();
                    all.try_collect::<Vec<_>>().await.map(drop)
                } else {
                    sleep(secs(100)).await
                };
                assert!(outcome.unwrap_err().is_cancelled());
                y.yield_("handled").await.map(drop)
            });
            move_on_after(secs(1000), async {
                assert!(poll_once(g.anext()).await.is_none());
                Ok(())
            })
            .await?;
            let got = move_on_after(secs(1), g.anext()).await?;
            assert_eq!(got, Some(Some("handled")), "foreign: {foreign}");
            assert_eq!(clock.elapsed() - begun, secs(1));
            g.aclose().await?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn g07_carried_on_after_the_scope_it_was_begun_in_was_cancelled() {
    // The `anext` was dropped before the cancellation could be raised, so it is not raised at
    // all: it was that of a scope which has been left.
    for inner_scope in [false, true] {
        run(async {
            let mut g = generator(async move |y: Yielder<u32>| {
                if inner_scope {
                    fail_after(secs(100), sleep(secs(10))).await?;
                } else {
                    sleep(secs(10)).await?;
                }
                y.yield_(7).await.map(drop)
            });
            cancel_scope(async |scope| {
                assert!(poll_once(g.anext()).await.is_none());
                scope.cancel();
                Ok(())
            })
            .await?;
            assert_eq!(g.anext().await?, Some(7), "inner scope: {inner_scope}");
            g.aclose().await
        })
        .unwrap();
    }
}

#[test]
fn g07_the_timeout_inside_of_a_body_in_flight_goes_on() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let mut g = generator(async |y: Yielder<Option<()>>| {
            let outcome = move_on_after(secs(5), sleep_forever()).await?;
            y.yield_(outcome).await.map(drop)
        });
        assert!(poll_once(g.anext()).await.is_none());
        sleep(secs(3)).await?;
        assert_eq!(g.anext().await?, Some(None));
        assert_eq!(clock.elapsed(), secs(5));
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn g07_the_children_of_a_body_in_flight_are_not_lost() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let mut g = generator(async |y: Yielder<u32>| {
            let sum = nursery(async |n| {
                let tasks: Vec<_> = (0..4)
                    .map(|i| {
                        n.spawn(async move {
                            sleep(secs(u64::from(i))).await?;
                            Ok(i)
                        })
                    })
                    .collect();
                let mut sum = 0;
                for task in tasks {
                    sum += task.await?;
                }
                Ok(sum)
            })
            .await?;
            y.yield_(sum).await.map(drop)
        });
        assert!(poll_once(g.anext()).await.is_none());
        sleep(secs(2)).await?; // nobody drives it meanwhile
        assert!(poll_once(g.anext()).await.is_none());
        assert_eq!(g.anext().await?, Some(6));
        g.aclose().await
    })
    .unwrap();
}

// G8

fn ticker() -> Generator<'static, u32> {
    generator(async |y: Yielder<u32>| {
        y.yield_(1).await?;
        sleep(secs(1)).await?;
        Event::new().wait().await
    })
}

fn of_values<T: Default + 'static>() -> Generator<'static, T> {
    generator(async |y: Yielder<T>| y.yield_(T::default()).await.map(drop))
}

struct Feed;

impl Feed {
    fn items(&self) -> Generator<'static, u32> {
        generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop))
    }
}

async fn a_body(y: Yielder<u32>) -> Result<()> {
    y.yield_(1).await.map(drop)
}

#[test]
fn g08_names() {
    let g = ticker();
    assert_eq!(g.name(), "ticker");
    assert_eq!(g.qualname(), format!("{}::ticker", module_path!()));
    // As in Python the qualified name may be set, and says who it is in errors.
    g.set_qualname("Sensor.ticks");
    assert_eq!((g.name(), &*g.qualname()), ("ticker", "Sensor.ticks"));
    assert_eq!(Feed.items().name(), "items");
    assert_eq!(generator(a_body).name(), "a_body");
    assert_eq!(of_values::<Vec<String>>().name(), "of_values", "without the types of the call");
    assert_eq!(of_values::<Vec<String>>().qualname().split('<').next(), {
        let path = concat!(module_path!(), "::of_values");
        Some(path)
    });
}

#[test]
fn g08_the_name_is_in_the_errors() {
    run(async {
        let mut g = generator(async |y: Yielder<u32, u32>| y.yield_(1).await.map(drop));
        g.set_qualname("Sensor.ticks");
        let error: Error = g.asend(1).await.unwrap_err().into();
        assert!(error.to_string().contains("Sensor.ticks"), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn g08_state_place_and_what_it_awaits() {
    run(async {
        let mut g = ticker();
        let made = g.place();
        assert_eq!(made.file(), file!());
        assert_eq!(
            (g.state(), g.suspended_at(), g.awaiting()),
            (GeneratorState::Created, None, None)
        );
        g.anext().await?;
        assert_eq!(g.state(), GeneratorState::Suspended);
        let at = g.suspended_at().expect("it is suspended");
        assert_eq!((at.file(), at.line()), (file!(), made.line() + 1));
        assert_eq!(g.awaiting(), None, "suspended at a yield it awaits nothing");
        assert!(poll_once(g.anext()).await.is_none());
        assert_eq!((g.state(), g.suspended_at()), (GeneratorState::Running, None));
        assert_eq!(g.awaiting(), Some("sleep"));
        sleep(secs(2)).await?;
        assert!(poll_once(g.anext()).await.is_none());
        let awaiting = g.awaiting().expect("it awaits the event");
        assert!(awaiting.contains("vent"), "{awaiting}");
        let debug = format!("{g:?}");
        assert!(debug.contains("ticker") && debug.contains("Running"), "{debug}");
        assert!(debug.contains(awaiting), "{debug}");
        cancelled(g.aclose()).await?;
        assert_eq!(
            (g.state(), g.suspended_at(), g.awaiting()),
            (GeneratorState::Finished, None, None)
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn g08_running_as_seen_from_its_own_body() {
    run(async {
        let seen = Rc::new(Cell::new(None));
        let shared: Rc<RefCell<Option<Generator<'static, u32>>>> = Rc::default();
        let see = seen.clone();
        let mut other = generator(async move |y: Yielder<u32>| count(&y).await);
        other.anext().await?;
        shared.replace(Some(other));
        let inside = shared.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            see.set(inside.borrow().as_ref().map(Generator::state));
            y.yield_(1).await.map(drop)
        });
        g.anext().await?;
        assert_eq!(seen.get(), Some(GeneratorState::Suspended));
        g.aclose().await?;
        shared.take().unwrap().aclose().await
    })
    .unwrap();
}

// G9

#[test]
fn g09_it_is_a_stream() {
    run(async {
        let g = generator(async |y: Yielder<u32>| {
            for i in 0..6 {
                sleep(secs(1)).await?;
                y.yield_(i).await?;
            }
            Ok(())
        });
        let got: Vec<_> = g
            .map_ok(|i| i * i)
            .try_filter(|i| std::future::ready(i % 2 == 0))
            .try_collect()
            .await?;
        assert_eq!(got, [0, 4, 16]);
        let mut failing = generator(async |y: Yielder<u32>| {
            y.yield_(1).await?;
            Err(Error::msg("x"))
        });
        assert_eq!(failing.next().await.unwrap()?, 1);
        assert_eq!(text(failing.next().await.unwrap()), "x");
        assert!(failing.next().await.is_none());
        assert!(failing.next().await.is_none());
        Ok(())
    })
    .unwrap();
}

#[test]
fn g09_many_streams_at_once() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let streams = (1..=60_u64).map(|i| {
            generator(async move |y: Yielder<u64>| {
                for _ in 0..3 {
                    sleep(secs(i)).await?;
                    y.yield_(i).await?;
                }
                Ok(())
            })
        });
        // It polls only those that were woken.
        let mut all = select_all(streams);
        let mut counts = [0; 61];
        while let Some(i) = all.next().await {
            let i = i?;
            counts[i as usize] += 1;
            assert_eq!(clock.elapsed(), secs(i * counts[i as usize]));
        }
        assert!(counts[1..].iter().all(|count| *count == 3), "{counts:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn g09_the_stream_and_anext_are_one() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| count(&y).await);
        assert_eq!(g.next().await.unwrap()?, 0);
        assert_eq!(g.anext().await?, Some(1));
        assert_eq!(g.by_ref().take(2).try_collect::<Vec<_>>().await?, [2, 3]);
        assert_eq!(g.anext().await?, Some(4));
        assert_eq!(Pin::new(&mut g).size_hint(), (0, None));
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn g09_buffered_and_joined() {
    run(async {
        let mut gs: Vec<_> = (0..40_u32)
            .map(|i| {
                generator(async move |y: Yielder<u32>| {
                    sleep(secs(u64::from(40 - i))).await?;
                    y.yield_(i).await.map(drop)
                })
            })
            .collect();
        // `join_all` of so many polls only those that were woken.
        let first = join_all(gs.iter_mut().map(Generator::anext)).await;
        let first: Result<Vec<_>> = first.into_iter().collect();
        assert_eq!(first?, (0..40).map(Some).collect::<Vec<_>>());
        for mut g in gs {
            g.aclose().await?;
        }
        Ok(())
    })
    .unwrap();
}

// G10

#[test]
fn g10_a_synchronous_generator_is_an_iterator_that_borrows() {
    let words = ["a", "bb", "ccc"].map(str::to_owned);
    let lengths = sync_generator(async |y: Yielder<usize>| {
        for word in &words {
            y.yield_(word.len()).await?;
        }
        Ok(())
    });
    let lengths: Vec<_> = lengths.zip(words.iter()).map(|(length, _)| length.unwrap()).collect();
    assert_eq!(lengths, [1, 2, 3]);
    // No runtime was needed, and after the end comes the end.
    let mut once = sync_generator(async |y: Yielder<u8>| y.yield_(1).await.map(drop));
    assert_eq!(once.next().unwrap().unwrap(), 1);
    assert!(once.next().is_none() && once.next().is_none());
    assert_eq!(once.send(()).unwrap(), None);
}

#[test]
fn g10_send_throw_and_close() {
    fn sums(log: &Log) -> SyncGenerator<'static, i32, i32> {
        let log = log.clone();
        sync_generator(async move |y: Yielder<i32, i32>| {
            let mut sum = 0;
            loop {
                match y.yield_(sum).await {
                    Ok(more) => sum += more.unwrap_or(100),
                    Err(error) if error.is::<std::fmt::Error>() => sum = 0,
                    Err(error) => {
                        log.add(error.to_string());
                        return Err(error);
                    }
                }
            }
        })
    }
    let log = Log::new();
    let mut g = sums(&log);
    assert!(g.send(1).unwrap_err().is::<GeneratorMisused>(), "before the first `next`");
    assert_eq!(g.next().unwrap().unwrap(), 0);
    assert_eq!(g.send(5).unwrap(), Some(5));
    assert_eq!(g.next().unwrap().unwrap(), 105);
    assert_eq!(g.throw(std::fmt::Error).unwrap(), Some(0), "handled");
    assert_eq!(text(g.throw(Error::msg("x"))), "x");
    assert!(g.next().is_none());
    assert_eq!(text(g.throw(Error::msg("late"))), "late");
    assert_eq!(log.take(), ["x"]);
    let mut g = sums(&log);
    g.next();
    g.close().unwrap();
    g.close().unwrap();
    assert_eq!(log.take(), [exit_text()]);
    let mut g = sums(&log);
    g.close().unwrap();
    assert!(g.next().is_none(), "closed before it had begun");
    assert_eq!(text(sums(&log).throw(Error::msg("early"))), "early");
    assert!(log.take().is_empty());
}

/// What holds the yield may be out of the body's hands, and be dropped while that is suspended.
#[test]
fn g10_an_error_for_a_yield_that_is_gone_is_raised_at_the_next() {
    let yielder = OnceCell::new();
    let waiting: RefCell<Option<Yield<'_, i32, ()>>> = RefCell::default();
    let mut g = sync_generator(async |y: Yielder<i32>| {
        let y = yielder.get_or_init(|| y);
        for i in 0.. {
            waiting.replace(Some(y.yield_(i)));
            let went_on = poll_fn(|cx| match &mut *waiting.borrow_mut() {
                Some(waiting) => Pin::new(waiting).poll(cx).map(Some),
                None => Poll::Ready(None),
            });
            match went_on.await {
                Some(outcome) => _ = outcome?,
                None => _ = y.yield_(-i).await?,
            }
        }
        Ok(())
    });
    assert_eq!(g.next().unwrap().unwrap(), 0);
    assert_eq!(g.next().unwrap().unwrap(), 1);
    waiting.take();
    assert_eq!(g.send(()).unwrap(), Some(-1)); // the value is lost with its yield
    assert_eq!(g.next().unwrap().unwrap(), 2);
    waiting.take();
    assert_eq!(text(g.throw(Error::msg("thrown"))), "thrown");
    assert!(g.next().is_none());
}

#[test]
fn g10_dropped_half_way_it_cleans_up_there_and_then() {
    let log = Log::new();
    let mut g = sync_generator(counting(&log));
    g.next();
    g.next();
    drop(g);
    assert_eq!(log.take(), [format!("left at 1: {}", exit_text())]);
    drop(sync_generator(counting(&log)));
    assert!(log.take().is_empty(), "not begun");
    // What goes wrong then is reported.
    let ((), records) = recording(|| {
        let mut g = sync_generator(async |y: Yielder<u32>| {
            drop(y.yield_(1).await);
            Err(Error::msg("out of paper"))
        });
        g.next();
    });
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].field("error"), "out of paper");
    assert!(records[0].field("generator").contains(file!()));
}

#[test]
fn g10_the_same_yield_rule() {
    let mut g = sync_generator(async |y: Yielder<u32>| {
        y.yield_(1).await?;
        let guard = prevent_yields("a lock");
        let error = y.yield_(2).await.unwrap_err();
        assert!(error.is::<YieldInCancelScope>() && error.to_string().contains("a lock"));
        drop(guard);
        y.yield_(3).await?;
        Ok(())
    });
    assert_eq!(g.by_ref().collect::<Result<Vec<_>>>().unwrap(), [1, 3]);
    run(async {
        let mut g = sync_generator(async |y: Yielder<u32>| {
            cancel_scope(async |_| y.yield_(1).await).await.map(drop)
        });
        assert!(g.next().unwrap().unwrap_err().is::<YieldInCancelScope>());
        // Inside of its consumer's scope it may.
        cancel_scope(async |_| {
            let mut g = sync_generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop));
            assert_eq!(g.next().unwrap()?, 1);
            Ok(())
        })
        .await?;
        // And inside of another generator, where its yields are its own.
        let mut outer = generator(async |y: Yielder<u32>| {
            for i in sync_generator(async |y: Yielder<u32>| {
                y.yield_(1).await?;
                y.yield_(2).await.map(drop)
            }) {
                y.yield_(10 * i?).await?;
            }
            Ok(())
        });
        assert_eq!((outer.anext().await?, outer.anext().await?), (Some(10), Some(20)));
        assert_eq!(outer.anext().await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g10_waiting_for_anything_else_is_an_error() {
    run(async {
        let drops = Drops::default();
        let mut g = sync_generator(async |y: Yielder<u32>| {
            let _guard = drops.guard();
            y.yield_(1).await?;
            sleep(secs(1)).await
        });
        assert_eq!(g.next().unwrap()?, 1);
        let error = g.next().unwrap().unwrap_err();
        assert!(error.is::<GeneratorMisused>() && error.to_string().contains("`generator`"));
        assert_eq!(drops.count(), 1);
        assert!(g.next().is_none());
        Ok(())
    })
    .unwrap();
}

#[test]
fn g10_a_panic_finishes_it() {
    let mut g = sync_generator(async |y: Yielder<u32>| {
        y.yield_(1).await?;
        panic!("x");
    });
    assert_eq!(g.next().unwrap().unwrap(), 1);
    assert_eq!(panics(|| g.next().map(|_| ())), "x");
    assert!(g.next().is_none());
    g.close().unwrap();
    drop(g);
    // Dropped while its own panic unwinds: a second panic there would abort.
    let text = panics(|| {
        let mut g = sync_generator(async |_: Yielder<u32>| panic!("unwinds"));
        g.next().map(|_| ())
    });
    assert_eq!(text, "unwinds");
}

// G11

#[test]
fn g11_it_may_move_to_another_task_between_yields() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let (to_tasks, gs) = channel::<(u32, Generator<'static, u32>)>(0);
        let got = Rc::new(RefCell::new(Vec::new()));
        nursery(async |n| {
            for worker in 0..3_u32 {
                let (gs, again, got) = (&gs, &to_tasks, &got);
                drop(n.spawn(async move {
                    while let Some((turn, mut g)) = gs.recv().await? {
                        // In a scope of the task's own.
                        let value = fail_after(secs(10), g.anext()).await?.unwrap();
                        got.borrow_mut().push((turn, value, worker));
                        if turn == 8 {
                            g.aclose().await?;
                            again.close();
                        } else {
                            again.send((turn + 1, g)).await?;
                        }
                    }
                    Ok(())
                }));
            }
            let g = generator(async |y: Yielder<u32>| {
                for i in 0.. {
                    nursery(async |n| {
                        drop(n.spawn(sleep(secs(1))));
                        Ok(())
                    })
                    .await?;
                    y.yield_(i).await?;
                }
                Ok(())
            });
            to_tasks.send((0, g)).await?;
            Ok(())
        })
        .await?;
        let got = got.take();
        assert!(got.iter().all(|(turn, value, _)| turn == value), "{got:?}");
        assert_eq!((got.len(), clock.elapsed()), (9, secs(9)));
        let workers: std::collections::BTreeSet<_> = got.iter().map(|(_, _, who)| who).collect();
        assert!(workers.len() > 1, "more than one task has driven it: {got:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn g11_a_body_in_flight_moves_as_well() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        for foreign in [false, true] {
            let begun = clock.elapsed();
            let event = Rc::new(Event::new());
            let waits = event.clone();
            let mut g = generator(async move |y: Yielder<u32>| {
                if foreign {
                    let all = (0..50).map(|_| waits.wait());
                    all.collect::<FuturesUnordered<_>>().try_collect::<Vec<_>>().await?;
                } else {
                    waits.wait().await?;
                }
                sleep(secs(1)).await?;
                y.yield_(1).await.map(drop)
            });
            let g = nursery(async |n| {
                let first = n.spawn(async move {
                    assert!(poll_once(g.anext()).await.is_none());
                    Ok(g)
                });
                let mut g = first.await?;
                let second = n.spawn(async move {
                    assert_eq!(g.anext().await?, Some(1));
                    Ok(g)
                });
                sleep(secs(1)).await?;
                event.set();
                second.await
            })
            .await?;
            assert_eq!(clock.elapsed() - begun, secs(2), "foreign: {foreign}");
            aclosing(g, async |_| Ok(())).await?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn g11_cancelling_the_task_it_was_in_does_not_reach_it() {
    run(async {
        let scope = CancelScope::new();
        let log = Log::new();
        let mut g = generator(counting(&log));
        scope.enter(async |_| g.anext().await).await?;
        scope.cancel();
        let mut g = nursery(async |n| {
            let moved = n.spawn(async move {
                assert_eq!(g.anext().await?, Some(1));
                Ok(g)
            });
            let g = moved.await?;
            n.cancel();
            Ok(g)
        })
        .await?;
        assert_eq!(g.anext().await?, Some(2));
        assert!(log.take().is_empty());
        g.aclose().await
    })
    .unwrap();
}

// Uncommon ways of yielding and driving.

#[test]
fn g01_two_yields_at_once_are_one_and_an_error() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            let (first, second) = join(y.yield_(1), y.yield_(2)).await;
            first?;
            let misused = second.unwrap_err();
            assert!(misused.is::<YielderMisused>());
            assert!(misused.to_string().contains("another yield"), "{misused}");
            y.yield_(3).await?;
            Ok(())
        });
        assert_eq!(g.anext().await?, Some(1));
        assert_eq!(g.anext().await?, Some(3));
        assert_eq!(g.anext().await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_a_yield_comes_before_another_has_noticed_that_it_was_resumed() {
    // `FuturesUnordered` stops after two futures that woke themselves, so the third one yields
    // only when the first one has been resumed.
    run(async {
        let misused = Rc::new(Cell::new(0));
        let count = misused.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            let one = async |i, first: bool| {
                let waking = async {
                    yield_now().await?;
                    yield_now().await
                };
                match first {
                    true => drop(select(pin!(waking), pin!(y.yield_(i))).await),
                    false => {
                        if i < 3 {
                            waking.await?;
                        }
                        if y.yield_(i).await.is_err_and(|error| error.is::<YielderMisused>()) {
                            count.set(count.get() + 1);
                        }
                    }
                }
                Ok::<_, Error>(())
            };
            let all: FuturesUnordered<_> = (1..=4).map(|i| one(i, i == 1)).collect();
            all.try_collect::<Vec<_>>().await?;
            Ok(())
        });
        let mut got = Vec::new();
        while let Some(i) = g.anext().await? {
            got.push(i);
        }
        assert_eq!(got.len() + misused.get(), 4, "{got:?}: each is handed over or refused");
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_a_yield_beside_other_work_waits_for_it() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let mut g = generator(async |y: Yielder<u32>| {
            for i in 0..2 {
                // The work goes on only while the body runs, but its timer does in any case.
                let (resumed, slept) = join(y.yield_(i), sleep(secs(10))).await;
                resumed?;
                slept?;
            }
            Ok(())
        });
        assert_eq!(g.anext().await?, Some(0));
        assert_eq!(g.state(), GeneratorState::Suspended);
        sleep(secs(4)).await?;
        assert_eq!(g.anext().await?, Some(1));
        assert_eq!(clock.elapsed(), secs(10));
        sleep(secs(20)).await?;
        assert_eq!(g.anext().await?, None);
        assert_eq!(clock.elapsed(), secs(30));
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_a_yield_that_is_given_up_in_the_same_breath_is_none() {
    run(async {
        let drops = Drops::default();
        let made = drops.clone();
        let mut g = generator(async move |y: Yielder<(u32, support::DropGuard)>| {
            assert!(poll!(y.yield_((1, made.guard()))).is_pending());
            sleep(secs(1)).await?; // not suspended: it runs
            assert!(poll!(y.yield_((2, made.guard()))).is_pending());
            y.yield_((3, made.guard())).await?;
            Ok(())
        });
        assert_eq!(g.anext().await?.map(|(i, _)| i), Some(3));
        assert_eq!(drops.count(), 3);
        assert!(g.anext().await?.is_none());
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_yields_under_a_combinator_that_polls_only_what_was_woken() {
    run(async {
        let mut g = generator(async |y: Yielder<u32, u32>| {
            let mut queue = VecDeque::from([1, 2, 3]);
            while let Some(i) = queue.pop_front() {
                let mut all: FuturesUnordered<_> = [y.yield_(i)].into_iter().collect();
                let sent = all.next().await.unwrap()?;
                queue.extend(sent);
            }
            Ok(())
        });
        assert_eq!(g.anext().await?, Some(1));
        assert_eq!(g.asend(9).await?, Some(2));
        assert_eq!(g.anext().await?, Some(3));
        assert_eq!(g.anext().await?, Some(9));
        assert_eq!(text(g.athrow(Error::msg("x")).await), "x");
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_driven_under_a_combinator_that_polls_only_what_was_woken() {
    run(async {
        let mut gs: Vec<_> = (0..3_u32)
            .map(|i| {
                generator(async move |y: Yielder<u32>| {
                    for j in 0..3 {
                        yield_now().await?;
                        y.yield_(10 * i + j).await?;
                    }
                    Ok(())
                })
            })
            .collect();
        let mut got = Vec::new();
        for _ in 0..3 {
            let mut round: FuturesUnordered<_> = gs.iter_mut().map(Generator::anext).collect();
            while let Some(value) = round.next().await {
                got.extend(value?);
            }
        }
        got.sort_unstable();
        assert_eq!(got, [0, 1, 2, 10, 11, 12, 20, 21, 22]);
        for mut g in gs {
            assert_eq!(g.anext().await?, None);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_outside_of_a_run_it_is_an_error() {
    let mut g = ticker();
    let error = futures::executor::block_on(g.anext()).unwrap_err();
    assert!(error.is::<NotRunning>());
    assert_eq!(g.state(), GeneratorState::Created);
    // It can be begun later.
    run(async {
        assert_eq!(g.anext().await?, Some(1));
        g.aclose().await
    })
    .unwrap();
}

/// A checkpoint in a synchronous generator looks for cancellation, and waits for nobody, however
/// often.
#[test]
fn g10_checkpoints_in_a_synchronous_generator() {
    run(async {
        let numbers = sync_generator(async |y: Yielder<u32>| {
            for i in 0..1000 {
                checkpoint().await?;
                y.yield_(i).await?;
            }
            Ok(())
        });
        assert_eq!(numbers.collect::<Result<Vec<_>>>()?.len(), 1000);
        cancel_scope(async |scope| {
            let mut one = sync_generator(async |y: Yielder<u32>| {
                checkpoint().await?;
                y.yield_(1).await.map(drop)
            });
            scope.cancel();
            assert!(one.next().unwrap().unwrap_err().is::<Cancelled>());
            Ok(())
        })
        .await
        .map(drop)
    })
    .unwrap();
}

#[test]
fn g01_an_asend_is_over_when_it_is_ready() {
    run(async {
        let mut g = generator(async |y: Yielder<u8, u8>| {
            while y.yield_(1).await?.is_some() {}
            y.yield_(2).await.map(drop)
        });
        g.anext().await?;
        let mut sending = g.asend(1);
        assert!(poll_once(Pin::new(&mut sending)).await.is_some());
        let again = catching(async { poll_once(Pin::new(&mut sending)).await.is_some() }).await;
        assert!(again.is_err(), "a panic, not a wait for ever");
        drop(sending);
        assert_eq!(g.anext().await?, Some(2), "the body was left alone");
        g.aclose().await
    })
    .unwrap();
}
