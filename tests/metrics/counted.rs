//! What is counted, from when that is turned on.

use std::future::poll_fn;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use seedbed::inspect::{self, Cancellations, Counted};
use seedbed::testing::VirtualClock;
use seedbed::{
    Error, Result, Yielder, cancel_scope, finishing, generator, move_on_after, nursery, sleep,
    sleep_forever, yield_now,
};

use super::{run, run_on};

const SECOND: Duration = Duration::from_secs(1);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn counted() -> Result<Counted> {
    Ok(inspect::metrics()?.counted.expect("it counts"))
}

#[test]
fn l04_what_is_counted_is_absent_until_it_is_turned_on() {
    run(async {
        assert_eq!(inspect::metrics()?.counted, None);
        nursery(async |n| {
            n.spawn(yield_now());
            Ok(())
        })
        .await?;
        assert_eq!(inspect::metrics()?.counted, None);
        inspect::enable()?;
        assert_eq!(counted()?, Counted::default(), "from then on");
        inspect::enable()?; // a second time changes nothing
        nursery(async |n| {
            n.spawn(yield_now());
            Ok(())
        })
        .await?;
        assert_eq!((counted()?.spawned, counted()?.ended, counted()?.polls), (1, 1, 2));
        Ok(())
    });
}

/// Tasks take time by moving the clock on while they run.
#[test]
fn l04_polls_waits_and_sleeps_have_their_time() {
    let clock = VirtualClock::new();
    let counted = run_on(&clock, async {
        inspect::enable()?;
        nursery(async |n| {
            n.spawn(async {
                clock.advance(ms(7));
                sleep(SECOND).await?; // from 7 to 1007
                clock.advance(ms(2));
                Ok(())
            });
            n.spawn(async {
                sleep(ms(500)).await?; // from 7 to 507
                yield_now().await
            });
            Ok(())
        })
        .await?;
        counted()
    });
    assert_eq!((counted.spawned, counted.ended), (2, 2));
    assert_eq!(counted.elapsed, ms(1009));
    assert_eq!((counted.parks, counted.futile_parks, counted.parked), (2, 0, SECOND));
    assert_eq!(counted.busy, ms(9));
    assert_eq!((counted.polls, counted.polling), (5, ms(9)));
    assert_eq!((counted.slow_polls, counted.polling_slowly), (1, ms(7)));
    assert_eq!(counted.longest_poll, ms(7));
    assert_eq!((counted.scheduled, counted.longest_scheduled), (ms(7), ms(7)), "the second's");
    // The third is the main task, which waits for its nursery.
    assert_eq!((counted.idles, counted.idle), (3, ms(1000 + 500 + 1009)));
    // Two new tasks, two timers, a yield, and the end of the nursery.
    assert_eq!((counted.wakes, counted.remote_wakes), (6, 0));
}

/// A task's time is not that of the tasks in its nursery.
#[test]
fn l04_a_task_that_only_waits_for_its_nursery_is_not_polled() {
    let clock = VirtualClock::new();
    let counted = run_on(&clock, async {
        inspect::enable()?;
        nursery(async |n| {
            n.spawn(async {
                nursery(async |inner| {
                    inner.spawn(async {
                        for _ in 0..10 {
                            clock.advance(ms(1));
                            yield_now().await?;
                        }
                        Ok(())
                    });
                    clock.advance(ms(2)); // in the body
                    Ok(())
                })
                .await?;
                clock.advance(ms(3)); // after the nursery
                Ok(())
            });
            Ok(())
        })
        .await?;
        counted()
    });
    // Eleven of the innermost task, and two of the one around it.
    assert_eq!((counted.polls, counted.polling), (13, ms(15)));
    assert_eq!(counted.longest_poll, ms(3));
}

#[test]
fn l04_a_poll_that_panics_is_counted() {
    let clock = VirtualClock::new();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run_on(&clock, async {
            inspect::enable()?;
            let joined = nursery(async |n| {
                n.spawn(async {
                    clock.advance(ms(1));
                    std::panic::resume_unwind(Box::new("of the test"));
                    #[allow(unreachable_code, reason = "it has a type")]
                    Ok(())
                });
                n.spawn(async {
                    let waited = sleep_forever().await;
                    let counted = counted()?;
                    assert_eq!((counted.polls, counted.longest_poll), (2, ms(1)));
                    assert_eq!(counted.ended, 1);
                    waited
                });
                Ok(())
            });
            joined.await
        });
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"of the test"));
}

#[test]
fn l04_cancellations_are_counted_by_their_reason() {
    let cancellations = run(async {
        inspect::enable()?;
        move_on_after(SECOND, sleep_forever()).await?;
        for _ in 0..2 {
            cancel_scope(async |scope| {
                scope.cancel();
                scope.cancel(); // which changes nothing
                sleep_forever().await
            })
            .await?;
        }
        let failed = nursery(async |n| {
            n.spawn(async { Err::<(), _>(Error::msg("out of paper")) });
            sleep_forever().await
        });
        failed.await.unwrap_err();
        Ok(counted()?.cancellations)
    });
    let mut expected = Cancellations::default();
    expected.deadline = 1;
    expected.requested = 2;
    expected.child_failed = 1;
    assert_eq!(cancellations, expected);
}

#[test]
fn l04_grace_is_counted_as_far_as_it_is_used() {
    let counted = run(async {
        inspect::enable()?;
        for needed in [2, 10] {
            cancel_scope(async |scope| {
                scope.cancel_gracefully(Duration::from_secs(4));
                finishing(sleep(Duration::from_secs(needed))).await
            })
            .await?;
        }
        counted()
    });
    assert_eq!((counted.graces, counted.graces_exceeded), (2, 1));
    assert_eq!(counted.grace_used, Duration::from_secs(2 + 4));
    assert_eq!((counted.cancellations.requested, counted.cancellations.grace_over), (2, 1));
}

#[test]
fn l04_generators_that_are_left_are_counted() {
    let counted = run(async {
        inspect::enable()?;
        let numbers = || generator(async |y: Yielder<i32>| y.yield_(1).await.map(drop));
        let mut dropped = numbers();
        dropped.anext().await?;
        drop(dropped);
        let mut closed = numbers();
        closed.anext().await?;
        closed.aclose().await?;
        nursery(async |n| {
            let mut left = n.generator(async |y: Yielder<i32>| y.yield_(1).await.map(drop));
            left.anext().await?;
            Ok(())
        })
        .await?;
        sleep(SECOND).await?;
        counted()
    });
    assert_eq!((counted.generators_abandoned, counted.generators_finalized), (2, 2));
}

#[test]
fn l04_a_wake_from_another_thread_is_counted() {
    let remote = seedbed::run(async {
        inspect::enable()?;
        let mut thread = None;
        poll_fn(|cx| {
            if thread.is_some() {
                return Poll::Ready(());
            }
            let waker = cx.waker().clone();
            thread = Some(thread::spawn(move || waker.wake()));
            Poll::Pending
        })
        .await;
        Ok(counted()?.remote_wakes)
    });
    assert_eq!(remote.unwrap(), 1);
}

#[cfg(feature = "net")]
#[test]
fn l04_events_of_sockets_are_counted() {
    let events = seedbed::run(async {
        inspect::enable()?;
        let (here, there) = seedbed::net::UnixStream::pair()?;
        nursery(async |n| {
            n.spawn(async { there.read(&mut [0]).await });
            yield_now().await?; // it begins to wait
            here.write_all(b"x").await
        })
        .await?;
        Ok(counted()?.io_events)
    });
    assert!(events.unwrap() > 0);
}
