//! `CapacityLimiter`: C2, C10, C11 and R3, and what its own documentation says.

use std::cell::RefCell;

use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::{
    Builder, CancelScope, CapacityLimiter, NotRunning, cancel_scope, move_on_after, nursery, sleep,
    sleep_forever, yield_now,
};
use support::{poll_once, run, secs};

mod support;

#[test]
fn permits_are_counted_and_given_back() {
    let limiter = CapacityLimiter::new(2);
    let numbers = || (limiter.total(), limiter.borrowed(), limiter.available());
    assert_eq!(numbers(), (2, 0, 2));
    let first = limiter.try_acquire().unwrap();
    let second = limiter.try_acquire().unwrap();
    assert_eq!(numbers(), (2, 2, 0));
    assert!(limiter.try_acquire().is_none());
    drop(first);
    assert_eq!(numbers(), (2, 1, 1));
    // A permit needs no handle to be kept.
    let other = CapacityLimiter::new(1);
    let third = other.try_acquire();
    drop(other);
    drop((second, third));
    assert_eq!(numbers(), (2, 0, 2));
}

#[test]
fn r03_who_comes_first_is_served_first() {
    run(async {
        let limiter = CapacityLimiter::new(1);
        let order = RefCell::new(Vec::new());
        nursery(async |n| {
            for i in 0..5 {
                let (limiter, order) = (&limiter, &order);
                n.spawn(async move {
                    let permit = limiter.acquire().await?;
                    order.borrow_mut().push(i);
                    sleep(secs(1)).await?;
                    drop(permit);
                    // It is the next one's already.
                    assert!(limiter.try_acquire().is_none());
                    Ok(())
                });
            }
            yield_now().await?;
            let _permit = limiter.acquire().await?;
            order.borrow_mut().push(5);
            Ok(())
        })
        .await?;
        assert_eq!(order.take(), [0, 1, 2, 3, 4, 5]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c10_a_permit_that_was_handed_over_is_had_or_goes_on() {
    run(async {
        let limiter = CapacityLimiter::new(1);
        // Cancelled after it was served: it has happened.
        let held = limiter.acquire().await?;
        cancel_scope(async |scope| {
            let mut acquire = limiter.acquire();
            assert!(poll_once(&mut acquire).await.is_none());
            drop(held);
            scope.cancel();
            drop(acquire.await?);
            Ok(())
        })
        .await?
        .expect("nothing was cancelled");
        assert_eq!(limiter.borrowed(), 0);

        // Dropped after it was served: the next one gets it.
        let held = limiter.acquire().await?;
        let (mut first, mut second) = (limiter.acquire(), limiter.acquire());
        assert!(poll_once(&mut first).await.is_none());
        assert!(poll_once(&mut second).await.is_none());
        drop(held);
        assert!(poll_once(&mut second).await.is_none());
        drop(first);
        drop(second.await?);
        assert_eq!(limiter.borrowed(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c10_who_was_cancelled_is_passed_over() {
    run(async {
        let limiter = CapacityLimiter::new(1);
        let held = limiter.acquire().await?;
        let scope = CancelScope::new();
        nursery(async |n| {
            let first = n.spawn(scope.enter(async |_| limiter.acquire().await.map(drop)));
            let second = n.spawn(async { limiter.acquire().await.map(drop) });
            yield_now().await?;
            // In this order: it has not run when the permit is given back, but is cancelled.
            scope.cancel();
            drop(held);
            assert_eq!(limiter.borrowed(), 1, "the second one's");
            assert_eq!(first.await?, None);
            second.await
        })
        .await?;
        assert_eq!((limiter.borrowed(), limiter.available()), (0, 1));

        // By the clock, with nobody after it.
        let held = limiter.acquire().await?;
        let none = move_on_after(secs(1), limiter.acquire()).await?;
        assert!(none.is_none());
        drop(held);
        assert_eq!(limiter.available(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c02_acquire_is_a_checkpoint_also_if_there_is_a_permit() {
    run(async {
        let limiter = CapacityLimiter::new(1);
        cancel_scope(async |scope| {
            scope.cancel();
            assert!(limiter.acquire().await.unwrap_err().is_cancelled());
            Ok(())
        })
        .await?;
        assert_eq!(limiter.borrowed(), 0);

        // It counts, so a task that is always served lets others run.
        nursery(async |n| {
            let busy = n.spawn(async {
                loop {
                    drop(limiter.acquire().await?);
                }
            });
            yield_now().await?;
            yield_now().await?;
            assert!(!busy.is_finished());
            n.scope().cancel();
            let _: () = busy.await?;
            Ok(())
        })
        .await
    })
    .unwrap();
    // One that is dropped while it lets others run has taken none.
    let builder = Builder::new().budget(1);
    builder
        .run(async {
            let limiter = CapacityLimiter::new(1);
            let mut acquire = limiter.acquire();
            assert!(poll_once(&mut acquire).await.is_none());
            assert_eq!(limiter.borrowed(), 1);
            drop(acquire);
            assert_eq!(limiter.borrowed(), 0);
            Ok(())
        })
        .unwrap();
}

#[test]
fn acquire_outside_of_run_is_an_error() {
    let limiter = CapacityLimiter::new(1);
    let error = futures::executor::block_on(limiter.acquire()).unwrap_err();
    assert!(error.is::<NotRunning>());
    assert_eq!(limiter.borrowed(), 0);
}

#[test]
fn r03_a_larger_total_lets_in_those_who_wait_and_a_smaller_one_nobody() {
    run(async {
        let limiter = CapacityLimiter::new(0);
        let served = RefCell::new(0);
        nursery(async |n| {
            for _ in 0..5 {
                n.spawn(async {
                    let _permit = limiter.acquire().await?;
                    *served.borrow_mut() += 1;
                    sleep_forever().await
                });
            }
            yield_now().await?;
            assert_eq!((*served.borrow(), limiter.available()), (0, 0));
            limiter.set_total(3);
            assert_eq!(limiter.borrowed(), 3);
            yield_now().await?;
            assert_eq!(*served.borrow(), 3);
            limiter.set_total(1);
            assert_eq!((limiter.total(), limiter.borrowed(), limiter.available()), (1, 3, 0));
            assert!(limiter.try_acquire().is_none());
            limiter.set_total(usize::MAX);
            yield_now().await?;
            assert_eq!(*served.borrow(), 5);
            n.scope().cancel();
            Ok(())
        })
        .await?;
        assert_eq!(limiter.borrowed(), 0);

        // Given back while there are too many: nobody is served for it.
        limiter.set_total(2);
        let (first, second) = (limiter.acquire().await?, limiter.acquire().await?);
        limiter.set_total(1);
        let mut third = limiter.acquire();
        assert!(poll_once(&mut third).await.is_none());
        drop(first);
        assert!(poll_once(&mut third).await.is_none());
        drop(second);
        drop(third.await?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c11_acquire_is_served_and_cancelled_in_combinators() {
    run(async {
        let limiter = CapacityLimiter::new(1);
        let held = limiter.acquire().await?;
        let mut all: FuturesUnordered<_> = (0..3).map(|_| limiter.acquire()).collect();
        assert!(poll_once(all.next()).await.is_none());
        drop(held);
        for _ in 0..3 {
            drop(all.next().await.expect("there is one more")?);
        }
        let _held = limiter.acquire().await?;
        let none = move_on_after(secs(1), async {
            let mut all: FuturesUnordered<_> = (0..3).map(|_| limiter.acquire()).collect();
            all.next().await.expect("there are three").map(drop)
        });
        assert_eq!(none.await?, None);
        Ok(())
    })
    .unwrap();
}
