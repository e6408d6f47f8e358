//! No yield inside a cancel scope, as in PEP 789: rows Y1 to Y9 of what the crate promises.

mod support;

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use futures::future::{Either, join, join_all, select};
use futures::poll;
use seedbed::testing::VirtualClock;
use seedbed::{
    BodyPanicked, Builder, CancelScope, ContextManager, ContextManagerMisused, Error, Event,
    Generator, GeneratorExit, GeneratorState, NoValue, Nursery, NurseryHandle, PreventYields,
    Receiver, Result, TooSlow, YieldInCancelScope, Yielder, YielderMisused, aclosing, cancel_scope,
    channel, context_manager, fail_after, fail_at, finishing, generator, move_on_after, move_on_at,
    now, nursery, prevent_yields, safe_channel, sleep, sleep_forever, sync_generator, with,
    yield_now,
};
use support::{Log, cancelled, catching, count, poll_once, recording, run, run_on, said, secs};

/// The refusal of a yield, which this has to be.
#[track_caller]
fn refused<T>(outcome: Result<T>) -> YieldInCancelScope {
    let error = outcome.err().expect("the yield was to be refused");
    match error.find::<YieldInCancelScope>() {
        Some(refused) => refused.clone(),
        None => panic!("the yield was to be refused, instead: {error}"),
    }
}

#[track_caller]
fn is_here(place: &Location<'_>, line: u32) {
    assert_eq!((place.file(), place.line()), (file!(), line));
}

/// Whether a yield is allowed here, by trying.
async fn may_yield(y: &Yielder<()>) -> bool {
    match y.yield_(()).await {
        Ok(_) => true,
        Err(error) if error.is::<YieldInCancelScope>() => false,
        Err(error) => panic!("{error}"),
    }
}

/// Drives a generator to its end, and counts its values.
async fn exhaust<T, S>(mut g: Generator<'_, T, S>) -> Result<u32> {
    let mut items = 0;
    while g.anext().await?.is_some() {
        items += 1;
    }
    Ok(items)
}

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// `inner` in every kind of scope, each with the name that an error gives it.
fn every_scope<'a, F: Future<Output = Result<()>> + 'a>(
    inner: impl Fn() -> F,
) -> Vec<(&'static str, Boxed<'a>)> {
    let (a, b, c, d, e, f, g, h) =
        (inner(), inner(), inner(), inner(), inner(), inner(), inner(), inner());
    vec![
        ("a cancel scope", Box::pin(async { cancel_scope(async |_| a.await).await.map(drop) })),
        ("a nursery", Box::pin(nursery(async |_: &Nursery<'_, '_>| b.await))),
        ("a timeout", Box::pin(async { move_on_after(secs(9), c).await.map(drop) })),
        ("a timeout", Box::pin(async { move_on_at(now() + secs(9), d).await.map(drop) })),
        ("a timeout", Box::pin(fail_after(secs(9), e))),
        ("a timeout", Box::pin(async { fail_at(now() + secs(9), f).await })),
        ("a section that finishes its work", Box::pin(finishing(g))),
        (
            "the ledger is locked",
            Box::pin(async {
                let _guard = prevent_yields("the ledger is locked");
                h.await
            }),
        ),
    ]
}

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

// Y2

#[test]
fn y02_the_error_names_the_reason_and_both_places() {
    run(async {
        let lines = Rc::new(Cell::new((0, 0)));
        let at = lines.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            at.set((line!() + 1, line!() + 3));
            cancel_scope(async |_| {
                // It would stay open while the consumer runs.
                y.yield_(1).await
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
            y.yield_(1).await.map(drop)
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
                let outcome = y.yield_(line).await.map(drop);
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
                y.yield_(1).await.map(drop)
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

// Y5

fn manager_of<'a>(log: &Log, name: &'static str, holds: bool) -> ContextManager<'a, &'static str> {
    let log = log.clone();
    context_manager(async move |y: Yielder<&'static str>| {
        log.add(format!("enter {name}"));
        let outcome = if holds {
            fail_after(secs(5), async { y.yield_(name).await.map(drop) }).await
        } else {
            y.yield_(name).await.map(drop)
        };
        log.add(match &outcome {
            Ok(()) => format!("leave {name}"),
            Err(error) => format!("leave {name}: {error}"),
        });
        outcome
    })
}

#[test]
fn y05_a_context_manager_sets_up_and_cleans_up_around_the_body() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let log = Log::new();
        let inside = &log;
        let manager = context_manager(async |y: Yielder<u32>| {
            sleep(secs(1)).await?;
            inside.add("up");
            y.yield_(7).await?;
            sleep(secs(1)).await?;
            inside.add("down");
            Ok(())
        });
        assert!(log.take().is_empty(), "nothing runs before it is entered");
        let value = with(manager, async |resource| {
            inside.add(format!("with {resource}"));
            sleep(secs(1)).await?;
            Ok(resource + 1)
        })
        .await?;
        assert_eq!(value, 8);
        assert_eq!(log.take(), ["up", "with 7", "down"]);
        assert_eq!(clock.elapsed(), secs(3));
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_it_may_yield_inside_of_every_scope_and_they_are_around_the_body() {
    run(async {
        // The resource is whether the body's own awaits are in the manager's scope.
        let log = Log::new();
        for kind in 0..8 {
            let inside = log.clone();
            let manager = context_manager(async move |y: Yielder<()>| {
                let y = &y;
                let mut all = every_scope(|| async { y.yield_(()).await.map(drop) });
                all.swap_remove(kind).1.await
            });
            with(manager, async |()| {
                inside.add("body");
                yield_now().await
            })
            .await?;
        }
        assert_eq!(log.take().len(), 8);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_the_managers_timeout_interrupts_the_body() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let log = Log::new();
        let outcome = with(manager_of(&log, "a", true), async |_| {
            let error = sleep(secs(100)).await.unwrap_err();
            log.add(format!("body: {}", error.is_cancelled()));
            Err::<(), _>(error)
        })
        .await;
        assert!(outcome.unwrap_err().is::<TooSlow>());
        assert_eq!(clock.elapsed(), secs(5));
        let lines = log.take();
        assert_eq!(lines[..2], ["enter a", "body: true"]);
        // And it is gone afterwards.
        sleep(secs(10)).await?;
        // `move_on_after` in a manager: the body is abandoned, and its value is missing.
        let move_on = || {
            context_manager(async |y: Yielder<()>| {
                move_on_after(secs(1), async { y.yield_(()).await.map(drop) }).await.map(drop)
            })
        };
        with(move_on(), async |()| sleep_forever().await).await?;
        let missing = with(move_on(), async |()| {
            sleep_forever().await?;
            Ok(1)
        })
        .await;
        assert!(missing.unwrap_err().is::<NoValue>());
        let there = with(move_on(), async |()| Ok(1)).await?;
        assert_eq!(there, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_the_managers_timeout_reaches_foreign_combinators_in_the_body() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let log = Log::new();
        let outcome = with(manager_of(&log, "a", true), async |_| {
            join_all((0..50).map(|i| sleep(secs(100 + i))))
                .await
                .into_iter()
                .collect::<Result<()>>()
        });
        // Entered under one as well.
        let outcome = join_all([outcome]).await.pop().unwrap();
        assert!(outcome.unwrap_err().is::<TooSlow>());
        assert_eq!(clock.elapsed(), secs(5));
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_a_cancellation_from_outside_reaches_the_body_and_is_raised_at_the_yield() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        for holds in [false, true] {
            let log = Log::new();
            let none = move_on_after(
                secs(1),
                with(manager_of(&log, "a", holds), async |_| sleep_forever().await),
            )
            .await?;
            assert_eq!(none, None);
            let lines = log.take();
            assert!(lines[1].starts_with("leave a: cancelled"), "{lines:?}");
        }
        assert_eq!(clock.elapsed(), secs(2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_errors_are_thrown_in_at_the_yield_and_may_be_handled() {
    run(async {
        let log = Log::new();
        let error =
            with(manager_of(&log, "a", false), async |_| Err::<(), _>(Error::msg("x"))).await;
        assert_eq!(error.unwrap_err().to_string(), "x");
        assert_eq!(log.take(), ["enter a", "leave a: x"]);
        let suppress = || {
            context_manager(async |y: Yielder<()>| {
                drop(y.yield_(()).await);
                Ok(())
            })
        };
        with(suppress(), async |()| Err::<(), _>(Error::msg("x"))).await?;
        let missing = with(suppress(), async |()| Err::<u8, _>(Error::msg("x"))).await.unwrap_err();
        assert!(missing.is::<NoValue>() && missing.to_string().contains(file!()), "{missing}");
        let replacing = context_manager(async |y: Yielder<()>| {
            y.yield_(()).await.map(drop).map_err(|error| Error::msg(format!("so: {error}")))
        });
        let error = with(replacing, async |()| Err::<(), _>(Error::msg("x"))).await;
        assert_eq!(error.unwrap_err().to_string(), "so: x");
        // An error of the clean-up takes the place of the value, and of the error.
        let failing = || {
            context_manager(async |y: Yielder<()>| {
                drop(y.yield_(()).await);
                Err(Error::msg("clean-up"))
            })
        };
        for body in [Ok(1), Err(Error::msg("x"))] {
            let error = with(failing(), async |()| body).await.unwrap_err();
            assert_eq!(error.to_string(), "clean-up");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_yielding_twice_or_not_at_all_are_errors() {
    run(async {
        let place = Cell::new(0);
        let twice = |log: Log| {
            place.set(line!() + 1);
            context_manager(async move |y: Yielder<()>| {
                let _guard = log.on_drop("dropped");
                drop(y.yield_(()).await);
                y.yield_(()).await.map(drop)
            })
        };
        let log = Log::new();
        for body in [Ok(1), Err(Error::msg("x"))] {
            let error = with(twice(log.clone()), async |()| body).await.unwrap_err();
            let misused = error.downcast_ref::<ContextManagerMisused>().expect("it is misused");
            is_here(misused.place(), place.get());
            assert!(error.to_string().contains("yielded twice"), "{error}");
            assert_eq!(log.take(), ["dropped"]);
        }
        let never = context_manager(async |_: Yielder<()>| Ok(()));
        let error = with(never, async |()| -> Result<()> { unreachable!() }).await.unwrap_err();
        assert!(error.to_string().contains("did not yield"), "{error}");
        let failing = context_manager(async |_: Yielder<()>| Err(Error::msg("set-up")));
        let error = with(failing, async |()| -> Result<()> { unreachable!() }).await.unwrap_err();
        assert_eq!(error.to_string(), "set-up");
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_what_it_holds_counts_in_the_frame_that_entered_it_until_it_is_left() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            let log = Log::new();
            let refused =
                with(manager_of(&log, "a", true), async |_| Ok(may_yield(&y).await)).await?;
            assert!(!refused);
            assert!(may_yield(&y).await, "after it was left");
            let allowed =
                with(manager_of(&log, "b", false), async |_| Ok(may_yield(&y).await)).await?;
            assert!(allowed, "it holds nothing");
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_the_error_names_what_the_manager_holds_and_where_it_was_opened() {
    run(async {
        let opened = Rc::new(Cell::new(0));
        let at = opened.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            let manager = context_manager(async |m: Yielder<()>| {
                at.set(line!() + 1);
                nursery(async |_| m.yield_(()).await.map(drop)).await
            });
            with(manager, async |()| y.yield_(1).await.map(drop)).await
        });
        let refusal = refused(g.anext().await);
        assert_eq!(refusal.reason(), "a nursery");
        is_here(refusal.opened_at(), opened.get());
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_nested_managers() {
    run(async {
        for (outer, inner) in [(true, true), (true, false), (false, true), (false, false)] {
            let g = generator(async move |y: Yielder<()>| {
                let log = Log::new();
                with(manager_of(&log, "outer", outer), async |_| {
                    assert_eq!(may_yield(&y).await, !outer);
                    with(manager_of(&log, "inner", inner), async |_| {
                        assert_eq!(may_yield(&y).await, !outer && !inner);
                        Ok(())
                    })
                    .await?;
                    assert_eq!(may_yield(&y).await, !outer);
                    Ok(())
                })
                .await?;
                assert!(may_yield(&y).await);
                assert_eq!(
                    log.take(),
                    ["enter outer", "enter inner", "leave inner", "leave outer"]
                );
                Ok(())
            });
            exhaust(g).await?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_a_manager_made_of_managers() {
    // A manager may yield inside of the `with` of another: what both hold counts in the end in
    // the generator.
    run(async {
        for (outer, inner) in [(true, true), (true, false), (false, true), (false, false)] {
            let g = generator(async move |y: Yielder<()>| {
                let log = Log::new();
                let log = &log;
                let both = context_manager(async |m: Yielder<()>| {
                    with(manager_of(log, "inner", inner), async |_| {
                        if outer {
                            cancel_scope(async |_| m.yield_(()).await).await.map(drop)
                        } else {
                            m.yield_(()).await.map(drop)
                        }
                    })
                    .await
                });
                with(both, async |()| {
                    assert_eq!(may_yield(&y).await, !outer && !inner, "{outer} {inner}");
                    Ok(())
                })
                .await?;
                assert!(may_yield(&y).await);
                Ok(())
            });
            exhaust(g).await?;
        }
        // And the inner one's timeout reaches the innermost body.
        let clock = now();
        let log = Log::new();
        let log = &log;
        let both = context_manager(async |m: Yielder<()>| {
            with(manager_of(log, "inner", true), async |_| m.yield_(()).await.map(drop)).await
        });
        let error = with(both, async |()| sleep_forever().await).await.unwrap_err();
        assert!(error.is::<TooSlow>());
        assert_eq!(now() - clock, secs(5));
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_the_children_of_a_managers_nursery_go_on_beside_the_body() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let (ping, pings) = channel::<u32>(0);
        let (pong, pongs) = channel::<u32>(0);
        let server = context_manager(async move |y: Yielder<()>| {
            nursery(async |n| {
                drop(n.spawn(async {
                    while let Some(i) = pings.recv().await? {
                        sleep(secs(1)).await?;
                        pong.send(2 * i).await?;
                    }
                    Ok(())
                }));
                y.yield_(()).await?;
                n.cancel();
                Ok(())
            })
            .await
        });
        with(server, async |()| {
            for i in 0..3 {
                ping.send(i).await?;
                assert_eq!(pongs.recv().await?, Some(2 * i));
            }
            Ok(())
        })
        .await?;
        assert_eq!(clock.elapsed(), secs(3));
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_the_children_of_a_managers_nursery_keep_step_with_the_body() {
    // In Trio they are tasks like any other: each runs once a round.
    for budget in [1, 128] {
        let steps = Cell::new((0, 0));
        Builder::new()
            .budget(budget)
            .run(async {
                let manager = context_manager(async |y: Yielder<()>| {
                    nursery(async |n| {
                        n.spawn(async {
                            for _ in 0..100 {
                                yield_now().await?;
                                steps.update(|(child, body)| (child + 1, body));
                            }
                            Ok(())
                        });
                        y.yield_(()).await.map(drop)
                    })
                    .await
                });
                with(manager, async |()| {
                    for _ in 0..50 {
                        yield_now().await?;
                        steps.update(|(child, body)| (child, body + 1));
                        let (child, body): (i32, i32) = steps.get();
                        assert!((child - body).abs() <= 1, "{child} steps to {body}");
                    }
                    Ok(())
                })
                .await
            })
            .unwrap();
        assert_eq!(steps.get(), (100, 50));
    }
}

#[test]
fn y05_a_body_that_fails_cancels_the_managers_children_before_they_run_again() {
    // The child is ready when the body fails, and comes to its next step in the round after.
    for budget in [1, 128] {
        let log = Log::new();
        Builder::new()
            .budget(budget)
            .run(async {
                let manager = context_manager(async |y: Yielder<()>| {
                    nursery(async |n| {
                        n.spawn(async {
                            log.add("begins");
                            yield_now().await.inspect_err(|_| log.add("cancelled"))?;
                            log.add("goes on");
                            Ok(())
                        });
                        y.yield_(()).await.map(drop)
                    })
                    .await
                });
                let outcome = with(manager, async |()| {
                    yield_now().await?;
                    log.add("fails");
                    Err::<(), _>(Error::msg("of the body"))
                });
                assert!(outcome.await.unwrap_err().to_string().contains("of the body"));
                Ok(())
            })
            .unwrap();
        assert_eq!(log.take(), ["begins", "fails", "cancelled"]);
    }
}

#[test]
fn y05_a_manager_goes_on_at_once_though_its_nursery_was_cancelled() {
    // In Trio it is the task of the `with` that goes on, before its children hear of it.
    for budget in [1, 128] {
        let log = Log::new();
        let child = async || sleep_forever().await.inspect_err(|_| log.add("a child"));
        Builder::new()
            .budget(budget)
            .run(async {
                let manager = context_manager(async |y: Yielder<NurseryHandle>| {
                    nursery(async |outer| {
                        nursery(async |n| {
                            outer.spawn(child());
                            n.spawn(child());
                            y.yield_(outer.handle()).await?;
                            log.add("the manager");
                            Ok(())
                        })
                        .await
                    })
                    .await
                });
                with(manager, async |nursery| {
                    yield_now().await?; // the children wait
                    nursery.scope().cancel();
                    Ok(())
                })
                .await
            })
            .unwrap();
        assert_eq!(log.take(), ["the manager", "a child", "a child"]);
    }
}

#[test]
fn y05_a_child_that_fails_while_the_body_runs_cancels_the_body() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        for panics in [false, true] {
            let log = Log::new();
            let failing = context_manager(async |y: Yielder<()>| {
                nursery(async |n| {
                    drop(n.spawn(async move {
                        sleep(secs(1)).await?;
                        assert!(!panics, "the child panicked");
                        Err::<(), _>(Error::msg("the child failed"))
                    }));
                    y.yield_(()).await.map(drop)
                })
                .await
            });
            let outcome = catching(with(failing, async |()| {
                let error = sleep(secs(100)).await.unwrap_err();
                log.add(format!("body: {}", error.is_cancelled()));
                Err::<(), _>(error)
            }))
            .await;
            match outcome {
                Err(text) => assert!(panics && text == "the child panicked"),
                Ok(outcome) => {
                    let error = outcome.unwrap_err();
                    let group = error.as_group().expect("a group");
                    let texts: Vec<_> = group.errors().map(Error::to_string).collect();
                    assert!(!panics && texts == ["the child failed"], "{texts:?}");
                }
            }
            assert_eq!(log.take(), ["body: true"]);
        }
        assert_eq!(clock.elapsed(), secs(2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_a_panic_of_the_body_lets_the_manager_clean_up_and_goes_on() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let log = Log::new();
        let inside = log.clone();
        let manager = context_manager(async move |y: Yielder<()>| {
            let error = y.yield_(()).await.unwrap_err();
            sleep(secs(1)).await?;
            inside.add(format!("cleaned: {}", error.is::<BodyPanicked>()));
            Ok(()) // it cannot be handled
        });
        let panic = catching(with(manager, async |()| -> Result<()> { panic!("body") })).await;
        assert_eq!(panic.unwrap_err(), "body");
        assert_eq!(log.take(), ["cleaned: true"]);
        assert_eq!(clock.elapsed(), secs(1));
        // Panics of the set-up and of the clean-up.
        let manager = context_manager(async |_: Yielder<()>| panic!("set-up"));
        let panic = catching(with(manager, async |()| Ok(()))).await;
        assert_eq!(panic.unwrap_err(), "set-up");
        let manager = context_manager(async |y: Yielder<()>| {
            drop(y.yield_(()).await);
            panic!("clean-up")
        });
        let panic = catching(with(manager, async |()| Ok(()))).await;
        assert_eq!(panic.unwrap_err(), "clean-up");
        // Of both: the first goes on.
        let manager = context_manager(async |y: Yielder<()>| {
            drop(y.yield_(()).await);
            panic!("clean-up")
        });
        let panic = catching(with(manager, async |()| -> Result<()> { panic!("body") })).await;
        assert_eq!(panic.unwrap_err(), "body");
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_an_error_of_the_clean_up_after_a_panic_is_reported() {
    let (outcome, records) = recording(|| {
        run(async {
            let manager = context_manager(async |y: Yielder<()>| {
                drop(y.yield_(()).await);
                Err(Error::msg("out of paper"))
            });
            let panic = catching(with(manager, async |()| -> Result<()> { panic!("body") })).await;
            assert_eq!(panic.unwrap_err(), "body");
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].field("error"), "out of paper");
}

#[test]
fn y05_a_nursery_opened_beside_the_managers_yield_goes_on_as_well() {
    run(async {
        let done = Rc::new(Event::new());
        let setter = done.clone();
        let manager = context_manager(async move |y: Yielder<()>| {
            let beside = nursery(async |n| {
                drop(n.spawn(async {
                    sleep(secs(1)).await?;
                    setter.set();
                    Ok(())
                }));
                Ok(())
            });
            let (resumed, beside) = join(y.yield_(()), beside).await;
            resumed?;
            beside
        });
        let g = generator(async move |y: Yielder<()>| {
            with(manager, async |()| {
                assert!(!may_yield(&y).await, "it holds a nursery");
                done.wait().await
            })
            .await?;
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_a_manager_that_gives_up_its_yield_loses_no_error() {
    run(async {
        // It holds a scope, so it is polled while the body runs.
        let impatient = context_manager(async |y: Yielder<()>| {
            cancel_scope(async |_| {
                let timer = pin!(sleep(secs(1)));
                match select(timer, pin!(y.yield_(()))).await {
                    Either::Left((slept, _)) => slept,
                    Either::Right((resumed, _)) => resumed.map(drop),
                }?;
                sleep(secs(100)).await
            })
            .await
            .map(drop)
        });
        let begun = now();
        let log = Log::new();
        let outcome = with(impatient, async |()| {
            let _guard = log.on_drop("body dropped");
            sleep_forever().await
        })
        .await;
        let error = outcome.unwrap_err();
        assert!(error.is::<ContextManagerMisused>(), "{error}");
        assert!(error.to_string().contains("did not wait at its yield"), "{error}");
        assert_eq!((now() - begun, log.take()), (secs(1), vec!["body dropped".to_owned()]));
        // Without one it is not, and gives the yield up when the body has failed.
        let impatient = context_manager(async |y: Yielder<()>| {
            let timer = pin!(sleep(secs(1)));
            drop(select(timer, pin!(y.yield_(()))).await);
            Ok(())
        });
        let outcome = with(impatient, async |()| {
            sleep(secs(5)).await?;
            Err::<(), _>(Error::msg("the body failed"))
        })
        .await;
        assert_eq!(outcome.unwrap_err().to_string(), "the body failed");
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_dropped_half_way_it_drops_all_and_the_counter_is_right() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            let log = Log::new();
            let manager = manager_of(&log, "a", true);
            let entered = poll_once(with(manager, async |_| {
                let _guard = log.on_drop("body dropped");
                sleep_forever().await
            }))
            .await;
            assert!(entered.is_none());
            assert_eq!(log.take(), ["enter a", "body dropped"]);
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y05_a_manager_in_a_generator_that_is_closed() {
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            with(manager_of(&inside, "a", false), async |_| count(&y).await).await
        });
        g.anext().await?;
        g.anext().await?;
        g.aclose().await?;
        assert_eq!(log.take(), ["enter a", "leave a: the generator is being closed"]);
        Ok(())
    })
    .unwrap();
}

// Y6

fn locked() -> PreventYields {
    prevent_yields("locked")
}

async fn locked_later() -> Result<PreventYields> {
    sleep(secs(1)).await?;
    Ok(prevent_yields("locked later"))
}

#[test]
fn y06_a_guard_returned_from_a_function_counts_in_its_callers_frame() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            let guard = locked();
            assert!(!may_yield(&y).await);
            drop(guard);
            assert!(may_yield(&y).await);
            let guard = locked_later().await?;
            assert!(!may_yield(&y).await);
            drop(guard);
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y06_a_guard_that_outlives_its_frame_counts_in_the_one_that_ran_it() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            // A generator that leaves a guard behind.
            let left: Rc<Cell<Option<PreventYields>>> = Rc::default();
            let leave = left.clone();
            let mut inner = generator(async move |y: Yielder<()>| {
                y.yield_(()).await?;
                leave.set(Some(prevent_yields("left behind")));
                Ok(())
            });
            inner.anext().await?;
            assert!(may_yield(&y).await);
            assert_eq!(inner.anext().await?, None);
            let refusal = refused(y.yield_(()).await);
            assert_eq!(refusal.reason(), "left behind");
            assert!(!may_yield(&y).await);
            left.take();
            assert!(may_yield(&y).await);
            // A context manager whose resource holds one.
            let leave = left.clone();
            let manager = context_manager(async move |y: Yielder<PreventYields>| {
                y.yield_(prevent_yields("the resource")).await.map(drop)
            });
            with(manager, async |guard| {
                assert!(!may_yield(&y).await);
                leave.set(Some(guard));
                Ok(())
            })
            .await?;
            assert!(!may_yield(&y).await, "it is kept");
            left.take();
            assert!(may_yield(&y).await);
            // The body of the manager drops it: what was handed over lasts until it is left.
            let manager = context_manager(async move |y: Yielder<PreventYields>| {
                y.yield_(prevent_yields("the resource")).await.map(drop)
            });
            with(manager, async |guard| {
                drop(guard);
                Ok(())
            })
            .await?;
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 4);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y06_handed_on_through_many_frames() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            let left: Rc<Cell<Option<PreventYields>>> = Rc::default();
            fn nest(depth: u32, left: Rc<Cell<Option<PreventYields>>>) -> Generator<'static, ()> {
                generator(async move |_: Yielder<()>| {
                    if depth == 0 {
                        left.set(Some(prevent_yields("deep")));
                        return Ok(());
                    }
                    Box::pin(exhaust(nest(depth - 1, left))).await.map(drop)
                })
            }
            exhaust(nest(5, left.clone())).await?;
            assert!(!may_yield(&y).await);
            left.take();
            assert!(may_yield(&y).await);
            // A synchronous generator is a frame as well.
            let leave = left.clone();
            let sync = sync_generator(async move |_: Yielder<()>| {
                leave.set(Some(prevent_yields("sync")));
                Ok(())
            });
            assert_eq!(sync.count(), 0);
            assert!(!may_yield(&y).await);
            left.take();
            assert!(may_yield(&y).await);
            // One that panics ends, too.
            let leave = left.clone();
            let panicking = generator(async move |_: Yielder<()>| {
                leave.set(Some(prevent_yields("panicking")));
                panic!("x")
            });
            assert!(catching(exhaust(panicking)).await.is_err());
            assert!(!may_yield(&y).await);
            left.take();
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y06_a_frame_that_ends_in_a_task_leaves_its_guards_to_nobody() {
    run(async {
        let left: Rc<Cell<Option<PreventYields>>> = Rc::default();
        let leave = left.clone();
        let ends = generator(async move |_: Yielder<()>| {
            leave.set(Some(prevent_yields("left behind")));
            Ok(())
        });
        exhaust(ends).await?;
        let g = generator(async |y: Yielder<()>| {
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 1);
        left.take();
        Ok(())
    })
    .unwrap();
}

// Y7

#[test]
fn y07_guards_dropped_in_any_order() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                let mut guards = ["0", "1", "2"].map(|name| Some(prevent_yields(name)));
                for (dropped, at) in order.into_iter().enumerate() {
                    let refusal = refused(y.yield_(()).await);
                    let newest = (0..3).rev().find(|i| guards[*i].is_some()).unwrap();
                    assert_eq!(refusal.reason(), newest.to_string(), "{order:?} {dropped}");
                    guards[at] = None;
                }
                assert!(may_yield(&y).await);
            }
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 6);
        Ok(())
    })
    .unwrap();
}

/// There is always one open, so nothing begins anew: whatever is dropped, the newest is named.
#[test]
fn y07_guards_that_overlap_without_end() {
    run(async {
        let g = generator(async |y: Yielder<()>| {
            for at in [0, 1, 2] {
                let mut guards: Vec<_> =
                    (0..3).map(|n| (n, prevent_yields(n.to_string()))).collect();
                for n in 3..30 {
                    drop(guards.remove(at));
                    let newest = guards.last().unwrap().0.to_string();
                    assert_eq!(refused(y.yield_(()).await).reason(), newest, "at {at}");
                    guards.push((n, prevent_yields(n.to_string())));
                    assert_eq!(refused(y.yield_(()).await).reason(), n.to_string(), "at {at}");
                }
                drop(guards);
                assert!(may_yield(&y).await);
            }
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y07_guards_dropped_in_another_frame_or_task() {
    run(async {
        let (give, given) = channel::<PreventYields>(9);
        let mut holder = generator(async move |y: Yielder<bool>| {
            loop {
                let guard = prevent_yields("given away");
                let refusal = y.yield_(true).await;
                refused(refusal);
                give.send(guard).await?;
                // It still counts here: this is where it was made.
                refused(y.yield_(true).await);
                sleep(secs(1)).await?;
                y.yield_(false).await?; // by now it has been dropped elsewhere
            }
        });
        let given = &given;
        nursery(async |n| {
            // Dropped in a task …
            let dropper = n.spawn(async {
                let guard = given.recv().await?;
                drop(guard);
                Ok(())
            });
            assert_eq!(holder.anext().await?, Some(false));
            dropper.await?;
            // … and in another generator, whose counter it does not touch.
            let other = async {
                let mut other = generator(async |y: Yielder<()>| {
                    assert!(may_yield(&y).await);
                    Ok(())
                });
                let guard = given.recv().await?;
                assert!(other.anext().await?.is_some());
                drop(guard);
                assert_eq!(other.anext().await?, None);
                Ok(())
            };
            let (value, other) = join(holder.anext(), other).await;
            assert_eq!(value?, Some(false));
            other
        })
        .await?;
        holder.aclose().await
    })
    .unwrap();
}

#[test]
fn y07_a_guard_moved_into_a_frame_does_not_count_there() {
    run(async {
        let guard = prevent_yields("made in a task");
        let g = generator(async move |y: Yielder<()>| {
            assert!(may_yield(&y).await);
            drop(guard);
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y07_an_open_scope_moved_to_another_frame_counts_where_it_was_opened() {
    run(async {
        let moved: Rc<RefCell<Option<Boxed<'static>>>> = Rc::default();
        let give = moved.clone();
        let mut opener = generator(async move |y: Yielder<bool>| {
            let mut open: Boxed<'static> = Box::pin(fail_after(secs(5), sleep(secs(1))));
            assert!(poll!(open.as_mut()).is_pending());
            give.replace(Some(open));
            refused(y.yield_(true).await);
            sleep(secs(2)).await?;
            y.yield_(false).await.map(drop)
        });
        let mut finisher = generator(async move |y: Yielder<bool>| {
            y.yield_(true).await?;
            let mut open = moved.take().expect("it was given");
            y.yield_(true).await?; // it does not count here, where it was not opened
            open.as_mut().await?;
            y.yield_(true).await.map(drop)
        });
        assert_eq!(finisher.anext().await?, Some(true));
        assert!(poll_once(opener.anext()).await.is_none());
        assert_eq!(finisher.anext().await?, Some(true));
        assert_eq!(finisher.anext().await?, Some(true));
        // The box of the finished scope is still there; it was left when it was over.
        assert_eq!(opener.anext().await?, Some(false));
        finisher.aclose().await?;
        opener.aclose().await
    })
    .unwrap();
}

#[test]
fn y07_a_guard_that_outlives_its_frame_dropped_after_its_heir_has_ended() {
    run(async {
        let left: Rc<Cell<Option<PreventYields>>> = Rc::default();
        let leave = left.clone();
        let outer = generator(async move |_: Yielder<()>| {
            let inner = generator(async move |_: Yielder<()>| {
                leave.set(Some(prevent_yields("left behind")));
                Ok(())
            });
            exhaust(inner).await.map(drop)
        });
        exhaust(outer).await?;
        left.take();
        // And with a new frame meanwhile.
        let g = generator(async |y: Yielder<()>| {
            assert!(may_yield(&y).await);
            Ok(())
        });
        assert_eq!(exhaust(g).await?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y07_a_leaked_guard_forbids_for_ever() {
    run(async {
        let mut g = generator(async |y: Yielder<u32>| {
            std::mem::forget(prevent_yields("leaked"));
            y.yield_(1).await.map(drop)
        });
        assert_eq!(refused(g.anext().await).reason(), "leaked");
        Ok(())
    })
    .unwrap();
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

// Y9: the examples of PEP 789.

/// "Leaking a timeout to the outer scope": the time that the consumer takes counts in the timeout
/// around the yield. In Python the `TimeoutError`'s cancellation hits the consumer.
fn iter_with_timeout_broken(values: Receiver<u32>) -> Generator<'static, u32> {
    generator(async move |y: Yielder<u32>| {
        loop {
            let end = fail_after(secs(2), async {
                match values.recv().await? {
                    Some(value) => y.yield_(value).await.map(|_| false),
                    None => Ok(true),
                }
            });
            if end.await? {
                return Ok(());
            }
        }
    })
}

/// "Get the next element inside the timeout context, and yield outside that context."
fn iter_with_timeout(values: Receiver<u32>) -> Generator<'static, u32> {
    generator(async move |y: Yielder<u32>| {
        while let Some(value) = fail_after(secs(2), values.recv()).await? {
            y.yield_(value).await?;
        }
        Ok(())
    })
}

/// A value every second.
async fn sensor(first: u32, values: seedbed::Sender<u32>) -> Result<()> {
    for i in 0..3 {
        sleep(secs(1)).await?;
        values.send(first + i).await?;
    }
    Ok(())
}

#[test]
fn y09_the_leaking_timeout() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        for broken in [true, false] {
            let begun = clock.elapsed();
            nursery(async |n| {
                let (send, values) = channel(0);
                drop(n.spawn(async move {
                    let _ = sensor(1, send).await; // whose receiver goes away, if it is broken
                    Ok(())
                }));
                let readings = if broken {
                    iter_with_timeout_broken(values)
                } else {
                    iter_with_timeout(values)
                };
                let mut got = Vec::new();
                let outcome = aclosing(readings, async |readings| {
                    while let Some(value) = readings.anext().await? {
                        got.push(value);
                        sleep(secs(10)).await?; // longer than the timeout
                    }
                    Ok(())
                })
                .await;
                if broken {
                    assert_eq!(refused(outcome).reason(), "a timeout");
                    assert!(got.is_empty());
                } else {
                    outcome?;
                    assert_eq!(got, [1, 2, 3]);
                    assert_eq!(clock.elapsed() - begun, secs(31));
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn y09_the_timeout_still_times_out() {
    run(async {
        let (_send, values) = channel(0);
        let outcome = iter_with_timeout(values).anext().await;
        assert!(outcome.unwrap_err().is::<TooSlow>());
        Ok(())
    })
    .unwrap();
}

/// "Leaking background tasks": tasks read the sensors, and the generator that yields their values
/// is suspended with them running. If it is left half-way, nobody waits for them; if one fails,
/// nobody hears of it until the next `anext`.
fn combined_broken(sensors: [u32; 2]) -> Generator<'static, u32> {
    generator(async move |y: Yielder<u32>| {
        nursery(async |n| {
            let (send, values) = channel(0);
            for first in sensors {
                drop(n.spawn(sensor(first, send.clone())));
            }
            drop(send);
            while let Some(value) = values.recv().await? {
                y.yield_(value).await?;
            }
            Ok(())
        })
        .await
    })
}

/// The PEP's remedy: a context manager that gives out something to iterate.
fn combined<'a>(sensors: [u32; 2], fails: bool) -> ContextManager<'a, Receiver<u32>> {
    context_manager(async move |y: Yielder<Receiver<u32>>| {
        nursery(async |n| {
            let (send, values) = channel(0);
            for first in sensors {
                drop(n.spawn(sensor(first, send.clone())));
            }
            drop(send);
            if fails {
                drop(n.spawn(async {
                    sleep(secs(2)).await?;
                    Err::<(), _>(Error::msg("a sensor is broken"))
                }));
            }
            // The body drops its end, and the tasks are to be cancelled before theirs fails.
            y.yield_(values.clone()).await?;
            n.cancel();
            Ok(())
        })
        .await
    })
}

#[test]
fn y09_the_fan_in_of_sensors() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let mut broken = combined_broken([10, 20]);
        let error = broken.anext().await.unwrap_err();
        assert_eq!(refused(Err::<(), _>(error)).reason(), "a nursery");
        let begun = clock.elapsed();
        // Mended, and left half-way: the tasks have ended when it has.
        let got = with(combined([10, 20], false), async |values| {
            let mut got = Vec::new();
            while let Some(value) = values.recv().await? {
                got.push(value);
                if value % 10 == 1 {
                    break;
                }
            }
            Ok(got)
        })
        .await?;
        assert_eq!(got, [10, 20, 11]);
        assert_eq!(clock.elapsed() - begun, secs(2));
        // A failing one is heard of at once, though the consumer is busy with something else.
        let begun = clock.elapsed();
        let outcome = with(combined([10, 20], true), async |values| {
            values.recv().await?;
            sleep(secs(100)).await
        })
        .await;
        let error = outcome.unwrap_err();
        assert!(error.as_group().unwrap().errors().any(|e| e.to_string() == "a sensor is broken"));
        assert_eq!(clock.elapsed() - begun, secs(2));
        // The other remedy.
        let got = safe_channel(
            0,
            async |y| {
                nursery(async |n| {
                    let (send, values) = channel(0);
                    for first in [10, 20] {
                        drop(n.spawn(sensor(first, send.clone())));
                    }
                    drop(send);
                    while let Some(value) = values.recv().await? {
                        y.yield_(value).await?;
                    }
                    Ok(())
                })
                .await
            },
            async |values| {
                let mut got = Vec::new();
                while let Some(value) = values.recv().await? {
                    got.push(value);
                }
                Ok(got)
            },
        )
        .await?;
        assert_eq!(got, [10, 20, 11, 21, 12, 22]);
        Ok(())
    })
    .unwrap();
}

/// A connection with a task in the background that keeps it alive.
fn open_websocket<'a>(log: &Log) -> ContextManager<'a, Receiver<u32>> {
    let log = log.clone();
    context_manager(async move |y: Yielder<Receiver<u32>>| {
        nursery(async |n| {
            let (send, messages) = channel(0);
            drop(n.spawn(async move {
                for i in 0.. {
                    sleep(secs(1)).await?;
                    send.send(i).await?;
                }
                Ok(())
            }));
            let outcome = y.yield_(messages.clone()).await;
            log.add("closed");
            n.cancel();
            outcome.map(drop)
        })
        .await
    })
}

#[test]
fn y09_the_context_manager_of_the_websocket() {
    // "This looks fine": no scope is to be seen in the generator. It is the manager's, which is
    // why what a manager holds counts in the frame that entered it.
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut broken = generator(async move |y: Yielder<u32>| {
            with(open_websocket(&inside), async |messages| {
                while let Some(message) = messages.recv().await? {
                    y.yield_(message).await?;
                }
                Ok(())
            })
            .await
        });
        let refusal = refused(broken.anext().await);
        assert_eq!(refusal.reason(), "a nursery");
        assert_eq!(log.take(), ["closed"]);
        // Mended: whoever iterates opens the connection.
        fn messages(of: Receiver<u32>) -> Generator<'static, String> {
            generator(async move |y: Yielder<String>| {
                while let Some(message) = of.recv().await? {
                    y.yield_(format!("message {message}")).await?;
                }
                Ok(())
            })
        }
        let got = with(open_websocket(&log), async |socket| {
            aclosing(messages(socket), async |messages| {
                Ok([messages.anext().await?.unwrap(), messages.anext().await?.unwrap()])
            })
            .await
        })
        .await?;
        assert_eq!(got, ["message 0", "message 1"]);
        assert_eq!(log.take(), ["closed"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn y09_the_synchronous_abandon_each_iteration_after() {
    // "This is of course broken, but I can imagine someone trying it."
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let mut broken = sync_generator(async |y: Yielder<()>| {
            loop {
                move_on_after(secs(1), async { y.yield_(()).await.map(drop) }).await?;
            }
        });
        let refusal = refused(broken.next().unwrap());
        assert_eq!(refusal.reason(), "a timeout");
        assert!(broken.next().is_none());
        // Mended: a context manager, entered for each iteration.
        fn abandon_after<'a>(seconds: u64) -> ContextManager<'a, ()> {
            context_manager(async move |y: Yielder<()>| {
                let timed = move_on_after(secs(seconds), async { y.yield_(()).await.map(drop) });
                timed.await.map(drop)
            })
        }
        let done = Cell::new(0);
        for _ in 0..3 {
            with(abandon_after(1), async |()| {
                sleep(secs(3)).await?;
                done.set(done.get() + 1);
                Ok(())
            })
            .await?;
        }
        assert_eq!((done.get(), clock.elapsed()), (0, secs(3)));
        Ok(())
    })
    .unwrap();
}

#[test]
fn y09_generator_exit_at_a_yield_in_a_manager_is_the_managers_to_pass_on() {
    run(async {
        let log = Log::new();
        let inside = log.clone();
        let mut g = generator(async move |y: Yielder<u32>| {
            let manager = context_manager(async |m: Yielder<()>| {
                let error = m.yield_(()).await.unwrap_err();
                inside.add(format!("{}", error.is::<GeneratorExit>()));
                Err(error)
            });
            with(manager, async |()| count(&y).await).await
        });
        g.anext().await?;
        g.aclose().await?;
        assert_eq!(log.take(), ["true"]);
        Ok(())
    })
    .unwrap();
}

/// A manager that opens no scope leaves the body in the scopes of its `with`, wherever that goes.
#[test]
fn y05_a_manager_that_opens_no_scope_leaves_the_body_where_it_is() {
    fn guarded<'a>() -> ContextManager<'a, ()> {
        context_manager(async |y: Yielder<()>| {
            let _guard = prevent_yields("locked");
            y.yield_(()).await.map(drop)
        })
    }
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let mut moved = Box::pin(with(guarded(), async |()| sleep(secs(9)).await));
        cancel_scope(async |_| {
            assert!(poll_once(moved.as_mut()).await.is_none());
            Ok(())
        })
        .await?;
        assert_eq!(move_on_after(secs(1), moved).await?, None, "the limit reaches the body");
        nursery(async |n| {
            n.start(async |started| {
                with(guarded(), async |()| {
                    started.ready(()); // from here on it is in the nursery's scope
                    sleep(secs(9)).await
                })
                .await
            })
            .await?;
            n.cancel();
            Ok(())
        })
        .await
    })
    .unwrap();
    assert_eq!(clock.elapsed(), secs(1));
}

/// A manager whose `with` is dropped cannot clean up, and says so.
#[test]
fn y05_a_with_that_is_dropped_warns() {
    let (_, records) = recording(|| {
        run(async {
            let manager = context_manager(async |y: Yielder<()>| y.yield_(()).await.map(drop));
            let mut entered = Box::pin(with(manager, async |()| sleep_forever().await));
            assert!(poll_once(entered.as_mut()).await.is_none());
            drop(entered);
            Ok(())
        })
    });
    assert_eq!(said(&records, "a context manager was dropped"), 1);
}

/// Who leaves first: a consumer that fails cancels the producer, which is no second failure.
#[test]
fn y09_a_consumer_that_fails_is_the_only_failure() {
    for capacity in [0, 1] {
        let mut ended = None;
        let outcome = run(safe_channel(
            capacity,
            async |y| {
                let outcome = async {
                    for i in 0.. {
                        y.yield_(i).await?;
                    }
                    Ok(())
                }
                .await;
                ended = Some(outcome.as_ref().is_err_and(Error::is_cancelled));
                outcome
            },
            async |items| {
                assert_eq!(items.recv().await?, Some(0));
                yield_now().await?;
                yield_now().await?;
                Err::<(), _>(Error::msg("enough"))
            },
        ));
        assert_eq!(outcome.unwrap_err().to_string(), "enough");
        assert_eq!(ended, Some(true), "the producer was cancelled");
    }
}

#[test]
fn y09_a_producer_that_fails_is_the_only_failure() {
    let outcome = run(safe_channel(
        0,
        async |y| {
            y.yield_(1).await?;
            Err(Error::msg("out of paper"))
        },
        async |items| {
            while items.recv().await?.is_some() {}
            sleep(secs(9)).await
        },
    ));
    assert_eq!(outcome.unwrap_err().to_string(), "out of paper");
}
