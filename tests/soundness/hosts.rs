//! Nurseries that are polled from here and from there.

use std::cell::Cell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{join_all, select};
use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::{
    CancelScope, Cancelled, Error, Event, NotRunning, Nursery, Result, Task, cancel_scope,
    cancellable, nursery, sleep, sleep_forever, yield_now,
};

use super::{CountDrop, Slot, open_nursery, run};

/// Moved between tasks: whoever polled it last is woken.
#[test]
fn n04_moved_between_tasks() {
    let ended_in = Rc::new(Cell::new(0));
    run(async {
        let event = Rc::new(Event::new());
        let slot = Slot::default();
        let wait = event.clone();
        slot.put(nursery(async move |n: &Nursery<'_, '_>| {
            let wait = &wait;
            // The clone is made in the body, and moved into the child.
            let mine = Rc::clone(wait);
            drop(n.spawn(async move { mine.wait().await }));
            Ok(())
        }));
        nursery(async |n| {
            for _ in 0..3 {
                n.spawn(async {
                    assert!(slot.poll_once().await.is_pending());
                    yield_now().await
                })
                .await?;
            }
            assert!(slot.poll_once().await.is_pending());
            drop(n.spawn(async {
                slot.finish().await?;
                ended_in.set(2);
                Ok(())
            }));
            yield_now().await?;
            yield_now().await?;
            event.set();
            Ok(())
        })
        .await
    })
    .unwrap();
    assert_eq!(ended_in.get(), 2);
}

/// It is under the scope of whoever polls it: a cancellation there reaches it, one where it
/// was before does not.
#[test]
fn n04_moved_between_scopes() {
    run(async {
        let slot = Slot::default();
        let handle = open_nursery(&slot).await;
        let (first, second) = (CancelScope::new(), CancelScope::new());
        first
            .enter(async |_| {
                assert!(slot.poll_once().await.is_pending());
                Ok(())
            })
            .await?;
        first.cancel();
        let outcome = second
            .enter(async |scope| {
                assert!(slot.poll_once().await.is_pending());
                assert!(handle.is_open());
                scope.cancel();
                slot.finish().await
            })
            .await?;
        assert_eq!(outcome, None);
        assert!(second.cancelled_caught());
        assert!(!handle.is_open());
        Ok(())
    })
    .unwrap();
}

#[test]
fn n04_outside_of_run() {
    let never = nursery(async |_| Ok(())).now_or_never().unwrap();
    assert!(never.unwrap_err().is::<NotRunning>());

    let slot = Slot::default();
    let dropped = Rc::new(Cell::new(0));
    run(async {
        let handle = open_nursery(&slot).await;
        let count = CountDrop(dropped.clone());
        drop(handle.spawn(async move {
            let _count = count;
            sleep_forever().await
        })?);
        assert!(slot.poll_once().await.is_pending());
        Ok(())
    })
    .unwrap();
    let payload = catch_unwind(AssertUnwindSafe(|| {
        slot.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }))
    .unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(text.contains("outside `seedbed::run`"), "{text}");
    assert_eq!(dropped.get(), 1);
}

#[test]
fn n04_in_a_second_run() {
    for in_child in [false, true] {
        let slot = Slot::default();
        let dropped = Rc::new(Cell::new(0));
        let mut kept = None;
        run(async {
            let handle = open_nursery(&slot).await;
            let count = CountDrop(dropped.clone());
            drop(handle.spawn(async move {
                let _count = count;
                sleep(Duration::from_secs(1)).await
            })?);
            assert!(slot.poll_once().await.is_pending());
            kept = Some(handle);
            Ok(())
        })
        .unwrap();
        let handle = kept.unwrap();
        assert!(handle.is_open());
        let payload = catch_unwind(AssertUnwindSafe(|| {
            run(nursery(async |n| {
                // Goes to the old nursery, which is never polled, so it is dropped with it.
                let count = CountDrop(dropped.clone());
                let task = handle.spawn(async move {
                    let _count = count;
                    unreachable!("in the nursery of another run")
                })?;
                drop::<Task<'_, ()>>(task);
                handle.cancel();
                if in_child {
                    drop(n.spawn(async { slot.finish().await }));
                    sleep_forever().await
                } else {
                    slot.finish().await
                }
            }))
        }))
        .unwrap_err();
        let text = payload.downcast_ref::<String>().unwrap();
        assert!(text.contains("entered in another `seedbed::run`"), "{text}");
        assert_eq!(dropped.get(), 2);
        assert!(!handle.is_open());
    }
}

/// A handle's child is made where nothing runs.
#[test]
fn n04_spawned_outside_of_run() {
    let slot = Slot::default();
    let mut kept = None;
    run(async {
        kept = Some(open_nursery(&slot).await);
        Ok(())
    })
    .unwrap();
    let dropped = Rc::new(Cell::new(0));
    let count = CountDrop(dropped.clone());
    let mut task = kept
        .take()
        .unwrap()
        .spawn(async move {
            let _count = count;
            Ok(1)
        })
        .unwrap();
    let outcome = task.poll_unpin(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(outcome, Poll::Ready(Err(error)) if error.is::<NotRunning>()));
    drop(slot.take());
    assert_eq!(dropped.get(), 1);
    assert!(task.is_finished());
}

#[test]
fn n04_join_all_of_nurseries() {
    let sum = run(async {
        // More than thirty: `join_all` makes a `FuturesUnordered` of them.
        let nurseries = (0..50).map(|i| {
            nursery(async move |n: &Nursery<'_, '_>| {
                let one = n.spawn(async move {
                    sleep(Duration::from_secs(50 - i)).await?;
                    Ok(i)
                });
                let two = n.spawn(async move {
                    yield_now().await?;
                    Ok(1)
                });
                Ok(one.await? + two.await?)
            })
        });
        join_all(nurseries).await.into_iter().sum::<Result<u64>>()
    });
    assert_eq!(sum.unwrap(), 50 * 49 / 2 + 50);
}

#[test]
fn n04_cancelled_inside_of_futures_unordered() {
    let (cancelled, value) = (Cell::new(0), Cell::new(0));
    run(async {
        nursery(async |n| {
            let scope = n.scope();
            let mut all: FuturesUnordered<_> = (0..10)
                .map(|_| {
                    nursery(async |n| {
                        for _ in 0..3 {
                            drop(n.spawn(async {
                                let outcome = sleep_forever().await;
                                cancelled.set(cancelled.get() + 1);
                                outcome
                            }));
                        }
                        value.set(value.get() + 1);
                        Ok(())
                    })
                })
                .collect();
            drop(n.spawn(async move {
                sleep(Duration::from_secs(1)).await?;
                scope.cancel();
                Ok(())
            }));
            while let Some(outcome) = all.next().await {
                assert!(outcome.unwrap_err().is::<Cancelled>());
            }
            Ok(())
        })
        .await
    })
    .unwrap();
    assert_eq!((cancelled.get(), value.get()), (30, 10));
}

/// The loser of a `select` is dropped with what it borrows from.
#[test]
fn n04_the_loser_of_a_select() {
    let dropped = Rc::new(Cell::new(0));
    run(async {
        for _ in 0..3 {
            let borrowed = [1, 2, 3].map(|_| CountDrop(dropped.clone()));
            let slow = pin!(nursery(async |n| {
                for count in &borrowed {
                    drop(n.spawn(async move {
                        loop {
                            count.0.set(count.0.get());
                            yield_now().await?;
                        }
                        #[expect(unreachable_code)]
                        Ok(())
                    }));
                }
                sleep_forever().await
            }));
            let fast = pin!(async {
                for _ in 0..5 {
                    yield_now().await?;
                }
                Ok::<_, Error>(())
            });
            let futures::future::Either::Right((outcome, _)) = select(slow, fast).await else {
                panic!("the nursery runs for ever")
            };
            outcome?;
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(dropped.get(), 9);
}

/// A nursery in a foreign wrapper that drops it when it is cancelled.
#[test]
fn n04_inside_of_cancellable() {
    let dropped = Rc::new(Cell::new(0));
    run(async {
        cancel_scope(async |scope| {
            let count = CountDrop(dropped.clone());
            cancellable(nursery(async move |n: &Nursery<'_, '_>| {
                drop(n.spawn(async move {
                    let _count = count;
                    scope.cancel();
                    pending::<Result<()>>().await // heeds no cancellation
                }));
                Ok(())
            }))
            .await?
        })
        .await?;
        Ok(())
    })
    .unwrap();
    assert_eq!(dropped.get(), 1);
}
