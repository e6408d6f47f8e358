//! G7: an `anext` or `asend` that is dropped in flight.

use std::pin::pin;

use futures::TryStreamExt;
use futures::future::{Either, select};
use futures::stream::FuturesUnordered;
use seedbed::testing::VirtualClock;
use seedbed::{
    AsendError, Error, GeneratorMisused, GeneratorState, Yielder, cancel_scope, fail_after,
    generator, move_on_after, nursery, sleep, sleep_forever,
};

use crate::support::{poll_once, run, run_on, secs};

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
