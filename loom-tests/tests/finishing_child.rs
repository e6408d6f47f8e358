//! Two wakes and a finishing child (R2).
//!
//! A child that either of two threads may wake ends with the first wake. The second wake may come
//! before the child runs, while it does, between its end and the moment it is freed, when another
//! child has its place in the table, and when the run has ended. It must then reach nobody, or be
//! one wake too many for the child that has the place now. It must neither pass for a wake of that
//! child nor hide one.
#![cfg(loom)]

use std::future::poll_fn;
use std::task::{Poll, Waker};

use loom::thread;
use loom_tests::Extent::Preemptions;
use loom_tests::{Slot, model};
use seedbed::nursery;

#[test]
fn r02_two_wakes_and_a_finishing_child() {
    model(Preemptions(3), || {
        let (one, two) = (Slot::new(), Slot::new());
        for slot in [one.clone(), two.clone()] {
            thread::spawn(move || slot.give(()));
        }
        let run = seedbed::run(nursery(async |n| {
            let (one, two) = (&one, &two);
            n.spawn(async move {
                poll_fn(|cx| match (one.poll_take(cx), two.poll_take(cx)) {
                    (Poll::Pending, Poll::Pending) => Poll::Pending,
                    _ => Poll::Ready(()),
                })
                .await;
                Ok(())
            });
            Ok(())
        }));
        run.unwrap();
    });
}

/// The same, and then a child in the same place waits for something that has not been given yet.
#[test]
fn r02_a_wake_for_a_child_that_has_gone_and_its_successor() {
    model(Preemptions(3), || {
        let (one, two) = (Slot::new(), Slot::new());
        for slot in [one.clone(), two.clone()] {
            thread::spawn(move || slot.give(()));
        }
        let run = seedbed::run(nursery(async |n| {
            let (one, two) = (&one, &two);
            let first = n.spawn(async move {
                Ok(poll_fn(|cx| match one.poll_take(cx) {
                    Poll::Ready(()) => Poll::Ready(two),
                    Poll::Pending => two.poll_take(cx).map(|()| one),
                })
                .await)
            });
            let other = first.await?;
            n.spawn(async move {
                other.take().await;
                Ok(())
            });
            Ok(())
        }));
        run.unwrap();
    });
}

/// One thread wakes a child that has gone, another its successor in the table, and the run may
/// learn of both at once. The first wake must not hide the second.
#[test]
fn r02_a_late_wake_does_not_hide_one_for_the_successor() {
    model(Preemptions(3), || {
        let slot = Slot::new();
        let giver = slot.clone();
        let run = seedbed::run(nursery(async |n| {
            let child = n.spawn(async { Ok(own_waker().await) });
            let gone = child.await?;
            thread::spawn(move || gone.wake());
            thread::spawn(move || giver.give(()));
            let slot = &slot;
            n.spawn(async move {
                slot.take().await;
                Ok(())
            });
            Ok(())
        }));
        run.unwrap();
    });
}

async fn own_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}
