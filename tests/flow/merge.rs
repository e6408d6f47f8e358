//! `merge`: the items of several flows, as they come.

use seedbed::testing::explore;
use seedbed::{CapacityLimiter, Error, Yielder, flow, generator, sleep, yield_now};

use crate::support::{Log, run, secs, shape};
use crate::{numbered, numbers};

#[test]
fn o01_merge_gives_items_as_they_come() {
    let all = run(async {
        let every = |period: u64, name: &'static str| {
            flow(generator(async move |y: Yielder<String>| {
                for i in 0..3 {
                    sleep(secs(period)).await?;
                    y.yield_(format!("{name}{i}")).await?;
                }
                Ok(())
            }))
        };
        every(20, "a").merge(every(35, "b")).collect::<Vec<_>>().await
    });
    assert_eq!(all.unwrap(), ["a0", "b0", "a1", "a2", "b1", "b2"]);
}

/// Nothing is lost, and each flow's items stay in order.
#[test]
fn o01_merge_in_every_order() {
    let report = explore(|| async {
        let all = flow::from_iter([0, 1]).merge(flow::from_iter([10, 11]));
        let all: Vec<_> = all.collect().await?;
        let (tens, ones): (Vec<_>, Vec<_>) = all.into_iter().partition(|&i| i >= 10);
        assert_eq!((ones, tens), (vec![0, 1], vec![10, 11]));
        Ok(())
    });
    assert!(report.is_complete(), "{report}");
}

/// No futurelock: one flow has the lock, and the other gives an item.
#[test]
fn o01_merge_and_its_consumer_can_use_one_lock() {
    explore(|| async {
        let lock = CapacityLimiter::new(1);
        let locked = || {
            let lock = lock.clone();
            flow(generator(async move |y: Yielder<u32>| {
                drop(lock.acquire().await?);
                y.yield_(1).await.map(drop)
            }))
        };
        let mut count = 0;
        locked()
            .merge(locked())
            .for_each(async |i| {
                let _permit = lock.acquire().await?;
                count += i;
                Ok(())
            })
            .await?;
        assert_eq!(count, 2);
        Ok(())
    });
}

/// The other flow's clean-up is not cut off by the failure of the first.
#[test]
fn o02_merge_closes_the_others_when_one_fails() {
    let log = Log::new();
    let failing = flow(generator(async |y: Yielder<u32>| {
        y.yield_(0).await?;
        yield_now().await?;
        Err(Error::msg("worn out"))
    }));
    let outcome = run(failing.merge(numbers(&log)).for_each(async |_| Ok(())));
    assert_eq!(shape(&outcome.unwrap_err()), "worn out");
    assert_eq!(log.take(), ["begun", "closed"]);
}

/// Both fail at once: nothing is lost.
#[test]
fn o01_merge_tells_of_all_failures() {
    let outcome = run(async {
        let failing = || {
            flow(generator(async |y: Yielder<u32>| {
                y.yield_(0).await?;
                sleep(secs(1)).await.ok();
                Err(Error::msg("worn out"))
            }))
        };
        failing().merge(failing()).for_each(async |_| Ok(())).await
    });
    assert_eq!(shape(&outcome.unwrap_err()), "[worn out worn out]");
}

#[test]
fn o02_merge_of_many_closes_all() {
    let logs = [Log::new(), Log::new(), Log::new()];
    let flows = logs.each_ref().map(|log| numbered(log, |_| Ok(())));
    run(flow::merge(flows).open(async |items| {
        for _ in 0..9 {
            items.next().await?;
        }
        Ok(())
    }))
    .unwrap();
    for log in logs {
        assert_eq!(log.take(), ["begun", "closed"]);
    }
}
