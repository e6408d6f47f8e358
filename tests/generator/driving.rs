//! G1, G2 and G3: driving a generator from its start to its end.

use seedbed::{
    AsendError, Error, Generator, GeneratorMisused, GeneratorState, Yielder, aclosing, checkpoint,
    generator, sleep, yield_now,
};

use super::text;
use crate::support::{self, Drops, Log, catching, count, counting, recording, run, secs};

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
        // And nothing is broken.
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
