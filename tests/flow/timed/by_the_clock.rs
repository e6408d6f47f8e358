//! What comes when, to the millisecond of a virtual clock.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use seedbed::flow::{Flow, Source};
use seedbed::{
    CapacityLimiter, Error, Result, TooSlow, Yielder, cancel_scope, flow, generator, move_on_after,
    now, sleep,
};

use crate::numbers;
use crate::support::{Log, panics, recording, run, secs, shape};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// 0, 1, 2, …, each so many milliseconds after it was asked for. After the last of these pauses
/// comes the end.
fn after(pauses: &'static [u64]) -> Flow<'static, impl Source<Value = u32>> {
    flow(generator(async move |y: Yielder<u32>| {
        for (i, pause) in (0..).zip(pauses) {
            sleep(ms(*pause)).await?;
            if i as usize + 1 < pauses.len() {
                y.yield_(i).await?;
            }
        }
        Ok(())
    }))
}

/// When each item came, in milliseconds, to a consumer who is busy for some time after each.
fn timed<'a, T>(flow: Flow<'a, impl Source<Value = T> + 'a>, busy: u64) -> Vec<(u64, T)> {
    run(async {
        let start = now();
        let mut all = Vec::new();
        flow.for_each(async |item| {
            all.push((since(start), item));
            sleep(ms(busy)).await
        })
        .await?;
        Ok(all)
    })
    .unwrap()
}

fn since(start: Instant) -> u64 {
    (now() - start).as_millis() as u64
}

#[test]
fn o01_throttle_keeps_items_apart() {
    // As fast as it may; the first one comes at once.
    let fast = flow::from_iter(0..4).throttle(ms(100));
    assert_eq!(timed(fast, 0), [(0, 0), (100, 1), (200, 2), (300, 3)]);
    // What is slow anyway is not held up.
    let slow = after(&[50, 150, 30, 0]).throttle(ms(100));
    assert_eq!(timed(slow, 0), [(50, 0), (200, 1), (300, 2)]);
    // A consumer that was busy does not get several at once to catch up.
    let busy = flow::from_iter(0..3).throttle(ms(100));
    assert_eq!(timed(busy, 250), [(0, 0), (250, 1), (500, 2)]);
    assert_eq!(timed(flow::from_iter(0..3).throttle(Duration::ZERO), 0), [(0, 0), (0, 1), (0, 2)]);
}

/// The end and an error are not held up, and the pause survives a `next` that is cancelled.
#[test]
fn o01_throttle_holds_up_nothing_but_items() {
    run(async {
        let start = now();
        let failing = flow::from_iter([1, 2])
            .try_map(|i| if i < 2 { Ok(i) } else { Err(Error::msg("torn")) });
        failing
            .throttle(secs(9))
            .open(async |items| {
                assert_eq!(items.next().await?, Some(1));
                assert_eq!(shape(&items.next().await.unwrap_err()), "torn");
                assert_eq!(since(start), 0);
                Ok(())
            })
            .await?;
        // A pause beyond the clock's time never ends.
        flow::from_iter([1, 2])
            .throttle(Duration::MAX)
            .open(async |items| {
                assert_eq!(items.next().await?, Some(1));
                assert_eq!(move_on_after(secs(1_000_000), items.next()).await?, None);
                Ok(())
            })
            .await
    })
    .unwrap();
}

#[test]
fn o01_sample_gives_the_newest_of_each_period() {
    // At 0, 30, 60, …, 270, and the end at 300.
    let even = || after(&[0, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30]);
    assert_eq!(timed(even().sample(ms(100)), 0), [(100, 3), (200, 6), (300, 9)]);
    // Of a period without items comes nothing, and of the last one its newest, at the end.
    let uneven = after(&[10, 10, 300, 15, 5]);
    assert_eq!(timed(uneven.sample(ms(100)), 0), [(100, 1), (340, 3)]);
    // While the consumer is busy, the source goes on.
    assert_eq!(timed(even().sample(ms(100)), 145), [(100, 3), (245, 8), (390, 9)]);
    // Only the last one, as the period never ends.
    assert_eq!(timed(even().sample(Duration::MAX), 0), [(300, 9)]);
}

#[test]
fn o01_sample_gives_the_newest_before_an_error() {
    run(async {
        let failing =
            after(&[10, 10, 10]).try_map(|i| if i < 1 { Ok(i) } else { Err(Error::msg("torn")) });
        failing
            .sample(secs(1))
            .open(async |items| {
                assert_eq!(items.next().await?, Some(0));
                assert_eq!(shape(&items.next().await.unwrap_err()), "torn");
                assert_eq!(items.next().await?, None);
                Ok(())
            })
            .await
    })
    .unwrap();
    let text = panics(|| flow::from_iter([1]).sample(Duration::ZERO));
    assert!(text.contains("must not be zero"), "{text}");
}

#[test]
fn o01_debounce_gives_what_settles() {
    let keys = || after(&[10, 20, 20, 200, 20, 20]);
    assert_eq!(timed(keys().debounce(ms(100)), 0), [(150, 2), (290, 4)]);
    // Nothing that has settled is left out because the consumer is busy: the source has to wait.
    let slow = || after(&[10, 200, 200, 200, 20]);
    assert_eq!(timed(slow().debounce(ms(100)), 0), [(110, 0), (310, 1), (510, 2), (630, 3)]);
    let busy: Vec<_> = timed(slow().debounce(ms(100)), 1000);
    assert_eq!(busy.iter().map(|(_, i)| *i).collect::<Vec<_>>(), [0, 1, 2, 3]);
    // With no quiet time nothing is left out, and with an endless one all but the last.
    assert_eq!(timed(flow::from_iter(0..3).debounce(Duration::ZERO), 0), [(0, 0), (0, 1), (0, 2)]);
    assert_eq!(timed(keys().debounce(Duration::MAX), 0), [(290, 4)]);
}

/// Whichever runs first, an item that comes when the quiet time ends is too late to replace the one
/// before.
#[test]
fn o01_debounce_at_the_very_end_of_the_quiet_time() {
    assert_eq!(timed(after(&[0, 100, 99, 100]).debounce(ms(100)), 0), [(100, 0), (299, 2)]);
}

#[test]
fn o01_debounce_gives_the_last_one_before_an_error() {
    let failing =
        || after(&[10, 10, 10]).try_map(|i| if i < 1 { Ok(i) } else { Err(Error::msg("torn")) });
    run(failing().debounce(secs(1)).open(async |items| {
        assert_eq!(items.next().await?, Some(0));
        assert_eq!(shape(&items.next().await.unwrap_err()), "torn");
        Ok(())
    }))
    .unwrap();
    let (first, records) = recording(|| run(failing().debounce(secs(1)).first()));
    assert_eq!(first.unwrap(), Some(0));
    let [record] = &records[..] else { panic!("{records:?}") };
    assert!(record.field("error").contains("torn"), "{record:?}");
}

#[test]
fn o01_chunks_timeout_gives_a_chunk_when_it_is_full_or_due() {
    let items = || after(&[10, 10, 10, 10, 200, 10, 10]);
    assert_eq!(
        timed(items().chunks_timeout(3, ms(50)), 0),
        [(30, vec![0, 1, 2]), (90, vec![3]), (260, vec![4, 5])]
    );
    // Full before it is due, or never due.
    assert_eq!(
        timed(items().chunks_timeout(2, Duration::MAX), 0),
        [(20, vec![0, 1]), (40, vec![2, 3]), (250, vec![4, 5])]
    );
    // The time counts from when the first item arrived, and not from when it was asked for.
    assert_eq!(
        timed(after(&[10, 100, 10, 300]).chunks_timeout(9, ms(50)), 80),
        [(60, vec![0]), (160, vec![1, 2])]
    );
    // Any number of them.
    assert_eq!(
        timed(items().chunks_timeout(usize::MAX, Duration::MAX), 0),
        [(260, vec![0, 1, 2, 3, 4, 5])]
    );
    // Never an empty one.
    assert_eq!(timed(after(&[1000]).chunks_timeout(9, ms(50)), 0), []);
}

/// The next chunk grows while the consumer is busy, up to its full size, and no further.
#[test]
fn o01_chunks_timeout_works_ahead_by_one_chunk() {
    let begun = RefCell::new(Vec::new());
    run(async {
        let start = now();
        let items = after(&[10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10]);
        let items = items.inspect(|_| begun.borrow_mut().push(since(start)));
        let mut chunks = Vec::new();
        items
            .chunks_timeout(3, ms(15))
            .for_each(async |chunk| {
                chunks.push((since(start), chunk));
                sleep(ms(1000)).await
            })
            .await?;
        assert_eq!(
            chunks,
            [(25, vec![0, 1]), (1025, vec![2, 3, 4]), (2025, vec![5, 6, 7]), (3025, vec![8, 9])]
        );
        // Three are begun and not taken: the fourth is begun when the chunk is taken.
        assert_eq!(begun.take()[4..7], [50, 1035, 1045]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn o01_chunks_timeout_loses_nothing_to_an_error() {
    let failing = after(&[10, 10, 10, 10, 10, 10])
        .try_map(|i| if i < 3 { Ok(i) } else { Err(Error::msg("torn")) });
    run(failing.chunks_timeout(2, secs(1)).open(async |chunks| {
        assert_eq!(chunks.next().await?, Some(vec![0, 1]));
        assert_eq!(chunks.next().await?, Some(vec![2]));
        assert_eq!(shape(&chunks.next().await.unwrap_err()), "torn");
        assert_eq!(chunks.next().await?, None);
        Ok(())
    }))
    .unwrap();
    let text = panics(|| flow::from_iter([1]).chunks_timeout(0, secs(1)));
    assert!(text.contains("a chunk of 0 items"), "{text}");
}

#[test]
fn o01_timeout_is_a_limit_on_each_item() {
    // The consumer's time does not count.
    assert_eq!(
        timed(after(&[90, 90, 90, 90]).timeout(ms(100)), 500),
        [(90, 0), (590, 1), (1090, 2)]
    );
    let log = RefCell::new(Vec::new());
    let error = run(async {
        let start = now();
        let slow = after(&[90, 10, 150, 10]).timeout(ms(100));
        slow.for_each(async |i| {
            log.borrow_mut().push((since(start), i));
            Ok(())
        })
        .await
    })
    .unwrap_err();
    assert_eq!(log.take(), [(90, 0), (100, 1)]);
    let slow = error.find::<TooSlow>().unwrap();
    assert_eq!(slow.limit(), Some(ms(100)));
    assert!(slow.place().to_string().contains("by_the_clock.rs"), "{slow}");
    assert!(slow.to_string().contains("an item took longer than the limit of 100ms"), "{slow}");
    // So is the wait for the end.
    let outcome = run(after(&[10, 150]).timeout(ms(100)).count());
    assert!(outcome.unwrap_err().is::<TooSlow>());
    // What is ready at once is in time for a limit of zero.
    assert_eq!(run(flow::from_iter(0..3).timeout(Duration::ZERO).count()).unwrap(), 3);
}

/// A source that is too slow is cancelled, cleans up for as long as it takes, and only then does the
/// consumer learn of it.
#[test]
fn o02_timeout_waits_for_the_clean_up() {
    let log = Log::new();
    run(async {
        let inside = log.clone();
        let stuck = flow(generator(async move |y: Yielder<u32>| {
            y.yield_(1).await?;
            let outcome = sleep(secs(100)).await;
            inside.add("cancelled");
            crate::support::shielded(sleep(secs(7))).await?;
            inside.add("cleaned up");
            outcome
        }));
        let start = now();
        stuck
            .timeout(secs(5))
            .open(async |items| {
                assert_eq!(items.next().await?, Some(1));
                assert!(items.next().await.unwrap_err().is::<TooSlow>());
                assert_eq!(since(start), 12_000);
                assert_eq!(log.take(), ["cancelled", "cleaned up"]);
                assert_eq!(items.next().await?, None);
                Ok(())
            })
            .await
    })
    .unwrap();
}

/// An item that the source gives although it was cancelled is not lost.
#[test]
fn o01_timeout_gives_an_item_that_comes_nevertheless() {
    let stubborn = flow(generator(async |y: Yielder<u32>| {
        drop(sleep(secs(100)).await); // seedbed-lint: allow(swallowed-cancellation)
        y.yield_(1).await?;
        sleep(secs(100)).await
    }));
    run(stubborn.timeout(secs(5)).open(async |items| {
        assert_eq!(items.next().await?, Some(1));
        assert!(items.next().await.unwrap_err().is::<TooSlow>());
        Ok(())
    }))
    .unwrap();
}

/// The cancellation of a scope around it is not a time limit.
#[test]
fn o01_timeout_lets_other_cancellations_pass() {
    let log = Log::new();
    let value = run(cancel_scope(async |scope| {
        numbers(&log)
            .timeout(secs(5))
            .for_each(async |i| {
                if i == 3 {
                    scope.cancel();
                }
                Ok(())
            })
            .await
    }));
    assert_eq!(value.unwrap(), None);
    assert_eq!(log.take(), ["begun", "cut off"]);
}

/// No futurelock: the source waits for, or has, what the consumer wants.
#[test]
fn o01_time_operators_and_their_consumer_can_use_one_lock() {
    async fn check<T>(
        operator: impl FnOnce(crate::table::Numbers) -> Flow<'static, T>,
    ) -> Result<()>
    where
        T: Source + 'static,
    {
        let lock = CapacityLimiter::new(1);
        let same = lock.clone();
        let rows = generator(async move |y: Yielder<u32>| {
            for row in 0..5 {
                y.yield_(row).await?;
                let permit = same.acquire().await?;
                sleep(ms(40)).await?;
                drop(permit);
            }
            Ok(())
        });
        operator(flow(rows).boxed())
            .for_each(async |_| {
                let _permit = lock.acquire().await?;
                sleep(ms(40)).await
            })
            .await
    }
    run(async {
        check(|rows| rows.chunks_timeout(9, ms(60))).await?;
        check(|rows| rows.sample(ms(50))).await?;
        check(|rows| rows.debounce(ms(10))).await?;
        check(|rows| rows.throttle(ms(10))).await?;
        check(|rows| rows.timeout(ms(500))).await
    })
    .unwrap();
}
