//! Y3 and Y4: consumers, children, and yielders used elsewhere.

use std::cell::RefCell;
use std::rc::Rc;

use futures::{StreamExt, poll};
use seedbed::testing::VirtualClock;
use seedbed::{
    Yielder, YielderMisused, aclosing, cancel_scope, context_manager, fail_after, generator,
    iterate, nursery, prevent_yields, sleep, with,
};

use super::{exhaust, is_here, may_yield, refused};
use crate::support::{count, run, run_on, secs};

// Y3

#[test]
fn y03_inside_its_consumers_scope_it_may_yield() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| count(&y).await);
        cancel_scope(async |_| {
            nursery(async |_| {
                assert_eq!(g.anext().await?, Some(0));
                let _guard = prevent_yields("the consumer's");
                assert_eq!(fail_after(secs(1), g.anext()).await?, Some(1));
                Ok(())
            })
            .await
        })
        .await?;
        assert_eq!(g.anext().await?, Some(2));
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn y03_a_consumer_that_is_a_generator_counts_for_itself() {
    run(async {
        let mut outer = generator(async |y: Yielder<u32>| {
            let inner = generator(async |y: Yielder<u32>| count(&y).await);
            aclosing(inner, async |inner| {
                // The inner one may be driven in the outer one's timeout …
                while let Some(i) = fail_after(secs(1), inner.anext()).await? {
                    y.yield_(i).await?; // … outside of which the outer one yields.
                    if i == 1 {
                        let within = async { y.yield_(inner.anext().await?.unwrap()).await };
                        // seedbed-lint: allow(yield-in-scope)
                        refused(fail_after(secs(1), within).await);
                    }
                }
                Ok(())
            })
            .await
        });
        assert_eq!(outer.anext().await?, Some(0));
        assert_eq!(outer.anext().await?, Some(1));
        assert_eq!(outer.anext().await?, Some(3), "2 was dropped by the refusal");
        outer.aclose().await
    })
    .unwrap();
}

/// The two ends of an iteration are in one future, and count apart from each other.
#[test]
fn y03_body_and_consumer_of_an_iteration_count_apart() {
    run(async {
        let mut outer = generator(async |y: Yielder<u32>| {
            let body = async |y: Yielder<u32>| {
                y.yield_(1).await?; // The consumer has a scope open.
                // seedbed-lint: allow(yield-in-scope)
                refused(fail_after(secs(1), y.yield_(2)).await);
                y.yield_(3).await?;
                let _guard = prevent_yields("the body's");
                sleep(secs(1)).await
            };
            iterate(body, async |items| {
                let first = cancel_scope(async |_| items.anext().await).await?.flatten();
                y.yield_(first.unwrap()).await?; // An iteration is not a scope.
                y.yield_(items.anext().await?.unwrap()).await?;
                assert!(poll!(items.next()).is_pending());
                y.yield_(4).await.map(drop) // Nor does what the body has open count here.
            })
            .await
        });
        let mut got = Vec::new();
        while let Some(i) = outer.anext().await? {
            got.push(i);
        }
        assert_eq!(got, [1, 3, 4]);
        Ok(())
    })
    .unwrap();
}

// Y4

#[test]
fn y04_a_child_task_is_a_frame_of_its_own() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            let y = &y;
            nursery(async |n| {
                let child = n.spawn(async move {
                    // What a child opens does not count in the generator …
                    let _guard = prevent_yields("the child's");
                    // … and it cannot yield for it.
                    // seedbed-lint: allow(yield-in-other-frame)
                    let error = y.yield_(()).await.unwrap_err();
                    assert!(error.is::<YielderMisused>(), "{error}");
                    let place = error.downcast_ref::<YielderMisused>().unwrap().place();
                    is_here(place, place.line());
                    Ok(())
                });
                child.await
            })
            .await?;
            assert!(may_yield(y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y04_a_child_that_goes_on_does_not_count_in_a_generator_that_does_not_hold_its_nursery() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        nursery(async |n| {
            let handle = n.handle();
            let g = generator(async move |y: Yielder<()>| {
                let child = handle.spawn(async {
                    fail_after(secs(9), sleep(secs(5))).await?;
                    Ok(())
                })?;
                assert!(may_yield(&y).await);
                child.await?;
                assert!(may_yield(&y).await);
                Ok(())
            });
            assert_eq!(exhaust(g).await?, 2);
            assert_eq!(clock.elapsed(), secs(5));
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn y04_a_yielder_elsewhere_or_after_the_end_is_an_error() {
    run(async {
        let stolen: Rc<RefCell<Option<Rc<Yielder<u32>>>>> = Rc::default();
        let thief = stolen.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            let y = Rc::new(y);
            thief.replace(Some(y.clone()));
            y.yield_(1).await?;
            y.yield_(2).await.map(drop)
        });
        g.anext().await?;
        let y = stolen.take().unwrap();
        // In the consumer.
        let error = y.yield_(9).await.unwrap_err();
        assert!(error.is::<YielderMisused>());
        assert!(error.to_string().contains("not in the body"), "{error}");
        // In another generator, and in a context manager.
        let yielder = y.clone();
        let mut other = generator(async move |_: Yielder<u32>| yielder.yield_(9).await.map(drop));
        assert!(other.anext().await.unwrap_err().is::<YielderMisused>());
        let yielder = y.clone();
        let manager =
            context_manager(async move |_: Yielder<()>| yielder.yield_(9).await.map(drop));
        let entered = with(manager, async |()| Ok(())).await;
        assert!(entered.unwrap_err().is::<YielderMisused>());
        // The generator has not noticed.
        assert_eq!(g.anext().await?, Some(2));
        assert_eq!(g.anext().await?, None);
        let error = y.yield_(9).await.unwrap_err();
        assert!(error.is::<YielderMisused>());
        assert!(error.to_string().contains("after the end"), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn y04_a_yield_that_was_polled_in_the_body_and_is_finished_elsewhere() {
    // Nothing is lost and nothing is yielded twice.
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            let mut one = Box::pin(y.yield_(1));
            assert!(poll!(one.as_mut()).is_pending());
            sleep(secs(1)).await?; // this is where the body is suspended
            nursery(async |n| n.spawn(one).await).await?;
            y.yield_(2).await.map(drop)
        });
        assert_eq!(g.anext().await?, Some(1));
        assert_eq!(g.anext().await?, Some(2));
        assert_eq!(g.anext().await?, None);
        Ok(())
    })
    .unwrap();
}
