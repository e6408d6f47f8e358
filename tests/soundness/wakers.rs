//! Wakers that panic.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use futures::FutureExt;
use seedbed::{Error, nursery, sleep_forever, yield_now};

use super::{CountDrop, Slot, open_nursery, run};

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic_any("a waker");
    }
}

fn panicking() -> Waker {
    Arc::new(Panics).into()
}

/// A task handle that was polled with a waker that panics.
#[test]
fn n04_joiner_that_panics_when_the_nursery_is_dropped() {
    let dropped = Rc::new(Cell::new(0));
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            let slot = Slot::default();
            let handle = open_nursery(&slot).await;
            let mut tasks = Vec::new();
            for _ in 0..3 {
                let count = CountDrop(dropped.clone());
                tasks.push(handle.spawn(async move {
                    let _count = count;
                    sleep_forever().await
                })?);
            }
            assert!(slot.poll_once().await.is_pending());
            for task in &mut tasks {
                let waker = panicking();
                assert!(task.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
            }
            drop(slot.take());
            Ok(())
        })
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"a waker"));
    assert_eq!(dropped.get(), 3, "all the children were dropped all the same");
}

#[test]
fn n08_joiner_that_panics_when_its_child_ends() {
    let sibling = Rc::new(Cell::new(false));
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(nursery(async |n| {
            let seen = sibling.clone();
            drop(n.spawn(async move {
                let outcome = sleep_forever().await;
                seen.set(outcome.as_ref().is_err_and(Error::is_cancelled));
                outcome
            }));
            let mut task = n.spawn(async { yield_now().await });
            let waker = panicking();
            assert!(task.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
            sleep_forever().await
        }))
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"a waker"));
    assert!(sibling.get(), "the sibling was cancelled and awaited");
}
