//! `buffer`: getting items before they are asked for.

use std::cell::Cell;

use seedbed::testing::explore;
use seedbed::{CapacityLimiter, Yielder, flow, generator, sleep};

use crate::support::{panics, run, secs};

/// Never more than `n` items are begun and not taken, and as many as that.
#[test]
fn o01_buffer_keeps_to_its_limit() {
    for n in 1..4 {
        let begun = Cell::new(0);
        let most = run(flow::from_iter(0..20)
            .map(|i| {
                begun.set(begun.get() + 1);
                i
            })
            .buffer(n)
            .open(async |items| {
                let (mut taken, mut most) = (0, 0);
                while let Some(i) = items.next().await? {
                    assert_eq!(i, taken);
                    taken += 1;
                    sleep(secs(1)).await?;
                    most = most.max(begun.get() - taken);
                }
                assert_eq!(taken, 20);
                Ok(most)
            }));
        assert_eq!(most.unwrap(), n);
    }
}

/// The source goes on while the consumer does something else.
#[test]
fn o01_buffer_runs_beside_the_consumer() {
    let clock = seedbed::testing::VirtualClock::new();
    crate::support::run_on(&clock, async {
        let slow = generator(async |y: Yielder<u32>| {
            for i in 0..10 {
                sleep(secs(1)).await?;
                y.yield_(i).await?;
            }
            Ok(())
        });
        flow(slow).buffer(1).for_each(async |_| sleep(secs(1)).await).await
    })
    .unwrap();
    assert_eq!(clock.elapsed(), secs(11));
}

/// No futurelock: the source waits for a lock which the consumer has, or the other way round.
#[test]
fn o01_buffer_and_its_consumer_can_use_one_lock() {
    let report = explore(|| async {
        let lock = CapacityLimiter::new(1);
        let same = lock.clone();
        let rows = generator(async move |y: Yielder<u32>| {
            for row in 0..2 {
                drop(same.acquire().await?);
                y.yield_(row).await?;
            }
            Ok(())
        });
        let mut got = Vec::new();
        flow(rows)
            .buffer(2)
            .for_each(async |row| {
                drop(lock.acquire().await?);
                got.push(row);
                Ok(())
            })
            .await?;
        assert_eq!(got, [0, 1]);
        Ok(())
    });
    assert!(report.is_complete(), "{report}");
}

#[test]
fn o01_a_limit_of_nothing_is_refused() {
    let text = panics(|| flow::from_iter(0..3).buffer(0));
    assert!(text.contains("buffer.rs") && text.contains("limit of 0"), "{text}");
}
