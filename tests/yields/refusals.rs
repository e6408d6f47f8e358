//! Y2: a yield inside a scope is refused.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use futures::future::{join, join_all, select};
use seedbed::testing::VirtualClock;
use seedbed::{
    GeneratorState, Result, YieldInCancelScope, Yielder, cancel_scope, fail_after, generator,
    move_on_after, nursery, prevent_yields, sleep, yield_now,
};

use super::{Boxed, is_here, refused};
use crate::support::{self, Log, run, run_on, secs};

#[test]
fn y02_the_error_names_the_reason_and_both_places() {
    run(async {
        let lines = Rc::new(Cell::new((0, 0)));
        let at = lines.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            at.set((line!() + 1, line!() + 3));
            cancel_scope(async |_| {
                // It would stay open while the consumer runs.
                y.yield_(1).await // seedbed-lint: allow(yield-in-scope)
            })
            .await
            .map(drop)
        });
        let error = g.anext().await.unwrap_err();
        let refusal = error.downcast_ref::<YieldInCancelScope>().expect("it is refused");
        let (opened, yielded) = lines.get();
        is_here(refusal.opened_at(), opened);
        is_here(refusal.yielded_at(), yielded);
        assert_eq!(refusal.reason(), "a cancel scope");
        let text = error.to_string();
        for part in [
            format!("{}:{opened}:", file!()),
            format!("{}:{yielded}:", file!()),
            "a cancel scope".into(),
            // What to do.
            "outside".into(),
            "context manager".into(),
            "safe_channel".into(),
        ] {
            assert!(text.contains(&part), "`{part}` is not in: {text}");
        }
        assert_eq!(g.state(), GeneratorState::Finished);
        assert_eq!(g.anext().await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y02_the_reason_of_prevent_yields_is_named() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            let _guard = prevent_yields("the profiler's span is open");
            y.yield_(1).await.map(drop) // seedbed-lint: allow(yield-in-scope)
        });
        let error = g.anext().await.unwrap_err();
        assert!(error.to_string().contains("the profiler's span is open"), "{error}");
        assert_eq!(refused(Err::<(), _>(error)).reason(), "the profiler's span is open");
        Ok(())
    })
    .unwrap();
}

#[test]
fn y02_the_frame_is_not_suspended_and_the_value_is_dropped() {
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<support::OnDrop>| {
            let line = inside.on_drop("the value is dropped");
            let outcome = cancel_scope(async |_| {
                let outcome = y.yield_(line).await.map(drop); // seedbed-lint: allow(yield-in-scope)
                inside.add("at the yield");
                outcome
            })
            .await;
            inside.add("outside of the scope");
            refused(outcome);
            y.yield_(inside.on_drop("another")).await.map(drop)
        });
        // One call: the error was handled inside, and the next yield is a good one.
        assert!(g.anext().await?.is_some());
        assert_eq!(
            log.take(),
            ["the value is dropped", "at the yield", "outside of the scope", "another"]
        );
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn y02_a_nursery_cancels_its_children_and_waits_for_them() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            nursery(async |n| {
                drop(n.spawn(async {
                    let outcome = sleep(secs(100)).await;
                    support::shielded(sleep(secs(2))).await?;
                    inside.add("the child was cancelled");
                    outcome
                }));
                yield_now().await?;
                y.yield_(1).await.map(drop) // seedbed-lint: allow(yield-in-scope)
            })
            .await
        });
        let error = g.anext().await.unwrap_err();
        let group = error.as_group().expect("a nursery fails with a group");
        assert_eq!(group.len(), 1);
        assert!(group.errors().next().unwrap().is::<YieldInCancelScope>());
        assert_eq!(log.take(), ["the child was cancelled"]);
        assert_eq!(clock.elapsed(), secs(2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn y02_it_wins_over_generator_exit_and_over_ignoring_it() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            let exit = y.yield_(1).await;
            // seedbed-lint: allow(yield-in-scope)
            let inside = cancel_scope(async |_| y.yield_(2).await).await;
            refused(inside);
            exit.map(drop)
        });
        g.anext().await?;
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn y02_a_scope_opened_beside_a_yield_is_refused_as_well() {
    // The yield comes first and the scope is opened before the body is suspended, by a `join`.
    // What counts is that the frame would be suspended with a scope open.
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            let timed = move_on_after(secs(5), sleep(secs(1)));
            let (resumed, timed) = join(y.yield_(1), timed).await;
            assert_eq!(refused(resumed).reason(), "a timeout");
            assert_eq!(timed?, Some(()), "what ran beside it goes on");
            // The other way round.
            let timed = move_on_after(secs(5), sleep(secs(1)));
            let (timed, resumed) = join(timed, y.yield_(2)).await;
            assert_eq!(refused(resumed).reason(), "a timeout");
            timed?;
            let guarded = async {
                let _guard = prevent_yields("a lock");
                sleep(secs(1)).await
            };
            let all: Vec<Boxed<'_>> =
                vec![Box::pin(async { y.yield_(3).await.map(drop) }), Box::pin(guarded)];
            let mut outcomes = join_all(all).await.into_iter();
            assert_eq!(refused(outcomes.next().unwrap()).reason(), "a lock");
            outcomes.next().unwrap()?;
            y.yield_(4).await.map(drop)
        });
        assert_eq!(g.anext().await?, Some(4));
        g.aclose().await
    })
    .unwrap();
}

#[test]
fn y02_a_yield_beside_a_scope_in_a_large_combinator() {
    // With more than thirty futures `join_all` polls only what was woken.
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            let mut all: Vec<Boxed<'_>> = vec![Box::pin(async { y.yield_(1).await.map(drop) })];
            for i in 0..40 {
                all.push(Box::pin(async move { fail_after(secs(100), sleep(secs(i))).await }));
            }
            let mut outcomes = join_all(all).await.into_iter();
            assert_eq!(refused(outcomes.next().unwrap()).reason(), "a timeout");
            outcomes.collect::<Result<Vec<_>>>()?;
            Ok(())
        });
        assert_eq!(g.anext().await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y02_a_refusal_that_nobody_sees_is_over() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            let beside = async {
                let _guard = prevent_yields("a lock");
                yield_now().await
            };
            let both = async { join(y.yield_(1), beside).await.1 };
            // The yield is refused, and given up before it is polled again.
            let polls = Cell::new(0);
            let first = std::future::poll_fn(|_| {
                polls.set(polls.get() + 1);
                if polls.get() == 2 { Poll::Ready(Ok(())) } else { Poll::Pending }
            });
            select(first, pin!(both)).await.factor_first().0?;
            y.yield_(2).await.map(drop)
        });
        assert_eq!(g.anext().await?, Some(2));
        g.aclose().await
    })
    .unwrap();
}
