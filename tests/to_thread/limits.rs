//! How many functions work at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use futures::channel::oneshot;
use seedbed::{
    CapacityLimiter, Result, cancel_scope, cancellable, current_default_thread_limiter,
    move_on_after, nursery, to_thread, yield_now,
};

use super::{Gate, gate, run};
use crate::support::{recording, secs};

/// Begins work that hangs, and abandons it. Returns the gate, and what has an end when the run has
/// seen the end of the work.
async fn abandoned() -> Result<(Gate, oneshot::Receiver<()>)> {
    let (mut gate, stand) = gate();
    let (kept, gone) = oneshot::channel();
    let work = move || {
        stand();
        kept
    };
    cancel_scope(async |scope| {
        nursery(async |n| {
            n.spawn(async { to_thread(work).abandon_on_cancel(true).await });
            gate.begun().await?;
            scope.cancel();
            Ok(())
        })
        .await
    })
    .await?;
    Ok((gate, gone))
}

#[test]
fn r03_the_limiter_is_forty_and_can_be_set() {
    run(async {
        let limiter = current_default_thread_limiter()?;
        assert_eq!((limiter.total(), limiter.borrowed()), (40, 0));
        limiter.set_total(1);

        let (mut gate, stand) = gate();
        nursery(async |n| {
            let first = n.spawn(to_thread(stand));
            gate.begun().await?;
            assert_eq!(limiter.borrowed(), 1);
            let second = n.spawn(to_thread(|| 2));
            let elsewhere = to_thread(|| 3).limiter(&CapacityLimiter::new(1)).await?;
            assert_eq!(elsewhere, 3);
            assert!(!second.is_finished());
            current_default_thread_limiter()?.set_total(2);
            assert_eq!(second.await?, 2);
            assert!(!first.is_finished());
            gate.open();
            first.await
        })
        .await?;
        assert_eq!(limiter.borrowed(), 0);
        Ok(())
    })
    .unwrap();
    // Each run has its own.
    run(async {
        assert_eq!(current_default_thread_limiter()?.total(), 40);
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_a_thousand_jobs_keep_to_a_limit_of_four_and_use_it() {
    let at_once = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let four = Arc::new(Barrier::new(4));
    run(async {
        let limiter = CapacityLimiter::new(4);
        let begun = Arc::new(Mutex::new(Vec::new()));
        nursery(async |n| {
            for i in 0..1000 {
                let (at_once, most, four, begun) =
                    (at_once.clone(), most.clone(), four.clone(), begun.clone());
                let work = to_thread(move || {
                    most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    begun.lock().unwrap().push(i);
                    if i < 4 {
                        four.wait(); // for three others
                    }
                    at_once.fetch_sub(1, Ordering::SeqCst);
                });
                n.spawn(work.limiter(&limiter));
            }
            Ok(())
        })
        .await?;
        assert_eq!((limiter.borrowed(), limiter.available()), (0, 4));
        let mut begun = begun.lock().unwrap().clone();
        begun.sort_unstable();
        assert!(begun.into_iter().eq(0..1000));
        Ok(())
    })
    .unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 4);
}

#[test]
fn r03_who_is_cancelled_while_it_waits_for_a_permit_leaves_no_trace() {
    run(async {
        let limiter = CapacityLimiter::new(1);
        let held = limiter.acquire().await?;
        let begun = Arc::new(AtomicUsize::new(0));
        nursery(async |n| {
            let count = begun.clone();
            let first = n.spawn(move_on_after(
                secs(1),
                to_thread(move || count.fetch_add(1, Ordering::SeqCst)).limiter(&limiter),
            ));
            let second = n.spawn(to_thread(|| "second").limiter(&limiter));
            assert_eq!(first.await?, None);
            assert_eq!(Arc::strong_count(&begun), 1, "the function was dropped");
            assert!(!second.is_finished());
            drop(held);
            assert_eq!(second.await?, "second");
            Ok(())
        })
        .await?;
        assert_eq!(begun.load(Ordering::SeqCst), 0);
        assert_eq!(limiter.borrowed(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn r03_who_is_cancelled_with_the_permit_in_hand_does_not_begin() {
    run(async {
        let limiter = CapacityLimiter::new(1);
        let held = limiter.acquire().await?;
        let begun = Arc::new(AtomicUsize::new(0));
        cancel_scope(async |scope| {
            nursery(async |n| {
                let count = begun.clone();
                n.spawn(to_thread(move || count.fetch_add(1, Ordering::SeqCst)).limiter(&limiter));
                yield_now().await?;
                drop(held); // it is the waiter's now
                assert_eq!(limiter.borrowed(), 1);
                scope.cancel();
                Ok(())
            })
            .await
        })
        .await?;
        assert_eq!(begun.load(Ordering::SeqCst), 0);
        assert_eq!(limiter.borrowed(), 0);
        Ok(())
    })
    .unwrap();
}

/// Trio's keep their permits, and so stop all other work. Here that is true only of those under a
/// limiter that was given.
#[test]
fn r08_abandoned_work_does_not_stop_other_work() {
    run(async {
        let limiter = current_default_thread_limiter()?;
        limiter.set_total(1);
        let mut all = Vec::new();
        for _ in 0..40 {
            all.push(abandoned().await?);
            assert_eq!(limiter.borrowed(), 0);
        }
        assert_eq!(to_thread(|| 5).await?, 5);
        // Those that end do not give anything back a second time.
        for (gate, gone) in all {
            gate.open();
            assert!(cancellable(gone).await?.is_err());
        }
        assert_eq!((limiter.borrowed(), limiter.available()), (0, 1));
        Ok(())
    })
    .unwrap();
}

/// Names are looked up while all the threads of the default limiter are busy.
#[test]
fn r08_blocking_work_does_not_stop_look_ups() {
    run(async {
        let limiter = current_default_thread_limiter()?;
        limiter.set_total(1);
        nursery(async |n| {
            let (mut gate, stand) = gate();
            n.spawn(async { to_thread(stand).await });
            gate.begun().await?;
            assert_eq!(limiter.available(), 0);
            let addresses = seedbed::net::lookup_host(("localhost", 80)).await?;
            assert!(!addresses.is_empty());
            gate.open();
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// There is an end to the threads that may be left behind.
#[test]
fn r08_beyond_400_abandoned_jobs_keep_their_permits() {
    let (gates, records) = recording(|| {
        run(async {
            let limiter = current_default_thread_limiter()?;
            let mut gates = Vec::new();
            for before in 0..402_usize {
                gates.push(abandoned().await?.0);
                assert_eq!(limiter.borrowed(), (before + 1).saturating_sub(400));
            }
            assert_eq!(to_thread(|| 5).await?, 5);
            Ok(gates)
        })
        .unwrap()
    });
    let warnings: Vec<_> = records.iter().filter(|it| it.message().contains("400 jobs")).collect();
    let [warning] = &warnings[..] else { panic!("{records:?}") };
    assert!(warning.field("job").contains(file!()), "{warning:?}");
    gates.into_iter().for_each(Gate::open);
}
