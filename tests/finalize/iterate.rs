//! F5: `iterate`, which closes on every way out.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use seedbed::testing::VirtualClock;
use seedbed::{
    Error, GeneratorExit, IgnoredGeneratorExit, Result, Yield, Yielder, YielderMisused,
    cancel_scope, generator, iterate, move_on_after, sleep, sleep_forever, yield_now,
};

use super::{EXIT, errors};
use crate::support::{
    Drops, Log, cancelled, catching, count, poll_once, recording, run, run_on, said, secs, shielded,
};

#[test]
fn f05_iterate_closes_on_every_way_out() {
    let clock = VirtualClock::new();
    let (outcome, records) = recording(|| {
        run_on(&clock, async {
            let log = Log::new();
            let body = async |y: Yielder<u32>| {
                let outcome = count(&y).await;
                log.add("cleaning");
                shielded(sleep(secs(1))).await?;
                log.add("cleaned");
                outcome
            };
            let cleaned = || assert_eq!(log.take(), ["cleaning", "cleaned"]);
            // A value.
            assert_eq!(iterate(&body, async |items| items.anext().await).await?, Some(0));
            cleaned();
            // An error, a `?`.
            let error = iterate(&body, async |items| {
                items.anext().await?;
                Err::<(), _>(Error::msg("x"))
            });
            assert_eq!(error.await.unwrap_err().to_string(), "x");
            cleaned();
            // A cancellation.
            let none = move_on_after(
                secs(1),
                iterate(&body, async |items| {
                    items.anext().await?;
                    sleep_forever().await
                }),
            );
            assert_eq!(none.await?, None::<()>);
            cleaned();
            // A panic.
            let panic = catching(iterate(&body, async |items| -> Result<()> {
                items.anext().await?;
                panic!("x")
            }));
            assert_eq!(panic.await.unwrap_err(), "x");
            cleaned();
            // Its own end, its own failure, and not begun at all.
            let ends = async |_: Yielder<u32>| Ok(());
            assert_eq!(iterate(ends, async |items| items.anext().await).await?, None);
            let fails = async |_: Yielder<u32>| Err(Error::msg("of the body"));
            let error = iterate(fails, async |items| items.anext().await).await.unwrap_err();
            assert_eq!(error.to_string(), "of the body");
            iterate(&body, async |_| Ok(())).await?;
            assert!(log.take().is_empty());
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
    assert_eq!(clock.elapsed(), secs(5));
}

#[test]
fn f05_what_goes_wrong_in_the_clean_up_of_an_iteration() {
    let (outcome, records) = recording(|| {
        run(async {
            let body = async |y: Yielder<u32>| {
                drop(y.yield_(1).await);
                Err(Error::msg("of the clean-up"))
            };
            let error = iterate(body, async |items| items.anext().await).await.unwrap_err();
            assert_eq!(error.to_string(), "of the clean-up");
            let error = iterate(body, async |items| {
                items.anext().await?;
                Err::<(), _>(Error::msg("of the consumer"))
            });
            assert_eq!(error.await.unwrap_err().to_string(), "of the clean-up");
            let panic = catching(iterate(body, async |items| -> Result<()> {
                items.anext().await?;
                panic!("of the consumer")
            }));
            assert_eq!(panic.await.unwrap_err(), "of the consumer");
            let body = async |y: Yielder<u32>| -> Result<()> {
                drop(y.yield_(1).await);
                panic!("of the clean-up")
            };
            let panic = catching(iterate(body, async |items| items.anext().await));
            assert_eq!(panic.await.unwrap_err(), "of the clean-up");
            let panic = catching(iterate(body, async |items| -> Result<()> {
                items.anext().await?;
                panic!("of the consumer")
            }));
            assert_eq!(panic.await.unwrap_err(), "of the consumer");
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(records.len(), 3, "{records:?}");
    assert_eq!(records[0].field("error"), "of the consumer");
    assert_eq!(records[1].field("error"), "of the clean-up");
    assert!(records[2].message().contains("only the first"));
}

/// As for every generator: its clean-up is cancelled with its consumer, and may be shielded.
#[test]
fn f05_the_clean_up_of_a_cancelled_iteration() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let log = Log::new();
        let body = async |y: Yielder<u32>| {
            let outcome = y.yield_(1).await;
            assert!(outcome.as_ref().is_err_and(Error::is::<GeneratorExit>));
            log.add(format!("{}", sleep(secs(5)).await.unwrap_err().is_cancelled()));
            shielded(sleep(secs(2))).await?;
            outcome.map(drop)
        };
        let outcome = cancelled(iterate(body, async |items| {
            items.anext().await?;
            sleep(secs(9)).await
        }));
        assert!(outcome.await?.is_none());
        assert_eq!(log.take(), ["true"]);
        Ok(())
    })
    .unwrap();
    assert_eq!(clock.elapsed(), secs(2));
}

#[test]
fn f05_an_iterated_body_that_yields_when_it_is_closed() {
    let (outcome, records) = recording(|| {
        run(async {
            let log = Log::new();
            let drops = Drops::default();
            // It ends when it is asked a second time, without waiting.
            let body = async |y: Yielder<u32>| {
                drop(y.yield_(1).await);
                let _guard = drops.guard();
                let outcome = y.yield_(2).await;
                log.add(outcome.as_ref().unwrap_err().to_string());
                outcome.map(drop)
            };
            let error = iterate(body, async |items| items.anext().await).await.unwrap_err();
            assert!(error.is::<IgnoredGeneratorExit>(), "{error}");
            assert_eq!(log.take(), [EXIT]);
            assert_eq!(drops.count(), 1);
            // It waits then, or yields once more, and is dropped.
            let body = async |y: Yielder<u32>| {
                let _guard = drops.guard();
                drop(y.yield_(1).await);
                drop(y.yield_(2).await);
                yield_now().await?;
                log.add("not reached");
                Ok(())
            };
            let error = iterate(body, async |items| items.anext().await).await.unwrap_err();
            assert!(error.is::<IgnoredGeneratorExit>(), "{error}");
            let body = async |y: Yielder<u32>| {
                let _guard = drops.guard();
                while y.yield_(1).await.is_ok() || y.yield_(2).await.is_ok() {}
                loop {
                    drop(y.yield_(3).await);
                }
            };
            let error = iterate(body, async |items| items.anext().await).await.unwrap_err();
            assert!(error.is::<IgnoredGeneratorExit>(), "{error}");
            assert_eq!(drops.count(), 3);
            assert!(log.take().is_empty());
            Ok(())
        })
    });
    outcome.unwrap();
    let again = errors(&records);
    assert_eq!(again.len(), 2);
    assert_eq!(again[0], "it waits for something");
    assert!(again[1].contains("yields again"), "{again:?}");
    assert!(records.iter().all(|record| record.field("made_at").contains(file!())));
}

#[test]
fn f05_an_iteration_that_is_dropped_does_not_clean_up_and_says_so() {
    let log = Log::new();
    let (outcome, records) = recording(|| {
        run(async {
            let body = async |y: Yielder<u32>| {
                let _guard = log.on_drop("dropped");
                let outcome = count(&y).await;
                log.add("cleaned");
                outcome
            };
            let consumer = iterate(body, async |items| {
                items.anext().await?;
                sleep_forever().await
            });
            let polled: Option<Result<()>> = poll_once(consumer).await;
            assert!(polled.is_none());
            assert_eq!(log.take(), ["dropped"]);
            // Nothing is said where there is nothing to clean up.
            let consumer = iterate(body, async |_| sleep_forever().await);
            let polled: Option<Result<()>> = poll_once(consumer).await;
            assert!(polled.is_none());
            drop(iterate(body, async |items| items.anext().await));
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(said(&records, "it does not clean up"), 1, "{records:?}");
    assert_eq!(records.len(), 1);
    assert!(records[0].field("suspended_at").contains("bodies.rs"));
}

/// The inner one is closed before the outer one, and both before the program goes on.
#[test]
fn f05_nested_iterations_are_closed_from_the_inside_out() {
    run(async {
        let log = Log::new();
        let body = async |y: Yielder<u32>, name: &'static str| {
            let outcome = count(&y).await;
            shielded(yield_now()).await?;
            log.add(name);
            outcome
        };
        let last = iterate(
            async |y| body(y, "outer").await,
            async |outer| {
                // A generator whose body is driven by another's consumer.
                iterate(
                    async |y: Yielder<(u32, u32)>| {
                        while let Some(i) = outer.anext().await? {
                            y.yield_((i, 10 * i)).await?;
                        }
                        Ok(())
                    },
                    async |pairs| {
                        iterate(
                            async |y| body(y, "inner").await,
                            async |inner| {
                                loop {
                                    let pair = pairs.anext().await?.unwrap();
                                    let i = inner.anext().await?.unwrap();
                                    assert_eq!(pair, (i, 10 * i));
                                    if i == 3 {
                                        break Ok(i);
                                    }
                                }
                            },
                        )
                        .await
                    },
                )
                .await
            },
        );
        assert_eq!(last.await?, 3);
        assert_eq!(log.take(), ["inner", "outer"]);
        Ok(())
    })
    .unwrap();
}

/// A generator whose body is in the midst of an iteration is closed by its finalizer, which closes
/// the iteration.
#[test]
fn f05_an_iteration_in_a_generator_that_is_dropped() {
    let log = std::rc::Rc::new(Log::new());
    let in_body = log.clone();
    let (outcome, _) = recording(|| {
        run(async move {
            let mut numbers = generator(async move |y: Yielder<u32>| {
                let body = async |y: Yielder<u32>| {
                    let outcome = count(&y).await;
                    in_body.add("the iterated body");
                    outcome
                };
                let outcome = iterate(body, async |items| {
                    while let Some(i) = items.anext().await? {
                        y.yield_(i).await?;
                    }
                    Ok(())
                });
                let outcome = outcome.await;
                in_body.add("the generator");
                outcome
            });
            numbers.anext().await?;
            numbers.anext().await.map(drop)
        })
    });
    outcome.unwrap();
    assert_eq!(log.take(), ["the iterated body", "the generator"]);
}

/// What is forgotten is never polled or dropped again, whatever becomes of what it borrows.
#[test]
fn f05_an_iteration_that_is_forgotten() {
    run(async {
        let escaped: RefCell<Option<Yielder<String>>> = RefCell::default();
        {
            let name = String::from("short-lived");
            let mut iteration = Box::pin(iterate(
                async |y: Yielder<String>| {
                    while y.yield_(name.clone()).await.is_ok() {}
                    Ok(())
                },
                async |items| {
                    assert_eq!(items.anext().await?.as_deref(), Some("short-lived"));
                    sleep_forever().await
                },
            ));
            let polled: Option<Result<()>> = poll_once(iteration.as_mut()).await;
            assert!(polled.is_none());
            std::mem::forget(iteration);
            // And what the consumer is given may be forgotten in flight.
            let body = async |y: Yielder<String>| {
                yield_now().await?;
                y.yield_(name.clone()).await?;
                escaped.replace(Some(y));
                Ok(())
            };
            iterate(body, async |items| {
                let mut next = items.anext();
                assert!(poll_once(&mut next).await.is_none());
                std::mem::forget(next);
                assert_eq!(items.anext().await?.as_deref(), Some("short-lived"));
                assert_eq!(items.anext().await?, None);
                Ok(())
            })
            .await?;
        }
        let y = escaped.take().expect("it has left");
        assert!(y.yield_("late".into()).await.is_err());
        Ok(())
    })
    .unwrap();
}

#[test]
fn f05_a_yielder_that_has_left_its_iteration_is_of_no_use() {
    run(async {
        let escaped = RefCell::new(None);
        iterate(
            async |y: Yielder<u32>| {
                y.yield_(1).await?;
                escaped.replace(Some(y));
                Ok(())
            },
            async |items| {
                while items.anext().await?.is_some() {}
                Ok(())
            },
        )
        .await?;
        let y = escaped.take().expect("it has left");
        let error = y.yield_(2).await.unwrap_err();
        assert!(error.is::<YielderMisused>() && error.to_string().contains("end"), "{error}");
        // Nor is one that still waits when the body goes.
        let yielder = OnceCell::new();
        let waiting: RefCell<Option<Yield<'_, u32, ()>>> = RefCell::default();
        let first = iterate(
            async |y: Yielder<u32>| {
                let y = yielder.get_or_init(|| y);
                waiting.replace(Some(y.yield_(1)));
                poll_fn(|cx| match &mut *waiting.borrow_mut() {
                    Some(waiting) => Pin::new(waiting).poll(cx).map(drop),
                    None => Poll::Ready(()),
                })
                .await;
                Ok(())
            },
            async |items| items.anext().await,
        );
        assert_eq!(first.await?, Some(1));
        drop(waiting.take());
        Ok(())
    })
    .unwrap();
}

/// The outcome and the generator's body are dropped once, also if the body panics at that.
#[test]
fn f05_a_body_that_panics_when_it_is_dropped() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("when dropped");
        }
    }
    run(async {
        let drops = Drops::default();
        let consumer = iterate(
            // The body is never begun, so what it has is dropped with it.
            {
                let panics = Panics;
                async move |y: Yielder<u32>| {
                    let _panics = panics;
                    y.yield_(1).await.map(drop)
                }
            },
            async |_| Ok(drops.guard()),
        );
        assert_eq!(catching(async { consumer.await.map(drop) }).await.unwrap_err(), "when dropped");
        assert_eq!(drops.count(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn f05_an_iteration_in_a_cancelled_scope() {
    run(async {
        let ran = Cell::new(0);
        cancel_scope(async |scope| {
            scope.cancel();
            // Neither starting it nor closing is a checkpoint.
            let body = async |y: Yielder<u32>| {
                ran.set(ran.get() + 1);
                y.yield_(1).await?;
                Ok(())
            };
            assert_eq!(iterate(body, async |items| items.anext().await).await?, Some(1));
            ran.set(ran.get() + 1);
            Ok(())
        })
        .await?;
        assert_eq!(ran.get(), 2);
        Ok(())
    })
    .unwrap();
}
