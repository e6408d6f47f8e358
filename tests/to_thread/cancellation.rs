//! What a cancellation does: the work is waited for, unless it may be abandoned.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::mpsc;
use std::task::Poll;
use std::thread;

use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CapacityLimiter, Result, Token, Yielder, cancel_scope, checkpoint, generator, nursery,
    to_thread, yield_now,
};

use super::{gate, run};
use crate::support::{poll_once, recording, said, shielded};

#[test]
fn r03_cancellation_does_not_abandon_the_work() {
    run(async {
        let (mut gate, stand) = gate();
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                let work = n.spawn(async {
                    let value = to_thread(move || {
                        stand();
                        "done"
                    })
                    .await?;
                    // It has happened; the cancellation is raised by what comes next.
                    assert!(checkpoint().await.unwrap_err().is_cancelled());
                    Ok(value)
                });
                gate.begun().await?;
                scope.cancel();
                assert!(yield_now().await.unwrap_err().is_cancelled());
                assert!(!work.is_finished());
                shielded(yield_now()).await?;
                assert!(!work.is_finished());
                gate.open();
                shielded(work).await
            })
            .await
        })
        .await?;
        assert_eq!(outcome, Some("done"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_a_cancelled_scope_that_waits_for_a_thread_is_not_stuck() {
    run(async {
        let value = cancel_scope(async |scope| {
            let scope = scope.cancel_handle();
            to_thread(move || {
                scope.cancel();
                for _ in 0..10 {
                    // After each the run has nothing to do, and looks for what is stuck.
                    Token::current().unwrap().run_sync(|| ()).unwrap();
                }
                "done"
            })
            .await
        })
        .await?;
        assert_eq!(value, Some("done"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_only_what_asks_for_it_is_abandoned() {
    run(async {
        let limiter = CapacityLimiter::new(1);
        let (mut gate, stand) = gate();
        let (kept, gone) = mpsc::channel::<()>();
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                let work = to_thread(move || {
                    stand();
                    kept
                });
                let work = n.spawn(work.limiter(&limiter).abandon_on_cancel(true));
                gate.begun().await?;
                scope.cancel();
                work.await
            })
            .await
        })
        .await?;
        assert!(outcome.is_none());
        // The thread goes on, and keeps its permit.
        assert_eq!(gone.try_recv(), Err(mpsc::TryRecvError::Empty));
        assert_eq!(limiter.borrowed(), 1);
        gate.open();
        let _permit = limiter.acquire().await?;
        // Its value is not kept for anybody.
        assert_eq!(gone.try_recv(), Err(mpsc::TryRecvError::Disconnected));
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_what_may_be_abandoned_returns_its_value_where_it_is_not() {
    run(async {
        assert_eq!(to_thread(|| 5).abandon_on_cancel(true).await?, 5);
        let undecided = to_thread(|| 6).abandon_on_cancel(true).abandon_on_cancel(false);
        assert_eq!(undecided.await?, 6);
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_a_panic_of_abandoned_work_is_reported_and_not_raised() {
    let (outcome, records) = recording(|| {
        run(async {
            let limiter = CapacityLimiter::new(1);
            let (mut gate, stand) = gate();
            let work = to_thread(move || {
                stand();
                panic!("nobody waits for this");
            });
            let mut work = work.limiter(&limiter).abandon_on_cancel(true);
            assert!(poll_once(&mut work).await.is_none());
            gate.begun().await?;
            drop(work);
            gate.open();
            let _ended = limiter.acquire().await?;
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0].level, tracing::Level::ERROR);
    assert_eq!(records[0].field("panic"), r#""nobody waits for this""#);
    assert!(records[0].field("job").contains(file!()), "{records:?}");
}

#[test]
fn r03_a_panic_that_has_arrived_and_is_not_taken_is_reported() {
    let (outcome, records) = recording(|| {
        run(async {
            let limiter = CapacityLimiter::new(1);
            let mut work = to_thread(|| panic!("not taken")).limiter(&limiter);
            assert!(poll_once::<Result<()>>(&mut work).await.is_none());
            let _ended = limiter.acquire().await?;
            drop(work);
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(said(&records, "not taken"), 1, "{records:?}");
}

#[test]
fn r03_a_destructor_that_panics_where_nobody_is_told_is_reported() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    let (outcome, records) = recording(|| {
        run(async {
            let limiter = CapacityLimiter::new(1);
            let (mut gate, stand) = gate();
            let work = to_thread(move || {
                stand();
                Bomb
            });
            let mut work = work.limiter(&limiter);
            assert!(poll_once(&mut work).await.is_none());
            gate.begun().await?;
            drop(work);
            gate.open();
            let _ended = limiter.acquire().await?;
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(said(&records, "in a destructor"), 1, "{records:?}");
}

#[test]
fn r03_a_cancellation_reaches_work_to_be_abandoned_in_a_combinator() {
    run(async {
        let (mut gate, stand) = gate();
        let outcome = cancel_scope(async |scope| {
            nursery(async |n| {
                let mut all = FuturesUnordered::new();
                all.push(to_thread(stand).abandon_on_cancel(true));
                let waits = n.spawn(async move { all.next().await.unwrap() });
                gate.begun().await?;
                scope.cancel();
                waits.await
            })
            .await
        })
        .await?;
        assert!(outcome.is_none());
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_clean_up_may_use_threads_also_at_the_very_last() {
    thread_local! {
        static CLEANED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
        static LATE: RefCell<Option<seedbed::Generator<u32>>> = const { RefCell::new(None) };
    }
    async fn clean(what: &'static str) -> Result<()> {
        shielded(to_thread(|| ())).await?;
        CLEANED.with_borrow_mut(|cleaned| cleaned.push(what));
        Ok(())
    }
    struct AtLast;
    impl Drop for AtLast {
        /// Leaves a call that is made when no more calls are taken, and begins a generator.
        fn drop(&mut self) {
            let call = || {
                let mut late = generator(async |y| {
                    let _ = y.yield_(1).await;
                    clean("late").await
                });
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                assert!(pin!(late.anext()).as_mut().poll(&mut cx).is_ready());
                LATE.set(Some(late));
            };
            Token::current().unwrap().run_sync_soon(call).unwrap();
        }
    }
    run(async {
        let mut left = generator(async |y: Yielder<u32>| {
            let _at_last = AtLast;
            let _ = y.yield_(1).await;
            clean("first").await
        });
        left.anext().await?;
        Ok(())
    })
    .unwrap();
    assert_eq!(CLEANED.take(), ["first", "late"]);
    LATE.take();
}

/// Polled in one scope and awaited in another, by way of something that does not poll it again:
/// the thread's end is what the cancelled scope waits for.
#[test]
fn r03_a_cancelled_scope_around_foreign_code_around_a_thread_is_not_stuck() {
    let (sender, receiver) = mpsc::channel();
    let value = Builder::new().clock(&VirtualClock::new()).fail_when_stuck(true).run(async {
        let mut jobs = FuturesUnordered::new();
        jobs.push(to_thread(move || receiver.recv().unwrap()));
        let begun = poll_fn(|cx| Poll::Ready(jobs.poll_next_unpin(cx).is_pending())).await;
        assert!(begun);
        let token = Token::current()?;
        thread::spawn(move || {
            // The run looks around, and sleeps, in between.
            (0..3).for_each(|_| token.run_sync(|| ()).unwrap());
            sender.send(42).unwrap();
        });
        cancel_scope(async |scope| {
            scope.cancel();
            jobs.next().await.unwrap()
        })
        .await
    });
    assert_eq!(value.unwrap(), Some(42));
}
