//! `merge` and `flat_map_merge`: the items of several flows, as they come.

use std::cell::Cell;
use std::rc::Rc;

use seedbed::testing::{Explore, explore};
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
                sleep(secs(1)).await.ok(); // seedbed-lint: allow(swallowed-cancellation)
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

/// Up to `n` flows are open at once, and as many as that.
#[test]
fn o01_flat_map_merge_keeps_to_its_limit() {
    for n in 1..4 {
        let (open, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let all = run(flow::from_iter(0..6)
            .flat_map_merge(n, |i| {
                let (open, most) = (open.clone(), most.clone());
                flow(generator(async move |y: Yielder<u32>| {
                    open.set(open.get() + 1);
                    most.set(open.get().max(most.get()));
                    sleep(secs(1)).await?;
                    y.yield_(i).await?;
                    sleep(secs(1)).await?;
                    open.set(open.get() - 1);
                    Ok(())
                }))
            })
            .collect::<Vec<_>>());
        let mut all = all.unwrap();
        all.sort();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
        assert_eq!(most.get(), n);
    }
}

/// All that are open are closed when one fails, or when the consumer leaves, in every order.
#[test]
fn o02_flat_map_merge_closes_all() {
    for fails in [0, 9] {
        Explore::new().max_schedules(1000).random_schedules(200).check(|| async {
            let log = Log::new();
            let outcome = flow::from_iter(0..2)
                .flat_map_merge(2, |i| {
                    let log = log.clone();
                    flow(generator(async move |y: Yielder<u32>| {
                        log.add("begun");
                        let outcome = async {
                            y.yield_(i).await?;
                            if i == fails { Err(Error::msg("worn out")) } else { Ok(()) }
                        };
                        let outcome = outcome.await;
                        sleep(secs(1)).await.ok(); // seedbed-lint: allow(swallowed-cancellation)
                        log.add("closed");
                        outcome
                    }))
                })
                .open(async |items| {
                    items.next().await?;
                    if fails == 9 {
                        Ok(None)
                    } else {
                        items.next().await?;
                        items.next().await
                    }
                });
            let outcome = outcome.await;
            if fails == 0 {
                assert_eq!(shape(&outcome.unwrap_err()), "worn out");
            }
            let log = log.take();
            let begun = log.iter().filter(|entry| *entry == "begun").count();
            assert_eq!(begun * 2, log.len(), "{log:?}");
            Ok(())
        });
    }
}
