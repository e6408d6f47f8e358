//! C15: what scopes cost, and how deep they may nest.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};

use futures::poll;
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Error, Event, Result, cancel_scope, checkpoint, fail_after,
    move_on_after, nursery, sleep, sleep_forever, yield_now,
};

use crate::support::{run, secs};

/// Counts how often a future is polled.
async fn counted<F: Future>(polls: &Cell<usize>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.set(polls.get() + 1);
        future.as_mut().poll(cx)
    })
    .await
}

/// In wakes and polls: each task is polled once to begin and once to be told.
#[test]
fn c15_cancelling_a_scope_with_n_tasks_polls_each_once() {
    for n_tasks in [1usize, 10, 1000] {
        run(async {
            let (polls, around) = (Cell::new(0), Cell::new(0));
            let event = Event::new();
            let scope = CancelScope::new();
            nursery(async |n| {
                let inside = n.spawn(counted(
                    &around,
                    scope.enter(async |_| {
                        nursery(async |n| {
                            for i in 0..n_tasks {
                                let (polls, event) = (&polls, &event);
                                drop(n.spawn(async move {
                                    // Half of them in a scope of their own.
                                    if i % 2 == 0 {
                                        counted(polls, event.wait()).await
                                    } else {
                                        move_on_after(secs(60), counted(polls, event.wait()))
                                            .await
                                            .map(drop)
                                    }
                                }));
                            }
                            Ok(())
                        })
                        .await
                    }),
                ));
                for _ in 0..3 {
                    yield_now().await?;
                }
                assert_eq!(polls.get(), n_tasks);
                let before = around.get();
                scope.cancel();
                assert_eq!(inside.await?, None);
                assert_eq!(polls.get(), 2 * n_tasks);
                assert!(around.get() - before <= 4, "{} polls around", around.get() - before);
                Ok(())
            })
            .await
        })
        .unwrap();
    }
}

/// A scope that comes and goes wakes nothing else, and none is kept.
#[test]
fn c15_entering_and_leaving_touches_nobody_else() {
    run(async {
        let polls = Cell::new(0);
        let event = Event::new();
        nursery(async |n| {
            for _ in 0..100 {
                drop(n.spawn(counted(&polls, event.wait())));
            }
            yield_now().await?;
            assert_eq!(polls.get(), 100);
            for _ in 0..10_000 {
                fail_after(secs(1), checkpoint()).await?;
                cancel_scope(async |scope| {
                    scope.cancel();
                    checkpoint().await
                })
                .await?;
            }
            assert_eq!(polls.get(), 100);
            event.set();
            Ok(())
        })
        .await?;
        assert_eq!(polls.get(), 200);
        Ok(())
    })
    .unwrap();
}

/// What is left does not keep the clock from standing still: no timer is left behind.
#[test]
fn c15_scopes_that_were_left_leave_no_timers() {
    let clock = VirtualClock::new();
    Builder::new()
        .clock(&clock)
        .detect_deadlock(true)
        .run(async {
            for i in 0..1000 {
                fail_after(secs(1000 + i), checkpoint()).await?;
            }
            let value = cancel_scope(async |scope| {
                scope.set_timeout(secs(5));
                scope.cancel();
                checkpoint().await
            });
            assert_eq!(value.await?, None);
            // One that is dropped half-way.
            let mut dropped = Box::pin(move_on_after(secs(7), sleep_forever()));
            assert!(poll!(&mut dropped).is_pending());
            drop(dropped);
            sleep(secs(1)).await
        })
        .unwrap();
    assert_eq!(clock.elapsed(), secs(1));
}

const DEEP: usize = 1000;

/// On a stack of this many MiB; a thread of the standard library has 2, a main thread mostly 8.
fn on_a_stack_of(mib: usize, f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(mib << 20).spawn(f).unwrap().join().unwrap();
}

fn in_scopes<'a>(
    depth: usize,
    polls: &'a Cell<usize>,
    event: &'a Event,
) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
    Box::pin(async move {
        match depth {
            0 => counted(polls, event.wait()).await,
            _ => cancel_scope(async |_| in_scopes(depth - 1, polls, event).await).await.map(drop),
        }
    })
}

fn in_nurseries<'a>(
    depth: usize,
    polls: &'a Cell<usize>,
    event: &'a Event,
) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
    Box::pin(async move {
        match depth {
            0 => counted(polls, event.wait()).await,
            _ => nursery(async |_| in_nurseries(depth - 1, polls, event).await).await,
        }
    })
}

fn in_children<'a>(
    depth: usize,
    polls: &'a Cell<usize>,
    event: &'a Event,
) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
    Box::pin(async move {
        match depth {
            0 => counted(polls, event.wait()).await,
            _ => {
                nursery(async |n| {
                    drop(n.spawn(in_children(depth - 1, polls, event)));
                    Ok(())
                })
                .await
            }
        }
    })
}

type Deep =
    for<'a> fn(usize, &'a Cell<usize>, &'a Event) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// Waits down there, and is woken, cancelled, or dropped.
fn deep(mib: usize, make: Deep) {
    on_a_stack_of(mib, move || {
        run(async {
            let (polls, event) = (Cell::new(0), Event::new());
            nursery(async |n| {
                let task = n.spawn(make(DEEP, &polls, &event));
                for _ in 0..3 {
                    yield_now().await?;
                }
                while polls.get() == 0 {
                    yield_now().await?;
                }
                event.set();
                task.await
            })
            .await?;
            assert_eq!(polls.get(), 2);

            let (polls, event, scope) = (Cell::new(0), Event::new(), CancelScope::new());
            nursery(async |n| {
                let task = n.spawn(scope.enter(async |_| make(DEEP, &polls, &event).await));
                while polls.get() == 0 {
                    yield_now().await?;
                }
                scope.cancel();
                assert_eq!(task.await?, None);
                Ok(())
            })
            .await?;
            assert_eq!(polls.get(), 2);

            let (polls, event) = (Cell::new(0), Event::new());
            let mut dropped = make(DEEP, &polls, &event);
            while polls.get() == 0 {
                assert!(poll!(&mut dropped).is_pending());
                yield_now().await?;
            }
            drop(dropped);
            Ok(())
        })
        .unwrap();
    });
}

#[test]
fn c15_a_thousand_nested_scopes() {
    deep(2, in_scopes);
}

#[test]
fn c15_a_thousand_nested_nurseries() {
    deep(8, in_nurseries);
}

#[test]
fn c15_a_thousand_nested_children() {
    deep(8, in_children);
}

/// While nothing else is ready each of them starts the next, without a new way down for each.
#[test]
fn c15_nested_children_begin_and_end_in_a_few_polls_of_the_outermost() {
    run(async {
        let (ways, polls, event) = (Cell::new(0), Cell::new(0), Event::new());
        event.set();
        counted(&ways, in_children(100, &polls, &event))
            .await
            .inspect(|()| assert!(ways.get() < 10, "{} polls", ways.get()))
    })
    .unwrap();
}

/// A failure at the bottom comes up as a group of a group of a group.
#[test]
fn c15_a_failure_comes_up_through_a_thousand_nurseries() {
    fn failing(depth: usize) -> Pin<Box<dyn Future<Output = Result<()>>>> {
        Box::pin(async move {
            match depth {
                0 => Err(Error::msg("A")),
                _ => nursery(async |_| failing(depth - 1).await).await,
            }
        })
    }
    on_a_stack_of(8, || {
        let error = run(failing(DEEP)).unwrap_err();
        let mut depth = 0;
        let mut inner = &error;
        while let Some(group) = inner.as_group() {
            depth += 1;
            inner = group.errors().next().unwrap();
        }
        assert_eq!((depth, inner.to_string()), (DEEP, "A".into()));
        drop(error);
    });
}
