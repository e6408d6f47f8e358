//! G1: uncommon ways of yielding and of driving.

use std::cell::Cell;
use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::rc::Rc;

use futures::future::{join, select};
use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt, poll};
use seedbed::testing::VirtualClock;
use seedbed::{
    Error, Generator, GeneratorState, NotRunning, Yielder, YielderMisused, generator, sleep,
    yield_now,
};

use super::introspection::ticker;
use super::text;
use crate::support::{self, Drops, catching, poll_once, run, run_on, secs};

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
