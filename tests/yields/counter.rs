//! Y1 and Y8: what is open in a frame is counted, and counting changes nothing else.

use std::pin::pin;

use futures::poll;
use seedbed::{
    CancelScope, Error, TooSlow, YieldInCancelScope, Yielder, cancel_scope, fail_after, generator,
    move_on_after, nursery, prevent_yields, sleep, sleep_forever,
};

use super::{every_scope, exhaust, is_here, may_yield, refused};
use crate::support::{Log, cancelled, catching, count, run, secs};

// Y1

#[test]
fn y01_every_scope_counts_while_it_is_open_and_not_longer() {
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let g = generator(async move |y: Yielder<()>| {
            assert!(may_yield(&y).await);
            let y = &y;
            for (name, future) in every_scope(|| async { y.yield_(()).await.map(drop) }) {
                let error = future.await.unwrap_err();
                let refusal = error.find::<YieldInCancelScope>().expect("it is refused");
                assert_eq!(refusal.reason(), name);
                is_here(refusal.yielded_at(), refusal.yielded_at().line());
                assert!(may_yield(y).await, "after {name}");
                inside.add(name);
            }
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 9);
        assert_eq!(log.take().len(), 8);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y01_it_counts_until_it_is_left_whichever_way() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            // An error, a cancellation, a deadline, a panic, a drop.
            let failing = cancel_scope(async |_| Err::<(), _>(Error::msg("x"))).await;
            assert!(failing.is_err() && may_yield(&y).await);
            assert!(cancelled(sleep(secs(1))).await?.is_none() && may_yield(&y).await);
            let late = fail_after(secs(1), sleep_forever()).await;
            assert!(late.unwrap_err().is::<TooSlow>() && may_yield(&y).await);
            let panicking = nursery(async |n| {
                drop(n.spawn::<_, ()>(async { panic!("x") }));
                sleep_forever().await
            });
            assert!(catching(panicking).await.is_err() && may_yield(&y).await);
            {
                let mut open = pin!(move_on_after(secs(5), sleep_forever()));
                assert!(poll!(open.as_mut()).is_pending());
                assert!(!may_yield(&y).await, "it is open, though not what is awaited now");
            }
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 5);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y01_it_is_a_counter() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            let mut guards: Vec<_> = (0..5).map(|i| prevent_yields(format!("guard {i}"))).collect();
            while let Some(guard) = guards.pop() {
                assert!(!may_yield(&y).await);
                drop(guard);
            }
            assert!(may_yield(&y).await);
            // Nested, the one that was opened last is named.
            let error = cancel_scope(async |_| {
                // seedbed-lint: allow(yield-in-scope)
                nursery(async |_| fail_after(secs(1), async { y.yield_(()).await.map(drop) }).await)
                    .await
            })
            .await;
            assert_eq!(refused(error).reason(), "a timeout");
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y01_a_scope_that_is_made_and_not_entered_does_not_count() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            let scope = CancelScope::new().with_timeout(secs(1));
            let unpolled = scope.enter(async |_| sleep_forever().await);
            assert!(may_yield(&y).await);
            assert_eq!(unpolled.await?, None);
            assert!(may_yield(&y).await, "nor does the handle of one that was left");
            assert!(scope.cancelled_caught());
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y01_what_the_consumer_or_a_task_opens_counts_nowhere() {
    run(async {
        let _guard = prevent_yields("in a task, with nobody to yield to");
        let mut g = generator(async |y: Yielder<u32>| count(&y).await);
        assert_eq!(g.anext().await?, Some(0));
        let _another = prevent_yields("between two yields");
        assert_eq!(g.anext().await?, Some(1));
        g.aclose().await?;
        drop(prevent_yields("outside"));
        Ok(())
    })
    .unwrap();
    drop(prevent_yields("outside of a run"));
}

// Y8

#[test]
fn y08_the_check_changes_nothing_for_a_body_that_keeps_to_the_rule() {
    // What it costs is measured in `benches`; here, that scopes left before the yield, however
    // many, leave nothing behind to be looked at.
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            for i in 0..10_000 {
                let value =
                    cancel_scope(async |_| fail_after(secs(1), async { Ok(i) }).await).await?;
                y.yield_(value.unwrap()).await?;
            }
            Ok(())
        });
        for i in 0..10_000 {
            assert_eq!(g.anext().await?, Some(i));
        }
        assert_eq!(g.anext().await?, None);
        Ok(())
    })
    .unwrap();
}
