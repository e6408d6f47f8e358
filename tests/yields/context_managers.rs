//! Y5: context managers made from generators.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use futures::future::{Either, join, join_all, select};
use seedbed::testing::VirtualClock;
use seedbed::{
    BodyPanicked, Builder, ContextManager, ContextManagerMisused, Error, Event, NoValue,
    NurseryHandle, Result, TooSlow, Yielder, cancel_scope, channel, context_manager, fail_after,
    generator, move_on_after, now, nursery, prevent_yields, sleep, sleep_forever, with, yield_now,
};

use super::{every_scope, exhaust, is_here, may_yield, refused};
use crate::support::{Log, catching, count, poll_once, recording, run, run_on, said, secs};

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
            // seedbed-lint: allow(yield-in-scope)
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
    // A manager may yield inside the `with` of another: what both hold counts in the end in
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
