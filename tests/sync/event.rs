//! Events.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};

use futures::poll;
use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::{CancelScope, Event, Result, checkpoint, nursery, sleep, yield_now};

use super::Random;
use crate::support::{run, secs};

#[test]
fn event_lets_all_go_on_who_wait_and_all_who_come_later() {
    run(async {
        let event = Event::new();
        let order = RefCell::new(Vec::new());
        assert!(!event.is_set());
        nursery(async |n| {
            for i in 0..5 {
                let (event, order) = (&event, &order);
                drop(n.spawn(async move {
                    event.wait().await?;
                    order.borrow_mut().push(i);
                    Ok(())
                }));
            }
            sleep(secs(1)).await?;
            assert!(order.borrow().is_empty());
            event.set();
            assert!(order.borrow().is_empty()); // nobody runs inside `set`
            event.set();
            yield_now().await?;
            assert_eq!(*order.borrow(), [0, 1, 2, 3, 4]);
            Ok(())
        })
        .await?;
        assert!(event.is_set());
        event.wait().await
    })
    .unwrap();
}

#[test]
fn event_is_reached_through_every_waker() {
    run(async {
        let event = Event::new();
        let mut waits: Vec<_> = (0..3).map(|_| Box::pin(event.wait())).collect();
        for wait in &mut waits {
            assert!(poll!(wait).is_pending());
        }
        // They were polled by this task first, and then by others: the last one is woken.
        nursery(async |n| {
            for wait in waits {
                drop(n.spawn(async {
                    let all: FuturesUnordered<_> = [wait].into_iter().collect();
                    all.collect::<Vec<_>>().await.pop().unwrap()
                }));
            }
            yield_now().await?;
            event.set();
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn c10_an_event_wait_that_is_dropped_or_cancelled_leaves_no_trace() {
    run(async {
        let event = Event::new();
        let order = RefCell::new(Vec::new());
        let scope = CancelScope::new();
        nursery(async |n| {
            for i in 0..6 {
                let (event, order, scope) = (&event, &order, &scope);
                drop(n.spawn(async move {
                    match i {
                        // Dropped from the middle, the front and the end of the queue.
                        0 | 2 | 5 => {
                            let mut wait = pin!(event.wait());
                            assert!(poll!(&mut wait).is_pending());
                            yield_now().await?;
                        }
                        3 if scope.cancel_called() => unreachable!(),
                        _ => event.wait().await?,
                    }
                    order.borrow_mut().push(i);
                    Ok(())
                }));
            }
            drop(n.spawn(async {
                scope.enter(async |_| event.wait().await).await?;
                assert!(scope.cancelled_caught());
                order.borrow_mut().push(6);
                Ok(())
            }));
            for _ in 0..3 {
                yield_now().await?;
            }
            scope.cancel();
            sleep(secs(1)).await?;
            assert_eq!(*order.borrow(), [0, 2, 5, 6]);
            event.set();
            Ok(())
        })
        .await?;
        assert_eq!(*order.borrow(), [0, 2, 5, 6, 1, 3, 4]);
        Ok(())
    })
    .unwrap();
}

type Wait = Pin<Box<dyn Future<Output = Result<Option<()>>>>>;

/// The waiters of an event against a list: single steps, in random order.
#[test]
fn c10_random_steps_on_an_event() {
    for seed in 0..300 {
        run(async {
            let random = Random::new(seed);
            let event = Event::new();
            let mut waits: Vec<(CancelScope, Wait, Cell<bool>)> = Vec::new();
            // The futures borrow the event for longer than the compiler can see.
            let event: &'static Event = Box::leak(Box::new(event));
            for _ in 0..200 {
                match random.below(10) {
                    0..=3 => {
                        let scope = CancelScope::new();
                        let mut wait = Box::pin(scope.enter(async move |_| event.wait().await));
                        assert!(poll!(&mut wait).is_pending());
                        waits.push((scope, wait, Cell::new(false)));
                    }
                    4 | 5 if !waits.is_empty() => {
                        drop(waits.swap_remove(random.below(waits.len())));
                    }
                    6 if !waits.is_empty() => {
                        let (scope, _, cancelled) = &waits[random.below(waits.len())];
                        scope.cancel();
                        cancelled.set(true);
                    }
                    7 | 8 if !waits.is_empty() => {
                        let i = random.below(waits.len());
                        let (_, wait, cancelled) = &mut waits[i];
                        let outcome = poll!(wait);
                        assert_eq!(outcome.is_ready(), cancelled.get(), "seed {seed}");
                        if outcome.is_ready() {
                            drop(waits.swap_remove(i));
                        }
                    }
                    _ => checkpoint().await?,
                }
            }
            event.set();
            for (scope, wait, cancelled) in waits {
                let expected = if cancelled.get() { None } else { Some(()) };
                scope.cancel(); // too late
                assert_eq!(wait.await?, expected, "seed {seed}");
            }
            Ok(())
        })
        .unwrap();
    }
}
