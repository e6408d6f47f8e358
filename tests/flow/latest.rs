//! `map_latest` and `flat_map_latest`: only what belongs to the newest item.

use std::cell::Cell;

use seedbed::sync::Mutex;
use seedbed::testing::Explore;
use seedbed::{CancelScope, Error, Result, Yielder, flow, generator, sleep, yield_now};

use crate::support::{Log, run, secs, shape};
use crate::{numbered, table::Numbers};

/// 0, 1, 2, … at these times, in seconds.
fn at(times: &'static [u64]) -> Numbers {
    flow(generator(async move |y: Yielder<u32>| {
        let mut now = 0;
        for (i, &time) in (0..).zip(times) {
            sleep(secs(time - now)).await?;
            now = time;
            y.yield_(i).await?;
        }
        Ok(())
    }))
    .boxed()
}

async fn pauses(i: u32) -> Result<u32> {
    yield_now().await?;
    yield_now().await?;
    Ok(i)
}

#[test]
fn o01_map_latest_gives_what_is_made_in_time() {
    let work = async |i| sleep(secs(5)).await.map(|()| i);
    let all = run(at(&[1, 3, 10, 11, 12]).map_latest(work).collect::<Vec<_>>());
    assert_eq!(all.unwrap(), [1, 4]);
}

/// The next call begins when the former one has cleaned up.
#[test]
fn o01_map_latest_waits_for_the_former_call() {
    let log = Log::new();
    let work = async |i: u32| {
        log.add(format!("begins {i}"));
        let outcome = sleep(secs(5)).await;
        if outcome.is_err() {
            CancelScope::new().with_shield().enter(async |_| sleep(secs(10)).await).await?;
            log.add(format!("has cleaned up {i}"));
        }
        outcome.map(|()| i)
    };
    let all = run(at(&[1, 2, 3]).map_latest(work).collect::<Vec<_>>());
    assert_eq!(all.unwrap(), [2]);
    let expected = ["begins 0", "has cleaned up 0", "begins 1", "has cleaned up 1", "begins 2"];
    assert_eq!(log.take(), expected);
}

/// What was made and not asked for is given up when something newer comes.
#[test]
fn o01_map_latest_gives_up_what_is_not_wanted_in_time() {
    let all = run(at(&[1, 2, 3, 10]).map_latest(async |i| Ok(i)).open(async |items| {
        let mut all = Vec::new();
        while let Some(i) = items.next().await? {
            all.push(i);
            sleep(secs(5)).await?;
        }
        Ok(all)
    }));
    assert_eq!(all.unwrap(), [0, 2, 3]);
}

/// Never more than one call at once, and the last item's is always given.
#[test]
fn o01_map_latest_in_every_order() {
    let report = Explore::new().max_schedules(2000).random_schedules(200).check(|| async {
        let running = Cell::new(0);
        let lock = Mutex::new(());
        let work = async |i| {
            running.set(running.get() + 1);
            assert_eq!(running.get(), 1);
            let outcome = async {
                let _guard = lock.lock().await?;
                yield_now().await
            };
            let outcome = outcome.await;
            running.set(running.get() - 1);
            outcome.map(|()| i)
        };
        let mut last = None;
        flow::from_iter(0..3)
            .then(pauses)
            .map_latest(work)
            .for_each(async |i| {
                let _guard = lock.lock().await?;
                assert!(last < Some(i));
                last = Some(i);
                Ok(())
            })
            .await?;
        assert_eq!(last, Some(2));
        Ok(())
    });
    assert!(report.schedules() > 500, "{report}");
}

#[test]
fn o01_map_latest_fails_with_its_worker() {
    let log = Log::new();
    let source = numbered(&log, |_| Ok(())).then(async |i| sleep(secs(1)).await.map(|()| i));
    let work = async |i| if i < 3 { Ok(i) } else { Err(Error::msg("worn out")) };
    let outcome = run(source.map_latest(work).count());
    assert_eq!(shape(&outcome.unwrap_err()), "worn out");
    assert_eq!(log.take(), ["begun", "closed"]);
}

/// The former flow is closed before the next one is opened, and its clean-up may wait.
#[test]
fn o02_flat_map_latest_closes_the_former_flow() {
    let log = Log::new();
    let all = run(at(&[1, 4, 7])
        .flat_map_latest(|i| numbered(&log, |_| Ok(())).map(move |j| (i, j)).buffer(1))
        .open(async |items| {
            let mut all = Vec::new();
            while all.len() < 4
                && let Some(i) = items.next().await?
            {
                all.push(i);
                sleep(secs(2)).await?;
            }
            Ok(all)
        }));
    // The first one gives 0 and 1 before it is closed, at 4; that takes a second.
    assert_eq!(all.unwrap(), [(0, 0), (0, 1), (1, 0), (1, 1)]);
    let log = log.take();
    assert_eq!(log, ["begun", "closed", "begun", "closed", "begun", "closed"][..log.len()]);
    assert_eq!(log.len() % 2, 0);
}

#[test]
fn o02_flat_map_latest_closes_all_when_one_fails() {
    let (outer, inner) = (Log::new(), Log::new());
    let source = numbered(&outer, |_| Ok(())).then(async |i| sleep(secs(10)).await.map(|()| i));
    let outcome = run(source
        .flat_map_latest(|i| {
            numbered(&inner, move |j| if i + j < 2 { Ok(()) } else { Err(Error::msg("worn out")) })
        })
        .count());
    assert_eq!(shape(&outcome.unwrap_err()), "worn out");
    assert_eq!(outer.take(), ["begun", "closed"]);
    assert_eq!(inner.take(), ["begun", "closed"]);
}

#[test]
fn o02_flat_map_latest_in_every_order() {
    let report = Explore::new().max_schedules(2000).random_schedules(200).check(|| async {
        let log = Log::new();
        let mut last = None;
        flow::from_iter(0..2)
            .then(pauses)
            .flat_map_latest(|i| {
                let log = log.clone();
                flow(generator(async move |y: Yielder<u32>| {
                    log.add("begun");
                    let outcome = async {
                        y.yield_(i * 10).await?;
                        yield_now().await?;
                        y.yield_(i * 10 + 1).await.map(drop)
                    };
                    let outcome = outcome.await;
                    log.add("closed");
                    outcome
                }))
            })
            .for_each(async |i| {
                assert!(last < Some(i));
                last = Some(i);
                Ok(())
            })
            .await?;
        assert_eq!(last, Some(11));
        let log = log.take();
        assert!(log.chunks(2).all(|two| two == ["begun", "closed"]), "{log:?}");
        Ok(())
    });
    assert!(report.schedules() > 500, "{report}");
}
