//! Tests that leak on purpose. The sanitizer runs these without looking for leaks.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::mem::forget;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use futures::future::join_all;
use seedbed::{
    CancelScope, Event, Result, Started, Task, cancel_scope, checkpoint, nursery, sleep,
    sleep_forever, yield_now,
};

use super::{Slot, note_waker, open_nursery, run};

/// Polls a nursery a few times and forgets it, then goes, and with it what its children
/// borrow: the attack on the first `std::thread::scoped`.
async fn forget_a_nursery(
    polls: usize,
    wakers: &Rc<RefCell<Vec<Waker>>>,
    ran: &Rc<Cell<usize>>,
) -> Result<()> {
    let borrowed = Box::new(Cell::new(0));
    let event = Event::new();
    let mut future = Box::pin(nursery(async |n| {
        note_waker(wakers).await;
        for _ in 0..3 {
            drop(n.spawn(async {
                note_waker(wakers).await;
                loop {
                    ran.set(ran.get() + 1);
                    borrowed.set(borrowed.get() + 1);
                    yield_now().await?;
                }
                #[expect(unreachable_code)]
                Ok(())
            }));
        }
        drop(n.spawn(async {
            note_waker(wakers).await;
            event.wait().await
        }));
        drop(n.spawn(async {
            note_waker(wakers).await;
            sleep(Duration::from_secs(1)).await
        }));
        let inner = n.spawn(async move {
            let inner = nursery(async |n| {
                note_waker(wakers).await;
                n.spawn(sleep_forever()).await
            });
            join_all([inner]).await.pop().unwrap()
        });
        inner.await
    }));
    for _ in 0..polls {
        assert!(poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await.is_pending());
        yield_now().await?;
    }
    forget(future);
    Ok(())
}

#[test]
fn n04_a_forgotten_nursery() {
    for polls in [0, 1, 2, 3, 10, 100] {
        let wakers = Rc::new(RefCell::new(Vec::new()));
        let ran = Rc::new(Cell::new(0));
        let wake = |wakers: &RefCell<Vec<Waker>>| {
            for waker in &*wakers.borrow() {
                waker.wake_by_ref();
            }
            let remote = wakers.borrow().clone();
            thread::scope(|s| {
                s.spawn(move || remote.into_iter().for_each(Waker::wake)).join().unwrap();
            });
        };
        let mut before = 0;
        run(async {
            cancel_scope(async |scope| {
                forget_a_nursery(polls, &wakers, &ran).await?;
                before = ran.get();
                for _ in 0..3 {
                    wake(&wakers);
                    yield_now().await?;
                }
                sleep(Duration::from_secs(2)).await?; // their timer fires
                scope.cancel(); // reaches the scopes that they left
                checkpoint().await
            })
            .await?;
            yield_now().await
        })
        .unwrap();
        wake(&wakers);
        run(async {
            nursery(async |n| {
                for _ in 0..10 {
                    wake(&wakers);
                    n.spawn(yield_now()).await?;
                }
                Ok(())
            })
            .await
        })
        .unwrap();
        assert_eq!(ran.get(), before, "a forgotten child is never polled again");
        assert!(polls < 3 || ran.get() >= polls && wakers.borrow().len() >= 6);
    }
}

/// Forgotten inside a child, whose nursery goes on, is cancelled, and ends.
#[test]
fn n04_forgotten_inside_of_a_child() {
    for polls in [0, 1, 2, 5] {
        let (wakers, ran) = (Rc::default(), Rc::default());
        let before = run(async {
            nursery(async |n| {
                let (wakers, ran) = (&wakers, &ran);
                n.spawn(async move { forget_a_nursery(polls, wakers, ran).await }).await?;
                let before = ran.get();
                for waker in wakers.borrow().iter() {
                    waker.wake_by_ref();
                }
                n.cancel();
                checkpoint().await.unwrap_err();
                Ok(before)
            })
            .await
        })
        .unwrap();
        assert_eq!(ran.get(), before);
    }
}

/// A scope that was forgotten while it was open stays in the tree where it is, and may be
/// cancelled, shielded and given deadlines.
#[test]
fn n04_forgotten_scopes() {
    let mut scopes = Vec::new();
    run(async {
        for depth in 0..3 {
            let outer = CancelScope::new();
            outer
                .enter(async |outer| {
                    nursery(async |_| {
                        let mut forgotten = Vec::new();
                        for i in 0..4 {
                            let scope = CancelScope::new().with_timeout(Duration::from_secs(i));
                            let mut future = Box::pin(scope.enter(async |scope| {
                                nursery(async |n| {
                                    drop(n.spawn(sleep_forever()));
                                    scope.set_shield(i == 2);
                                    sleep_forever().await
                                })
                                .await
                            }));
                            let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx)));
                            drop(polled.await);
                            forget(future);
                            forgotten.push(scope);
                        }
                        if depth == 1 {
                            outer.cancel();
                        }
                        scopes.extend(forgotten);
                        Ok(())
                    })
                    .await?;
                    sleep(Duration::from_secs(2)).await
                })
                .await?;
            for scope in &scopes {
                scope.set_shield(!scope.shield());
                scope.set_timeout(Duration::from_secs(3));
            }
            sleep(Duration::from_secs(5)).await?;
        }
        Ok(())
    })
    .unwrap();
    for scope in &scopes {
        scope.set_shield(false);
        scope.set_timeout(Duration::ZERO);
        scope.cancel();
        assert!(scope.cancel_called());
        let _ = scope.deadline();
    }
}

/// A scope forgotten below a nursery that has gone while it was the current one.
#[test]
fn n04_forgotten_scope_below_a_nursery_that_was_dropped_from_inside() {
    let scope = CancelScope::new();
    run(async {
        let slot = Slot::default();
        let handle = open_nursery(&slot).await;
        let (mine, inner) = (slot.clone(), scope.clone());
        let child = async move |started: Started<()>| {
            started.ready(());
            drop(mine.take());
            let mut future = Box::pin(inner.enter(async |_| sleep_forever().await));
            drop(poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await);
            forget(future);
            Ok(())
        };
        handle.start(child)?.await?;
        drop(handle);
        yield_now().await?;
        scope.set_shield(true);
        scope.set_shield(false);
        Ok(())
    })
    .unwrap();
    scope.cancel();
    assert!(scope.cancel_called());
}

/// A `start` that was forgotten: its child can still be handed over, and runs then.
#[test]
fn n04_a_forgotten_start() {
    let ran = Rc::new(Cell::new(0));
    run(async {
        let slot = Slot::default();
        let handle = open_nursery(&slot).await;
        let kept = Rc::new(RefCell::new(None));
        let (keep, count) = (kept.clone(), ran.clone());
        let mut start = Box::pin(handle.start(async move |started: Started<()>| {
            *keep.borrow_mut() = Some(started);
            loop {
                count.set(count.get() + 1);
                yield_now().await?;
            }
            #[expect(unreachable_code)]
            Ok(())
        })?);
        for _ in 0..3 {
            assert!(poll_fn(|cx| Poll::Ready(start.as_mut().poll(cx))).await.is_pending());
            yield_now().await?;
        }
        forget(start);
        let before = ran.get();
        for _ in 0..3 {
            assert!(slot.poll_once().await.is_pending());
            yield_now().await?;
        }
        assert_eq!(ran.get(), before);
        let started: Started<()> = kept.take().unwrap();
        started.ready(());
        for _ in 0..3 {
            assert!(slot.poll_once().await.is_pending());
            yield_now().await?;
        }
        assert!(ran.get() > before, "it is in the nursery now");
        drop(slot.take());
        Ok(())
    })
    .unwrap();
}

/// Operations forgotten in the middle: the event and the child know nothing of it.
#[test]
fn n04_forgotten_operations() {
    run(async {
        let event = Event::new();
        nursery(async |n| {
            for _ in 0..3 {
                let mut wait = Box::pin(event.wait());
                assert!(poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx))).await.is_pending());
                // The wait borrows the event, so it has to be a part of something leaked.
                let mut task = Box::pin(n.spawn(async { Ok(String::from("never read")) }));
                assert!(poll_fn(|cx| Poll::Ready(task.as_mut().poll(cx))).await.is_pending());
                forget(wait);
                forget(task);
            }
            Ok(())
        })
        .await?;
        event.set();
        event.wait().await
    })
    .unwrap();
}

/// A child that owns the nursery it is handed to: a circle like one of `Rc`s, which leaks,
/// and holds up nobody.
#[test]
fn n04_a_child_that_owns_its_nursery() {
    let handle = run(async {
        let slot = Slot::default();
        let handle = open_nursery(&slot).await;
        let child = async move |started: Started<i32>| {
            let mut nursery = slot.take().unwrap();
            drop(poll_fn(|cx| Poll::Ready(nursery.as_mut().poll(cx))).await);
            started.ready(1);
            drop(poll_fn(|cx| Poll::Ready(nursery.as_mut().poll(cx))).await);
            let _ = seedbed::current_effective_deadline();
            nursery.await
        };
        assert_eq!(handle.start(child)?.await?, 1);
        handle.cancel();
        yield_now().await?;
        Ok(handle)
    })
    .unwrap();
    handle.scope().set_shield(true);
    assert!(handle.is_open());
}

/// A child that was cancelled alone has a scope beside its node, which the run drops at its end.
#[test]
fn n14_cancelled_alone_in_a_forgotten_nursery() {
    for polls in 0..3 {
        let tasks = RefCell::new(Vec::new());
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            for _ in 0..2 {
                tasks.borrow_mut().push(handle.spawn(never_ends())?);
            }
            for poll in 0..polls {
                assert!(slot.poll_once().await.is_pending());
                if poll == 0 {
                    tasks.borrow()[0].cancel(); // it enters its scope in the next poll
                }
                yield_now().await?;
            }
            forget(slot.take());
            tasks.borrow().iter().for_each(|task| task.cancel_with("too late"));
            yield_now().await
        })
        .unwrap();
        tasks.borrow().iter().for_each(Task::cancel); // outside of a run
        run(async {
            tasks.borrow().iter().for_each(Task::cancel); // in another one
            yield_now().await
        })
        .unwrap();
        assert!(tasks.borrow().iter().all(|task| !task.is_finished()));
    }
}

/// Has a scope open, and ignores its cancellation.
async fn never_ends() -> Result<()> {
    loop {
        let shield = CancelScope::new().with_shield();
        assert!(shield.enter(async |_| yield_now().await).await.is_ok());
        assert!(cancel_scope(async |_| sleep_forever().await).await.is_err());
    }
}
