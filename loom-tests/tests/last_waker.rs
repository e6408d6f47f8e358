//! The last waker is dropped elsewhere while the child completes (R2).
//!
//! A waker is a number, so cloning or dropping it touches nothing. These models show that this
//! holds wherever a clone, a wake by value, a wake by reference or a drop falls between the child's
//! poll, its end, the freeing of its memory, the reuse of its place, and the end of the run.
//! Another library's waker, which does own one of ours, is dropped once and takes nothing with it.
#![cfg(loom)]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::Arc;
use loom::thread;
use loom_tests::Extent::{All, Preemptions};
use loom_tests::{Slot, model};
use seedbed::nursery;

#[test]
fn r02_the_last_waker_is_dropped_elsewhere_while_the_child_completes() {
    model(Preemptions(3), || {
        let slot = Slot::new();
        let giver = slot.clone();
        // Loom finds it if this is left over, or goes too early.
        let owned = Arc::new(());
        let run = seedbed::run(nursery(async |n| {
            let slot = &slot;
            n.spawn(async move {
                let _owned = owned;
                let waker = own_waker().await;
                thread::spawn(move || {
                    let last = waker.clone();
                    drop(waker);
                    last.wake_by_ref();
                    drop(last);
                });
                thread::spawn(move || giver.give(()));
                slot.take().await;
                Ok(())
            });
            Ok(())
        }));
        run.unwrap();
    });
}

/// The run may be about to end, or may have ended, when the waker is used and dropped.
#[test]
fn r02_a_waker_outlives_its_run() {
    model(All, || {
        let waker = seedbed::run(async {
            let waker = own_waker().await;
            let sent = waker.clone();
            thread::spawn(move || sent.wake());
            Ok(waker)
        });
        waker.unwrap().wake();
    });
}

/// Another library's waker, which owns one of ours.
struct Foreign {
    inner: Waker,
    /// Loom finds it if a waker is left over.
    _owned: Arc<()>,
}

impl Wake for Foreign {
    fn wake(self: StdArc<Self>) {
        self.inner.wake_by_ref();
    }
}

#[test]
fn r02_a_foreign_waker_is_dropped_elsewhere_while_the_child_completes() {
    model(All, || {
        let (slot, kept) = (Slot::new(), Slot::new());
        let (giver, keeper) = (slot.clone(), kept.clone());
        thread::spawn(move || giver.give(()));
        let run = seedbed::run(nursery(async |n| {
            let slot = &slot;
            n.spawn(async move {
                let mut taking = pin!(slot.take());
                let foreign = poll_fn(|cx| {
                    let foreign = Foreign { inner: cx.waker().clone(), _owned: Arc::new(()) };
                    Poll::Ready(Waker::from(StdArc::new(foreign)))
                })
                .await;
                let dropped = foreign.clone();
                thread::spawn(move || drop(dropped));
                keeper.give(foreign.clone());
                poll_fn(|_| taking.as_mut().poll(&mut Context::from_waker(&foreign))).await;
                Ok(())
            });
            Ok(())
        }));
        run.unwrap();
        drop(kept);
    });
}

async fn own_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}
