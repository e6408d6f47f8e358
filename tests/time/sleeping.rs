//! Sleeping, intervals and clocks: C2, C3 and R6.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::poll;
use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Deadlock, Error, Event, NotRunning, Result, cancel_scope, checkpoint,
    interval, move_on_after, move_on_at, now, nursery, sleep, sleep_forever, sleep_until,
    yield_now,
};

use crate::support::{is_cancelled, secs};

/// Runs on a virtual clock, and gives how far that has moved.
fn timed<T>(main: impl Future<Output = Result<T>>) -> (T, Duration) {
    let clock = VirtualClock::new();
    let value = Builder::new().clock(&clock).detect_deadlock(true).run(main).unwrap();
    (value, clock.elapsed())
}

// Sleeping.

#[test]
fn r06_sleeping_takes_virtual_time_to_the_nanosecond() {
    for time in [0, 1, 63, 64, 4095, 4096, 1_000_000_007, 31_536_000_000_000_001] {
        let time = Duration::from_nanos(time);
        assert_eq!(timed(sleep(time)).1, time);
        assert_eq!(timed(async { sleep_until(now() + time).await }).1, time);
    }
}

#[test]
fn r06_the_clock_stops_at_every_deadline_in_order() {
    let ((), elapsed) = timed(async {
        let start = now();
        let woken = RefCell::new(Vec::new());
        nursery(async |n| {
            // In no order at all, many together, some at the same time.
            for i in 0..200u64 {
                let woken = &woken;
                drop(n.spawn(async move {
                    let time = Duration::from_nanos(i * 7919 % 100 * 1_000_003);
                    sleep(time).await?;
                    assert_eq!(now() - start, time);
                    woken.borrow_mut().push((time, i));
                    Ok(())
                }));
            }
            Ok(())
        })
        .await?;
        let woken = woken.take();
        let mut sorted = woken.clone();
        sorted.sort();
        assert_eq!(woken, sorted); // those of one time in the order in which they began
        Ok(())
    });
    assert_eq!(elapsed, Duration::from_nanos(99 * 1_000_003));
}

#[test]
fn sleep_counts_from_the_first_poll_and_sleep_until_does_not() {
    let ((), elapsed) = timed(async {
        let start = now();
        let (relative, absolute) = (sleep(secs(5)), sleep_until(start + secs(7)));
        sleep(secs(3)).await?;
        absolute.await?;
        assert_eq!(now() - start, secs(7));
        relative.await
    });
    assert_eq!(elapsed, secs(12));
}

#[test]
fn c02_a_sleep_that_need_not_wait_is_a_checkpoint() {
    timed(async {
        sleep(secs(1)).await?;
        cancel_scope(async |scope| {
            scope.cancel();
            assert!(is_cancelled(&sleep(Duration::ZERO).await));
            assert!(is_cancelled(&sleep_until(now()).await));
            assert!(is_cancelled(&sleep_until(now() - secs(1)).await));
            Ok(())
        })
        .await
    });
}

#[test]
fn sleep_forever_ends_only_with_a_cancellation() {
    let ((), elapsed) = timed(async {
        assert_eq!(move_on_after(secs(1_000_000_000), sleep_forever()).await?, None);
        Ok(())
    });
    assert_eq!(elapsed, secs(1_000_000_000));
    // No timer is set for it.
    let error = Builder::new().detect_deadlock(true).run(sleep_forever()).unwrap_err();
    assert!(error.is::<Deadlock>());
}

#[test]
fn sleeping_without_end_overflows_nothing() {
    for main in [sleep(Duration::MAX), sleep(Duration::from_nanos(u64::MAX))] {
        let clock = VirtualClock::new();
        let error = Builder::new().clock(&clock).detect_deadlock(true).run(main).unwrap_err();
        assert!(error.is::<Deadlock>());
        assert_eq!(clock.elapsed(), Duration::ZERO);
    }
    timed(async {
        let far = now() + secs(1 << 40);
        assert_eq!(move_on_after(secs(1), sleep_until(far)).await?, None);
        // From a time that is late already.
        sleep(secs(1)).await?;
        assert_eq!(move_on_after(secs(1), sleep(Duration::from_nanos(u64::MAX - 1))).await?, None);
        Ok(())
    });
}

#[test]
fn a_sleep_that_is_dropped_leaves_no_timer() {
    let ((), elapsed) = timed(async {
        for i in 0..100 {
            let mut dropped = pin!(sleep(secs(1000 + i)));
            assert!(poll!(&mut dropped).is_pending());
        }
        let scope = CancelScope::new();
        nursery(async |n| {
            drop(n.spawn(scope.enter(async |_| sleep(secs(500)).await)));
            yield_now().await?;
            scope.cancel();
            Ok(())
        })
        .await?;
        sleep(secs(1)).await
    });
    assert_eq!(elapsed, secs(1));
}

/// The task that polled last is woken, through whatever there is in between.
#[test]
fn a_sleep_that_is_moved_wakes_its_last_owner() {
    let ((), elapsed) = timed(async {
        let mut first = Box::pin(sleep(secs(5)));
        assert!(poll!(&mut first).is_pending());
        nursery(async |n| {
            n.spawn(async {
                let mut all: FuturesUnordered<_> = [first].into_iter().collect();
                all.next().await.unwrap()
            })
            .await
        })
        .await
    });
    assert_eq!(elapsed, secs(5));
}

#[test]
fn c03_deadlines_of_calls_are_those_of_the_clock() {
    let ((), elapsed) = timed(async {
        let start = now();
        assert_eq!(move_on_at(start + secs(3), sleep_forever()).await?, None);
        assert_eq!(now(), start + secs(3));
        // A deadline before the clock began has passed.
        assert_eq!(move_on_at(start - secs(3600), checkpoint()).await?, None);
        assert_eq!(now(), start + secs(3));
        Ok(())
    });
    assert_eq!(elapsed, secs(3));
}

/// What becomes due together happens in one instant: deadlines first, wherever they are.
#[test]
fn c03_a_deadline_counts_before_what_happens_at_its_time() {
    timed(async {
        let event = Event::new();
        let seen = Cell::new(None);
        nursery(async |n| {
            drop(n.spawn(async {
                sleep(secs(1)).await?;
                event.set();
                Ok(())
            }));
            drop(n.spawn(async {
                seen.set(Some(move_on_after(secs(1), event.wait()).await?));
                Ok(())
            }));
            Ok(())
        })
        .await?;
        assert_eq!(seen.get(), Some(None));
        Ok(())
    });
}

// now

#[test]
fn now_stands_still_while_anything_runs() {
    timed(async {
        let start = now();
        for _ in 0..1000 {
            yield_now().await?;
        }
        assert_eq!(now(), start);
        sleep(Duration::from_nanos(1)).await?;
        assert_eq!(now(), start + Duration::from_nanos(1));
        Ok(())
    });
}

#[test]
fn now_outside_of_run_is_the_systems() {
    let (before, now, after) = (Instant::now(), now(), Instant::now());
    assert!(before <= now && now <= after);
}

#[test]
fn sleeping_outside_of_run_is_an_error() {
    let outcome = futures::executor::block_on(sleep(secs(1)));
    assert!(outcome.unwrap_err().is::<NotRunning>());
    let outcome = futures::executor::block_on(sleep(Duration::ZERO));
    assert!(outcome.unwrap_err().is::<NotRunning>());
    let outcome = futures::executor::block_on(sleep_forever());
    assert!(outcome.unwrap_err().is::<NotRunning>());
}

/// A real sleep is never shorter than it should be.
#[test]
fn the_systems_clock_does_not_wake_early() {
    for time in [1, 999, 1_000, 1_001, 3_500].map(Duration::from_micros) {
        seedbed::run(async {
            let start = now();
            sleep(time).await?;
            assert!(now() - start >= time, "{:?} instead of {time:?}", now() - start);
            assert_eq!(move_on_after(time, sleep_forever()).await?, None);
            assert!(now() - start >= 2 * time);
            Ok(())
        })
        .unwrap();
    }
}

// The virtual clock.

#[test]
fn r06_the_virtual_clock_jumps_only_when_nothing_can_run() {
    let clock = VirtualClock::new();
    Builder::new()
        .clock(&clock)
        .run(async {
            let rounds = Cell::new(0);
            nursery(async |n| {
                let sleeper = n.spawn(sleep(secs(1)));
                for _ in 0..10_000 {
                    yield_now().await?;
                    rounds.set(rounds.get() + 1);
                    assert!(!sleeper.is_finished());
                    assert_eq!(clock.elapsed(), Duration::ZERO);
                }
                sleeper.await
            })
            .await?;
            assert_eq!(clock.elapsed(), secs(1));
            Ok(())
        })
        .unwrap();
}

#[test]
fn r06_advancing_makes_due_what_lies_before() {
    let clock = VirtualClock::new();
    Builder::new()
        .clock(&clock)
        .run(async {
            let start = now();
            let order = RefCell::new(Vec::new());
            nursery(async |n| {
                for i in [3, 1, 2, 20] {
                    let order = &order;
                    drop(n.spawn(async move {
                        sleep(secs(i)).await?;
                        order.borrow_mut().push((i, (now() - start).as_secs()));
                        Ok(())
                    }));
                }
                yield_now().await?;
                clock.advance(secs(10));
                assert_eq!(now() - start, secs(10));
                assert!(order.borrow().is_empty());
                while order.borrow().len() < 3 {
                    yield_now().await?;
                }
                assert_eq!(now() - start, secs(10));
                Ok(())
            })
            .await?;
            assert_eq!(order.take(), [(1, 10), (2, 10), (3, 10), (20, 20)]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn r06_a_virtual_clock_goes_on_in_the_next_run() {
    let clock = VirtualClock::new();
    clock.advance(secs(5));
    let mut last = None;
    for round in 1..4 {
        let at = Builder::new()
            .clock(&clock)
            .run(async {
                sleep(secs(1)).await?;
                Ok(now())
            })
            .unwrap();
        assert_eq!(clock.elapsed(), secs(5 + round));
        if let Some(last) = last.replace(at) {
            assert_eq!(at, last + secs(1));
        }
    }
}

#[test]
fn r06_a_virtual_clock_moves_as_far_as_there_is_time() {
    let clock = VirtualClock::new();
    clock.advance(Duration::MAX);
    clock.advance(secs(1));
    Builder::new()
        .clock(&clock)
        .run(async {
            let _ = now();
            sleep(Duration::ZERO).await?;
            assert_eq!(move_on_after(Duration::ZERO, checkpoint()).await?, None);
            Ok(())
        })
        .unwrap();
}

// Intervals.

#[test]
fn interval_ticks_at_once_and_then_every_period() {
    let ((), elapsed) = timed(async {
        let start = now();
        let mut ticks = interval(secs(3));
        sleep(secs(5)).await?; // it begins with the first tick
        for i in 0..5 {
            assert_eq!(ticks.tick().await? - start, secs(5 + 3 * i));
            assert_eq!(now() - start, secs(5 + 3 * i));
        }
        Ok(())
    });
    assert_eq!(elapsed, secs(17));
}

#[test]
fn interval_keeps_its_grid_when_it_is_late_and_leaves_out_what_was_missed() {
    timed(async {
        let start = now();
        let mut ticks = interval(secs(10));
        let mut due = async || Ok::<_, Error>((ticks.tick().await? - start, now() - start));
        assert_eq!(due().await?, (secs(0), secs(0)));
        sleep(secs(14)).await?;
        assert_eq!(due().await?, (secs(10), secs(14))); // late
        assert_eq!(due().await?, (secs(20), secs(20))); // as if nothing had been
        sleep(secs(35)).await?;
        assert_eq!(due().await?, (secs(30), secs(55))); // 40 and 50 are missed
        assert_eq!(due().await?, (secs(60), secs(60)));
        sleep(secs(20)).await?;
        assert_eq!(due().await?, (secs(70), secs(80))); // 80 is due now, and goes with it
        assert_eq!(due().await?, (secs(90), secs(90)));
        Ok(())
    });
}

#[test]
fn c10_a_tick_that_is_cancelled_is_not_lost() {
    timed(async {
        let start = now();
        let mut ticks = interval(secs(10));
        ticks.tick().await?;
        for _ in 0..3 {
            assert_eq!(move_on_after(secs(2), ticks.tick()).await?, None);
        }
        assert_eq!(ticks.tick().await? - start, secs(10));
        assert_eq!(now() - start, secs(10));
        // At the very time of the tick.
        assert_eq!(move_on_after(secs(10), ticks.tick()).await?, None);
        assert_eq!(ticks.tick().await? - start, secs(20));
        assert_eq!(now() - start, secs(20));
        Ok(())
    });
}

#[test]
fn interval_with_periods_out_of_all_proportion() {
    timed(async {
        for period in [Duration::MAX, Duration::from_nanos(u64::MAX), secs(u64::MAX / 2)] {
            let mut ticks = interval(period);
            ticks.tick().await?;
            assert_eq!(move_on_after(secs(1), ticks.tick()).await?, None);
        }
        // More ticks missed than a `u32` counts.
        let mut ticks = interval(Duration::from_nanos(1));
        ticks.tick().await?;
        sleep(secs(100)).await?;
        ticks.tick().await?;
        let late = now();
        assert!(ticks.tick().await? > late);
        Ok(())
    });
}

#[test]
#[should_panic(expected = "must not be zero")]
fn interval_without_a_period_is_refused() {
    let _ = interval(Duration::ZERO);
}
