//! G9: a generator is a stream. (That an item allocates nothing is in
//! `tests/generator_allocations.rs`.)

use std::pin::Pin;

use futures::future::join_all;
use futures::stream::select_all;
use futures::{Stream, StreamExt, TryStreamExt};
use seedbed::testing::VirtualClock;
use seedbed::{Error, Generator, Result, Yielder, generator, sleep};

use super::text;
use crate::support::{count, run, run_on, secs};

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
        // With this many, `join_all` polls only those that were woken.
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
