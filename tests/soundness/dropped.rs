//! Nurseries that are dropped before they have ended.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::task::Poll;

use futures::FutureExt;
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Event, Nursery, Result, Started, Task, cancel_scope, checkpoint, nursery,
    sleep_forever, yield_now,
};

use super::{CountDrop, OnDrop, Slot, open_nursery, run};

/// A nursery with a bit of everything in it, which ends after about twenty polls.
async fn busy(dropped: &Rc<Cell<usize>>, made: &Rc<Cell<usize>>) -> Result<()> {
    let borrowed = Box::new(Cell::new(0));
    let new = || {
        made.set(made.get() + 1);
        CountDrop(dropped.clone())
    };
    let event = Event::new();
    nursery(async |n| {
        let _held = new();
        for i in 0..4 {
            let (held, borrowed) = (new(), &borrowed);
            drop(n.spawn(async move {
                let _held = held;
                for _ in 0..i * 2 {
                    borrowed.set(borrowed.get() + 1);
                    yield_now().await?;
                }
                Ok(())
            }));
        }
        let value = new();
        let task = n.spawn(async move {
            yield_now().await?;
            Ok(value)
        });
        yield_now().await?;
        drop(task.await?);
        let (held, event) = (new(), &event);
        n.start(async |started| {
            let _held = held;
            yield_now().await?;
            started.ready(());
            yield_now().await?;
            event.set();
            Ok(())
        })
        .await?;
        drop(n.spawn(async move {
            let inner = new();
            nursery(async |n| {
                drop(n.spawn(async {
                    let _inner = inner;
                    event.wait().await
                }));
                cancel_scope(async |_| event.wait().await).await?;
                Ok(())
            })
            .await
        }));
        event.wait().await?;
        n.cancel();
        checkpoint().await.unwrap_err();
        Ok(())
    })
    .await?;
    assert_eq!(borrowed.get(), 12);
    Ok(())
}

#[test]
fn n04_at_any_time() {
    let mut ended = 0;
    for polls in 0..40 {
        for seed in [None, Some(1), Some(2)] {
            let (dropped, made) = (Rc::default(), Rc::default());
            let mut builder = Builder::new().clock(&VirtualClock::new()).budget(1);
            if let Some(seed) = seed {
                builder = builder.seed(seed);
            }
            let outcome: Result<bool> = builder.run(nursery(async |n| {
                // A sibling that is always ready: each poll is a round of the scheduler.
                drop(n.spawn(async {
                    loop {
                        yield_now().await?;
                    }
                    #[expect(unreachable_code)]
                    Ok(())
                }));
                let mut future = Box::pin(busy(&dropped, &made));
                for _ in 0..polls {
                    let outcome = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
                    if let Poll::Ready(outcome) = outcome {
                        outcome?;
                        n.cancel();
                        return Ok(true);
                    }
                    yield_now().await?;
                }
                drop(future);
                assert_eq!(dropped.get(), made.get(), "after {polls} polls");
                yield_now().await?;
                n.cancel();
                Ok(false)
            }));
            ended += usize::from(outcome.unwrap());
            assert_eq!(dropped.get(), made.get(), "after {polls} polls");
        }
    }
    assert!((30..90).contains(&ended), "the polls cover the whole run: {ended}");
}

/// What the main future owns is dropped while the runtime is there, or after it.
#[test]
fn n04_after_the_runtime() {
    for polls in 0..20 {
        let (dropped, made) = (Rc::default(), Rc::default());
        let mut future = Some(Box::pin(busy(&dropped, &made)));
        run(async {
            let polled = future.as_mut().unwrap();
            for _ in 0..polls {
                if poll_fn(|cx| Poll::Ready(polled.as_mut().poll(cx))).await.is_ready() {
                    break;
                }
                yield_now().await?;
            }
            Ok(())
        })
        .unwrap();
        match polls % 2 {
            0 => drop(future.take()),
            _ => run(async {
                yield_now().await?;
                drop(future.take());
                yield_now().await
            })
            .unwrap(),
        }
        assert_eq!(dropped.get(), made.get());
    }
}

/// The drop of a child uses everything that its own nursery and others offer.
#[test]
fn n04_the_drop_of_a_child_uses_the_nursery() {
    let late = Rc::new(Cell::new(0));
    let refused = Rc::new(Cell::new(0));
    run(async {
        let outer = CancelScope::new();
        let slot = Slot::default();
        let (scope, late, refused) = (outer.clone(), late.clone(), refused.clone());
        slot.put(nursery(async move |n: &Nursery<'_, '_>| {
            for _ in 0..3 {
                let (scope, late, refused) = (scope.clone(), late.clone(), refused.clone());
                drop(n.spawn(async move {
                    let _uses = OnDrop(move || {
                        let count = CountDrop(late.clone());
                        // Is dropped like those that were there before, without being polled.
                        let task = n.spawn(async move {
                            let _count = count;
                            unreachable!("a child of a nursery that is being dropped")
                        });
                        drop::<Task<'_, ()>>(task);
                        scope.cancel();
                        n.cancel();
                        assert!(!n.handle().is_open());
                        let future = n.handle().spawn(async { Ok(5) }).unwrap_err();
                        let value = future.into_inner().now_or_never();
                        assert_eq!(value.unwrap().unwrap(), 5);
                        assert!(n.handle().start(async |_: Started<()>| Ok(())).is_err());
                        drop(n.start(async |started| {
                            started.ready(());
                            Ok(())
                        }));
                        refused.set(refused.get() + 1);
                    });
                    sleep_forever().await
                }));
            }
            sleep_forever().await
        }));
        outer
            .enter(async |_| {
                assert!(slot.poll_once().await.is_pending());
                yield_now().await?;
                assert!(slot.poll_once().await.is_pending());
                drop(slot.take());
                checkpoint().await
            })
            .await?;
        assert!(outer.cancelled_caught(), "the drop has cancelled it");
        Ok(())
    })
    .unwrap();
    assert_eq!((late.get(), refused.get()), (3, 3));
}

/// Panics in drops: all the others are dropped, and the first panic is passed on.
#[test]
fn n08_children_that_panic_when_the_nursery_is_dropped() {
    let dropped = Rc::new(Cell::new(0));
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let mut tasks = Vec::new();
            for i in 0..4 {
                let count = CountDrop(dropped.clone());
                tasks.push(handle.spawn(async move {
                    let _count = count;
                    let _panics = OnDrop(move || panic_any(i));
                    sleep_forever().await
                })?);
            }
            assert!(slot.poll_once().await.is_pending());
            yield_now().await?;
            assert!(slot.poll_once().await.is_pending());
            drop(slot.take());
            Ok(())
        })
    }))
    .unwrap_err();
    assert!(payload.is::<i32>());
    assert_eq!(dropped.get(), 4);
}

/// The main future panics, and what it owns is dropped on the way.
#[test]
fn n08_dropped_while_panicking() {
    let dropped = Rc::new(Cell::new(0));
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let count = CountDrop(dropped.clone());
            drop(handle.spawn(async move {
                let _count = count;
                let _panics = OnDrop(|| panic_any("second"));
                sleep_forever().await
            })?);
            assert!(slot.poll_once().await.is_pending());
            yield_now().await?;
            assert!(slot.poll_once().await.is_pending());
            let _slot = slot;
            panic_any("first");
            #[expect(unreachable_code)]
            Ok(())
        })
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"first"));
    assert_eq!(dropped.get(), 1);
}
