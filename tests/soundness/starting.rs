//! N5 and N7: a child that is being started does something to the nursery, or to itself.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{catch_unwind, panic_any};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::{
    CancelScope, Error, NurseryClosed, NurseryHandle, Result, Started, cancel_scope, checkpoint,
    nursery, sleep_forever, yield_now,
};

use super::{Boxed, CountDrop, OnDrop, Slot, open_nursery, run};

/// The child has moved into the nursery but is still being polled under the caller, when it
/// drops the nursery, and itself with it.
#[test]
fn n04_child_drops_the_nursery_it_was_just_handed_to() {
    let dropped = Rc::new(Cell::new(0));
    let after = Rc::new(Cell::new(0));
    let outcome = run(async {
        let slot = Slot::default();
        let handle = open_nursery(&slot).await;
        let count = CountDrop(dropped.clone());
        let (mine, after) = (slot.clone(), after.clone());
        let child = async move |started: Started<i32>| {
            let local = Box::new(41);
            let _count = count;
            started.ready(1);
            drop(mine.take());
            after.set(*local + 1);
            sleep_forever().await
        };
        let value = handle.start(child)?.await;
        assert!(slot.take().is_none());
        value
    });
    assert_eq!(outcome.unwrap(), 1);
    assert_eq!(after.get(), 42, "the child went on to its next await");
    assert_eq!(dropped.get(), 1, "and was dropped there, with its nursery");
}

#[test]
fn n04_child_drops_its_new_nursery_and_ends() {
    run(async {
        let slot = Slot::default();
        let handle = open_nursery(&slot).await;
        let mine = slot.clone();
        let child = async move |started: Started<i32>| {
            started.ready(1);
            drop(mine.take());
            Ok(())
        };
        assert_eq!(handle.start(child)?.await?, 1);
        Ok(())
    })
    .unwrap();
}

/// Nobody else is left to tell: the failure comes out at the caller of `start`.
#[test]
fn n04_child_drops_its_new_nursery_and_fails() {
    let error = run(async {
        let slot = Slot::default();
        let handle = open_nursery(&slot).await;
        let mine = slot.clone();
        let child = async move |started: Started<i32>| {
            started.ready(1);
            drop(mine.take());
            Err(Error::msg("lost?"))
        };
        handle.start(child)?.await
    })
    .unwrap_err();
    assert_eq!(error.to_string(), "lost?");
}

#[test]
fn n04_child_drops_its_new_nursery_and_panics() {
    let payload = catch_unwind(|| {
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let mine = slot.clone();
            let child = async move |started: Started<i32>| {
                started.ready(1);
                drop(mine.take());
                panic_any("lost?")
            };
            handle.start(child)?.await
        })
    })
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"lost?"));
}

/// The drop of what the child holds, when it fails, drops the nursery it fails in.
#[test]
fn n04_failing_child_drops_its_new_nursery_as_it_is_dropped() {
    let dropped = Rc::new(Cell::new(0));
    run(async {
        let slot = Slot::default();
        let handle = open_nursery(&slot).await;
        let mine = slot.clone();
        let count = dropped.clone();
        // Not an async block: that would drop what it holds before it is ready.
        struct Child<D>(Option<Started<i32>>, D);
        impl<D> Unpin for Child<D> {}
        impl<D> Future for Child<D> {
            type Output = Result<()>;
            fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
                self.0.take().unwrap().ready(1);
                Poll::Ready(Err(Error::msg("fails")))
            }
        }
        let child = move |started| {
            let held = OnDrop(move || {
                drop(mine.take());
                count.set(count.get() + 1);
            });
            Child(Some(started), held)
        };
        assert_eq!(handle.start(child)?.await?, 1);
        assert!(slot.take().is_none());
        Ok(())
    })
    .unwrap();
    assert_eq!(dropped.get(), 1);
}

/// The child polls the nursery that it has just become a child of: it must not be polled
/// from in there, while it is running.
#[test]
fn n04_child_polls_the_nursery_it_was_just_handed_to() {
    let entries = Rc::new(Cell::new(0));
    run(async {
        let slot = Slot::default();
        let handle = open_nursery(&slot).await;
        let (mine, entries) = (slot.clone(), entries.clone());
        let child = async move |started: Started<i32>| {
            entries.set(entries.get() + 1);
            started.ready(1);
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                for _ in 0..3 {
                    assert!(mine.poll(cx).is_pending());
                }
                Poll::Ready(())
            })
            .await;
            assert_eq!(seedbed::current_effective_deadline(), None);
            yield_now().await?;
            entries.set(entries.get() + 10);
            Ok(())
        };
        assert_eq!(handle.start(child)?.await?, 1);
        for _ in 0..3 {
            assert!(slot.poll_once().await.is_pending());
            yield_now().await?;
        }
        handle.cancel();
        slot.finish().await
    })
    .unwrap();
    assert_eq!(entries.get(), 11, "begun once, ended once");
}

/// The same, with a scope around the nursery: from inside itself it is not moved below
/// itself in the tree of scopes.
#[test]
fn n04_child_polls_the_scope_around_its_new_nursery() {
    run(async {
        let slot = Slot::default();
        let kept = Rc::new(RefCell::new(None));
        let handle = kept.clone();
        slot.put(async move {
            cancel_scope(async |_| {
                nursery::<_, ()>(async |n| {
                    *handle.borrow_mut() = Some(n.handle());
                    loop {
                        let _ = seedbed::current_effective_deadline();
                        yield_now().await?;
                    }
                })
                .await
            })
            .await?;
            Ok(())
        });
        assert!(slot.poll_once().await.is_pending());
        let handle: NurseryHandle = kept.take().unwrap();
        let mine = slot.clone();
        let child = async move |started: Started<i32>| {
            started.ready(1);
            for _ in 0..3 {
                assert!(mine.poll_once().await.is_pending());
                let _ = seedbed::current_effective_deadline();
            }
            sleep_forever().await
        };
        assert_eq!(handle.start(child)?.await?, 1);
        handle.cancel();
        slot.finish().await
    })
    .unwrap();
}

/// The nursery is gone before the `start` into it is polled.
#[test]
fn n05_start_into_a_nursery_that_was_dropped_meanwhile() {
    let ran = Rc::new(Cell::new(false));
    let error = run(async {
        let slot = Slot::default();
        let handle = open_nursery(&slot).await;
        let ran = ran.clone();
        let start = handle.start(async move |started: Started<i32>| {
            ran.set(true);
            started.ready(1);
            sleep_forever().await
        })?;
        drop(slot.take());
        start.await
    })
    .unwrap_err();
    assert!(error.is::<NurseryClosed>(), "{error:?}");
    assert!(!ran.get());
}

/// The nursery goes while the child is on its way up: `ready` finds nowhere to go.
#[test]
fn n05_nursery_dropped_while_a_child_starts() {
    let dropped = Rc::new(Cell::new(0));
    let error = run(async {
        let slot = Slot::default();
        let handle = open_nursery(&slot).await;
        let (mine, count) = (slot.clone(), CountDrop(dropped.clone()));
        let start = handle.start(async move |started: Started<i32>| {
            let _count = count;
            yield_now().await?;
            drop(mine.take());
            started.ready(1);
            sleep_forever().await
        })?;
        start.await
    })
    .unwrap_err();
    assert!(error.is::<NurseryClosed>(), "{error:?}");
    assert_eq!(dropped.get(), 1);
}

/// `ready` is called by someone else, on a child that waits, for a nursery that was
/// cancelled meanwhile: the child has to learn of it.
#[test]
fn n07_handed_to_a_cancelled_nursery_while_waiting() {
    let seen = Rc::new(Cell::new(false));
    run(async {
        let slot = Slot::default();
        let handle = open_nursery(&slot).await;
        let kept = Rc::new(RefCell::new(None));
        nursery(async |n| {
            let (seen, keep) = (seen.clone(), kept.clone());
            let start = handle.start(async move |started: Started<i32>| {
                *keep.borrow_mut() = Some(started);
                let outcome = sleep_forever().await;
                seen.set(outcome.as_ref().is_err_and(Error::is_cancelled));
                outcome
            })?;
            let task = n.spawn(start);
            yield_now().await?;
            yield_now().await?;
            handle.cancel();
            let started: Started<i32> = kept.take().unwrap();
            started.ready(5);
            assert_eq!(task.await?, 5);
            Ok(())
        })
        .await?;
        slot.finish().await
    })
    .unwrap();
    assert!(seen.get(), "a checkpoint in a cancelled nursery fails");
}

/// The child waits inside a foreign combinator when it is handed over. A cancellation of
/// its nursery has to get through.
#[test]
fn n07_handed_over_while_inside_a_foreign_combinator() {
    let cancelled = Rc::new(Cell::new(0));
    run(async {
        let slot = Slot::default();
        let handle = open_nursery(&slot).await;
        let count = cancelled.clone();
        let start = handle.start(async move |started: Started<i32>| {
            let mut all = FuturesUnordered::<Boxed<'_>>::new();
            all.push(Box::pin(sleep_forever()));
            all.push(Box::pin(async move {
                yield_now().await?;
                started.ready(1);
                sleep_forever().await
            }));
            while let Some(outcome) = all.next().await {
                assert!(outcome.unwrap_err().is_cancelled());
                count.set(count.get() + 1);
            }
            Ok(())
        })?;
        assert_eq!(start.await?, 1);
        handle.cancel();
        slot.finish().await
    })
    .unwrap();
    assert_eq!(cancelled.get(), 2);
}

/// `ready` called inside a scope of the child's own: having left that, the child is in
/// its nursery at once, not where the caller is.
#[test]
fn n07_ready_inside_of_a_scope() {
    let seen = Rc::new(Cell::new(false));
    run(async {
        let slot = Slot::default();
        let handle = open_nursery(&slot).await;
        let caller = CancelScope::new();
        let (outer, seen) = (caller.clone(), seen.clone());
        let start = handle.start(async move |started: Started<i32>| {
            cancel_scope(async |_| {
                started.ready(1);
                Ok(())
            })
            .await?;
            outer.cancel();
            checkpoint().await?; // the caller's scope is not the child's any more
            seen.set(true);
            Ok(())
        })?;
        assert_eq!(caller.enter(async |_| start.await).await?, Some(1));
        handle.cancel();
        slot.finish().await
    })
    .unwrap();
    assert!(seen.get());
}
