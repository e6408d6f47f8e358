//! `then`, `buffered`, `buffer_unordered` and `for_each_concurrent`: one call after another, or
//! several at once.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use seedbed::sync::Mutex;
use seedbed::testing::{Explore, VirtualClock};
use seedbed::{CancelScope, Error, Result, cancel_scope, flow, move_on_after, sleep, yield_now};

use crate::numbers;
use crate::support::{Log, catching, panics, run, run_on, secs, shape};

/// Counts what is under way.
#[derive(Default)]
struct Gauge {
    now: Cell<usize>,
    most: Cell<usize>,
}

struct Counted<'a>(&'a Gauge);

impl Gauge {
    fn begin(&self) -> Counted<'_> {
        self.now.set(self.now.get() + 1);
        self.most.set(self.most.get().max(self.now.get()));
        Counted(self)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.now.set(self.0.now.get() - 1);
    }
}

fn few() -> Explore {
    Explore::new().max_schedules(2000).random_schedules(200)
}

/// Cold: nothing is done before it is asked for, and then one item at a time.
#[test]
fn o01_then_works_when_it_is_asked_to() {
    run(async {
        let calls = Cell::new(0);
        let counted = flow::from_iter(0..).then(async |i| {
            calls.set(calls.get() + 1);
            Ok(i)
        });
        counted
            .open(async |items| {
                for i in 0..3 {
                    sleep(secs(1)).await?;
                    assert_eq!(calls.get(), i);
                    assert_eq!(items.next().await?, Some(i));
                }
                Ok(())
            })
            .await?;
        assert_eq!(calls.get(), 3);
        Ok(())
    })
    .unwrap();
}

/// Whoever gives up waiting gets the item with the next call, and no other is begun.
#[test]
fn o01_then_goes_on_when_nobody_waits() {
    run(async {
        let calls = Cell::new(0);
        let slow = flow::from_iter(0..).then(async |i| {
            calls.set(calls.get() + 1);
            sleep(secs(10)).await.map(|()| i)
        });
        slow.open(async |items| {
            assert_eq!(move_on_after(secs(1), items.next()).await?, None);
            sleep(secs(30)).await?;
            assert_eq!(calls.get(), 1);
            assert_eq!(items.next().await?, Some(0));
            sleep(secs(30)).await?;
            assert_eq!(calls.get(), 1);
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// As many as `n` are begun and not taken, never more.
#[test]
fn o01_no_more_than_n_are_begun_and_not_taken() {
    for n in 1..4 {
        for ordered in [true, false] {
            let (begun, clock) = (Cell::new(0), VirtualClock::new());
            let work = async |i: u64| {
                begun.set(begun.get() + 1);
                sleep(secs(i % 3)).await.map(|()| i)
            };
            let numbers = flow::from_iter(0..20);
            let numbers = match ordered {
                true => numbers.buffered(n, work).boxed(),
                false => numbers.buffer_unordered(n, work).boxed(),
            };
            let most = run_on(
                &clock,
                numbers.open(async |items| {
                    let (mut all, mut most) = (Vec::new(), 0);
                    while let Some(i) = items.next().await? {
                        all.push(i);
                        sleep(secs(1)).await?;
                        most = most.max(begun.get() - all.len());
                    }
                    if !ordered {
                        all.sort();
                    }
                    assert!(all.into_iter().eq(0..20));
                    Ok(most)
                }),
            );
            assert_eq!(most.unwrap(), n);
        }
    }
}

#[test]
fn o01_buffered_is_as_fast_as_its_limit_allows() {
    let clock = VirtualClock::new();
    let all = run_on(
        &clock,
        flow::from_iter(0..12)
            .buffered(4, async |i| sleep(secs(1)).await.map(|()| i))
            .collect::<Vec<_>>(),
    );
    assert!(all.unwrap().into_iter().eq(0..12));
    assert_eq!(clock.elapsed(), secs(3));
}

#[test]
fn o01_buffer_unordered_gives_items_as_they_are_ready() {
    let all = run(flow::from_iter([5, 1, 3, 2])
        .buffer_unordered(3, async |i| sleep(secs(i)).await.map(|()| i))
        .collect::<Vec<_>>());
    assert_eq!(all.unwrap(), [1, 3, 2, 5]);
}

/// In every schedule, `buffered` gives what `then` gives: the same items, and the same error after
/// the same items.
#[test]
fn o01_buffered_gives_what_then_gives() {
    for fails in 0..4 {
        let report = few().check(|| async {
            let mut got = Vec::new();
            let work = async |i: u32| {
                for _ in 0..(3 - i) {
                    yield_now().await?; // the later ones are quicker
                }
                if i == fails { Err(Error::msg("worn out")) } else { Ok(i) }
            };
            let outcome = flow::from_iter(0..3).buffered(2, work).for_each(async |i| {
                got.push(i);
                Ok(())
            });
            let outcome = outcome.await;
            assert!(got.into_iter().eq(0..fails.min(3)));
            match outcome {
                Ok(()) => assert_eq!(fails, 3),
                Err(error) => assert_eq!(shape(&error), "worn out"),
            }
            Ok(())
        });
        assert!(report.schedules() > 10);
    }
}

/// An error of the source has its place, too.
#[test]
fn o01_buffered_gives_the_items_before_an_error_of_the_source() {
    let mut got = Vec::new();
    let source =
        flow::from_iter(0..5).then(async |i| if i < 3 { Ok(i) } else { Err(Error::msg("torn")) });
    let outcome = run(source
        .buffered(4, async |i| sleep(secs(10 - i)).await.map(|()| i))
        .for_each(async |i| {
            got.push(i);
            Ok(())
        }));
    assert_eq!(shape(&outcome.unwrap_err()), "torn");
    assert_eq!(got, [0, 1, 2]);
}

/// Of several that fail, none is lost; and those that are cancelled have cleaned up.
#[test]
fn o01_workers_that_fail() {
    let work = async |log: &Log, i: u64| {
        let outcome = sleep(secs(i)).await;
        match (i, outcome) {
            (1, _) => Err(Error::msg("one")),
            (2, Err(_)) => Err(Error::msg("two, in its clean-up")),
            (_, Err(error)) => {
                log.add("cleaned up");
                Err(error)
            }
            (_, Ok(())) => Ok(i),
        }
    };
    let log = Log::new();
    let unordered =
        flow::from_iter([1, 2, 3]).buffer_unordered(3, async |i| work(&log, i).await).count();
    assert_eq!(shape(&run(unordered).unwrap_err()), "[one two, in its clean-up]");
    assert_eq!(log.take(), ["cleaned up"]);
    let ordered = flow::from_iter([1, 2, 3]).buffered(3, async |i| work(&log, i).await).count();
    assert_eq!(shape(&run(ordered).unwrap_err()), "[one two, in its clean-up]");
    assert_eq!(log.take(), ["cleaned up"]);
    let consumed =
        flow::from_iter([1, 2, 3]).for_each_concurrent(3, async |i| work(&log, i).await.map(drop));
    assert_eq!(shape(&run(consumed).unwrap_err()), "[one two, in its clean-up]");
    assert_eq!(log.take(), ["cleaned up"]);
}

/// A failure that happened while an earlier item is still being made waits for it. What is behind
/// it is not begun.
#[test]
fn o01_buffered_begins_nothing_behind_an_error() {
    let begun = RefCell::new(Vec::new());
    let mut got = Vec::new();
    let work = async |i: u64| {
        begun.borrow_mut().push(i);
        match i {
            0 => sleep(secs(10)).await?,
            1 => return Err(Error::msg("one")),
            _ => {}
        }
        Ok(i)
    };
    let outcome = run(flow::from_iter(0..).buffered(2, work).for_each(async |i| {
        got.push(i);
        Ok(())
    }));
    assert_eq!(shape(&outcome.unwrap_err()), "one");
    assert_eq!(got, [0]);
    assert_eq!(*begun.borrow(), [0, 1]);
}

/// No futurelock: workers and the consumer use one lock.
#[test]
fn o01_workers_and_their_consumer_can_use_one_lock() {
    let report = few().check(|| async {
        let lock = Mutex::new(());
        let mut all = Vec::new();
        let locked = async |i| lock.lock().await.map(|_| i);
        let buffered = flow::from_iter(0..3).buffered(2, locked).for_each(async |i| {
            let _guard = lock.lock().await?;
            all.push(i);
            Ok(())
        });
        buffered.await?;
        assert_eq!(all, [0, 1, 2]);
        Ok(())
    });
    assert!(report.schedules() > 30, "{report}");
    let report = few().check(|| async {
        let lock = Rc::new(Mutex::new(0));
        let add = async |i| {
            let mut sum = lock.lock().await?;
            *sum += i;
            Ok(i)
        };
        flow::from_iter(1..=2)
            .then(add)
            .buffer_unordered(2, add)
            .for_each_concurrent(2, async |i| add(i).await.map(drop))
            .await?;
        assert_eq!(*lock.lock().await?, 9);
        Ok(())
    });
    assert!(report.schedules() > 30, "{report}");
}

#[test]
fn o01_for_each_concurrent_keeps_to_its_limit() {
    for n in 1..4 {
        let (gauge, clock) = (Gauge::default(), VirtualClock::new());
        run_on(
            &clock,
            flow::from_iter(0..12).for_each_concurrent(n, async |_| {
                let _counted = gauge.begin();
                sleep(secs(1)).await
            }),
        )
        .unwrap();
        assert_eq!(gauge.most.get(), n);
        assert_eq!(clock.elapsed(), secs(12 / n as u64));
    }
}

#[test]
fn o01_for_each_concurrent_in_every_order() {
    let report = few().check(|| async {
        let sum = Cell::new(0);
        flow::from_iter(1..=3)
            .for_each_concurrent(2, async |i| {
                yield_now().await?;
                sum.set(sum.get() + i);
                Ok(())
            })
            .await?;
        assert_eq!(sum.get(), 6);
        Ok(())
    });
    assert!(report.schedules() > 30, "{report}");
}

#[test]
fn o02_for_each_concurrent_closes_the_source() {
    let log = Log::new();
    let work = async |i| if i == 5 { Err(Error::msg("worn out")) } else { yield_now().await };
    let outcome = run(numbers(&log).for_each_concurrent(3, work));
    assert_eq!(shape(&outcome.unwrap_err()), "worn out");
    assert_eq!(log.take(), ["begun", "closed"]);

    let outcome = run(async {
        catching(numbers(&log).for_each_concurrent(3, async |_| panic!("worn out"))).await.err();
        assert_eq!(log.take(), ["begun", "closed"]);
        let stopped = cancel_scope(async |scope| {
            let work = async |i| {
                if i < 5 {
                    Ok(())
                } else {
                    scope.cancel();
                    sleep(secs(1)).await
                }
            };
            numbers(&log).for_each_concurrent(3, work).await
        });
        stopped.await
    });
    assert_eq!(outcome.unwrap(), None);
    assert_eq!(log.take(), ["begun", "cut off"]);
}

/// A worker's panic comes out of the terminal operation, when the others have cleaned up.
#[test]
fn o01_a_panic_of_a_worker_comes_out() {
    let log = Log::new();
    let work = async |i: u64| {
        if i == 3 {
            panic!("worn out");
        }
        let outcome = sleep(secs(1)).await;
        log.add(if outcome.is_ok() { "made" } else { "cleaned up" });
        outcome.map(|()| i)
    };
    run(async {
        let outcome = catching(flow::from_iter(1..5).buffered(3, work).count()).await;
        assert_eq!(outcome.unwrap_err(), "worn out");
        assert_eq!(log.take(), ["cleaned up", "cleaned up"]);
        let outcome = catching(flow::from_iter(1..5).buffer_unordered(3, work).count()).await;
        assert_eq!(outcome.unwrap_err(), "worn out");
        assert_eq!(log.take(), ["cleaned up", "cleaned up"]);
        Ok(())
    })
    .unwrap();
}

/// Leaving cancels the workers and waits for their clean-up, which a shield protects.
#[test]
fn o02_workers_have_cleaned_up_when_the_consumer_goes_on() {
    let log = Log::new();
    let work = async |i: u64| -> Result<u64> {
        let outcome = sleep(secs(i)).await;
        if outcome.is_err() {
            CancelScope::new().with_shield().enter(async |_| sleep(secs(5)).await).await?;
            log.add(i.to_string());
        }
        outcome.map(|()| i)
    };
    run(async {
        assert_eq!(flow::from_iter([1, 2, 3]).buffered(3, work).first().await?, Some(1));
        assert_eq!(log.take(), ["2", "3"]);
        assert_eq!(flow::from_iter([2, 1, 3]).buffer_unordered(3, work).first().await?, Some(1));
        assert_eq!(log.take(), ["2", "3"]);
        let stopped = move_on_after(secs(1), flow::from_iter([2, 3]).then(work).count());
        assert_eq!(stopped.await?, None);
        assert_eq!(log.take(), ["2"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn o01_a_limit_of_nothing_is_refused_by_all() {
    let numbers = || flow::from_iter(0..3);
    for text in [
        panics(|| numbers().buffered(0, async |i| Ok(i))),
        panics(|| numbers().buffer_unordered(0, async |i| Ok(i))),
        panics(|| drop(numbers().for_each_concurrent(0, async |_| Ok(())))),
        panics(|| numbers().flat_map_merge(0, |i| flow::from_iter([i]))),
        panics(|| numbers().map(|i| flow::from_iter([i])).flatten_unordered(0)),
    ] {
        assert!(text.contains("workers.rs") && text.contains("limit of 0"), "{text}");
    }
}
