//! F5: `aclosing`, and generators made in a nursery.

use std::cell::{Cell, RefCell};

use futures::future::{Either, join};
use futures::stream::{FuturesUnordered, StreamExt};
use seedbed::testing::VirtualClock;
use seedbed::{
    Error, GeneratorMisused, Result, Yielder, aclosing, cancel_scope, checkpoint, generator,
    move_on_after, nursery, sleep, sleep_forever, yield_now,
};

use super::{errors, quiet};
use crate::support::{
    Drops, Log, catching, count, poll_once, recording, run, run_on, said, secs, shielded,
    slow_to_close,
};

#[test]
fn f05_aclosing_closes_on_every_way_out() {
    let clock = VirtualClock::new();
    let (outcome, records) = recording(|| {
        run_on(&clock, async {
            let log = Log::new();
            let make = || generator(slow_to_close(&log));
            let cleaned = || assert_eq!(log.take(), ["cleaning", "cleaned"]);
            // A value.
            let value = aclosing(make(), async |g| g.anext().await).await?;
            cleaned();
            assert_eq!(value, Some(0));
            // An error, a `?`.
            let error = aclosing(make(), async |g| {
                g.anext().await?;
                Err::<(), _>(Error::msg("x"))
            });
            assert_eq!(error.await.unwrap_err().to_string(), "x");
            cleaned();
            // A cancellation.
            let none = move_on_after(
                secs(1),
                aclosing(make(), async |g| {
                    g.anext().await?;
                    sleep_forever().await
                }),
            );
            assert_eq!(none.await?, None::<()>);
            cleaned();
            // A panic.
            let panic = catching(aclosing(make(), async |g| -> Result<()> {
                g.anext().await?;
                panic!("x")
            }));
            assert_eq!(panic.await.unwrap_err(), "x");
            cleaned();
            // Its own end, and the generator's own failure.
            aclosing(generator(async |_: Yielder<u32>| Ok(())), async |g| g.anext().await).await?;
            let failing = generator(async |_: Yielder<u32>| Err(Error::msg("of the generator")));
            let error = aclosing(failing, async |g| g.anext().await).await.unwrap_err();
            assert_eq!(error.to_string(), "of the generator");
            // Closed inside already, and not begun at all.
            aclosing(make(), async |g| {
                g.anext().await?;
                g.aclose().await
            })
            .await?;
            cleaned();
            aclosing(make(), async |_| Ok(())).await?;
            assert!(log.take().is_empty());
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
    assert_eq!(clock.elapsed(), secs(6));
}

#[test]
fn f05_an_error_of_the_clean_up_replaces_the_bodys_which_is_reported() {
    let (outcome, records) = recording(|| {
        run(async {
            let make = || {
                generator(async |y: Yielder<u32>| {
                    drop(y.yield_(1).await);
                    Err(Error::msg("of the clean-up"))
                })
            };
            let error = aclosing(make(), async |g| g.anext().await).await.unwrap_err();
            assert_eq!(error.to_string(), "of the clean-up");
            let error = aclosing(make(), async |g| {
                g.anext().await?;
                Err::<(), _>(Error::msg("of the body"))
            });
            assert_eq!(error.await.unwrap_err().to_string(), "of the clean-up");
            let panic = catching(aclosing(make(), async |g| -> Result<()> {
                g.anext().await?;
                panic!("of the body")
            }));
            assert_eq!(panic.await.unwrap_err(), "of the body");
            Ok(())
        })
    });
    outcome.unwrap();
    let errors: Vec<_> = records.iter().map(|record| record.field("error")).collect();
    assert_eq!(errors, ["of the body", "of the clean-up"]);
}

#[test]
fn f05_a_panic_of_the_clean_up_after_one_of_the_body_is_reported() {
    let (outcome, records) = recording(|| {
        run(async {
            let make = || {
                generator(async |y: Yielder<u32>| {
                    drop(y.yield_(1).await);
                    panic!("of the clean-up")
                })
            };
            let panic = catching(aclosing(make(), async |g| -> Result<()> {
                g.anext().await?;
                panic!("of the body")
            }));
            assert_eq!(panic.await.unwrap_err(), "of the body");
            let panic = catching(aclosing(make(), async |g| g.anext().await));
            assert_eq!(panic.await.unwrap_err(), "of the clean-up");
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(records.len(), 1, "{records:?}");
    assert!(records[0].message().contains("only the first"));
}

#[test]
fn f05_dropped_half_way_it_goes_to_the_finalizer() {
    let log = Log::new();
    quiet(async {
        let open = aclosing(generator(slow_to_close(&log)), async |g| {
            g.anext().await?;
            sleep_forever().await
        });
        assert!(poll_once(open).await.is_none());
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["cleaning", "cleaned"]);
}

#[test]
fn f05_a_generator_made_in_a_nursery_borrows_and_is_closed_before_it_ends() {
    let clock = VirtualClock::new();
    let (outcome, records) = recording(|| {
        run_on(&clock, async {
            let words = ["a", "bb"].map(str::to_owned);
            let log = RefCell::new(Vec::new());
            nursery(async |n| {
                let mut lengths = n.generator(async |y: Yielder<usize>| {
                    let outcome = async {
                        for word in &words {
                            y.yield_(word.len()).await?;
                        }
                        Ok(())
                    };
                    let outcome = outcome.await;
                    shielded(sleep(secs(2))).await?;
                    log.borrow_mut().push("cleaned");
                    outcome
                });
                assert_eq!(lengths.anext().await?, Some(1));
                Ok(()) // dropped half-way
            })
            .await?;
            assert_eq!(log.take(), ["cleaned"]);
            assert_eq!(clock.elapsed(), secs(2));
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(records.is_empty(), "the structured way is nothing to warn of: {records:?}");
}

#[test]
fn f05_closed_by_the_nursery_on_every_way_out() {
    quiet(async {
        for way in ["value", "error", "cancelled", "in a child", "a child fails", "panic", "moved"]
        {
            let log = Log::new();
            let ended = catching(cancel_scope(async |scope| {
                let log = &log;
                nursery(async |n| {
                    let mut g = n.generator(async |y: Yielder<u32>| {
                        let outcome = count(&y).await;
                        shielded(sleep(secs(1))).await?;
                        log.add("cleaned");
                        outcome
                    });
                    g.anext().await?;
                    match way {
                        "error" => return Err(Error::msg("x")),
                        "cancelled" => {
                            scope.cancel();
                            checkpoint().await?;
                        }
                        "in a child" => {
                            n.spawn(async move {
                                g.anext().await?;
                                Ok(())
                            })
                            .await?;
                        }
                        "a child fails" => {
                            drop(n.spawn(async move {
                                g.anext().await?;
                                Err::<(), _>(Error::msg("x"))
                            }));
                            sleep_forever().await?;
                        }
                        "panic" => panic!("x"),
                        "moved" => {
                            // Left in a child's value that nobody takes.
                            drop(n.spawn(async move { Ok(g) }));
                        }
                        _ => {}
                    }
                    Ok(())
                })
                .await
            }))
            .await;
            assert_eq!(ended.is_err(), way == "panic");
            assert_eq!(log.take(), ["cleaned"], "{way}");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn f05_an_error_of_a_nursery_generators_clean_up_is_reported() {
    let (outcome, records) = recording(|| {
        run(async {
            nursery(async |n| {
                let mut g = n.generator(async |y: Yielder<u32>| {
                    drop(y.yield_(1).await);
                    Err(Error::msg("out of paper"))
                });
                g.anext().await.map(drop)
            })
            .await
        })
    });
    outcome.unwrap();
    assert_eq!(errors(&records), ["out of paper"]);
}

#[test]
fn f05_a_nursery_generator_that_holds_another() {
    quiet(async {
        let log = Log::new();
        let inside = &log;
        nursery(async |n| {
            let mut outer = n.generator(async |y: Yielder<u32>| {
                let mut inner = n.generator(async |y: Yielder<u32>| {
                    let outcome = count(&y).await;
                    inside.add("inner");
                    outcome
                });
                inner.anext().await?;
                let outcome = count(&y).await;
                inside.add("outer");
                outcome // and `inner` is dropped, while the nursery closes
            });
            outer.anext().await.map(drop)
        })
        .await?;
        assert_eq!(log.take(), ["outer", "inner"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn f05_a_nursery_that_is_dropped_half_way_drops_its_generators() {
    // Their clean-up cannot wait for anything then; the nursery warns.
    let (outcome, records) = recording(|| {
        run(async {
            let drops = Drops::default();
            let open = nursery(async |n| {
                let mut g = n.generator(async |y: Yielder<u32>| {
                    let _guard = drops.guard();
                    count(&y).await
                });
                g.anext().await?;
                sleep_forever().await
            });
            assert!(poll_once(open).await.is_none());
            assert_eq!(drops.count(), 1);
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(records.iter().any(|record| record.message().contains("nursery")), "{records:?}");
}

/// One that nobody drops, too.
#[test]
fn f05_one_that_is_forgotten_is_closed_before_the_nursery_ends() {
    let (_, records) = recording(|| {
        run(async {
            let closed = Cell::new(false);
            nursery(async |n| {
                let mut g = n.generator(async |y: Yielder<u8>| {
                    let outcome = y.yield_(1).await;
                    let limit = move_on_after(secs(1), sleep(secs(1))).await;
                    assert!(limit.is_err_and(|error| error.is_cancelled()), "it cannot wait");
                    closed.set(true);
                    outcome.map(drop)
                });
                g.anext().await?;
                std::mem::forget(g);
                Ok(())
            })
            .await?;
            assert!(closed.get());
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(said(&records, "left suspended at the end of its nursery"), 1);
}

/// It does not take the body away from the finalizer.
#[test]
fn f05_whoever_drives_what_the_nursery_closes_hears_of_it() {
    let log = Log::new();
    let (outcome, _) = recording(|| {
        run(async {
            nursery(async |n| {
                let mut inner = n.generator(async |y: Yielder<u32>| {
                    let outcome = y.yield_(0).await;
                    for _ in 0..3 {
                        shielded(yield_now()).await?;
                    }
                    log.add("cleaned");
                    outcome.map(drop)
                });
                inner.anext().await?;
                let log = &log;
                let mut outer = n.generator(async move |y: Yielder<u32>| {
                    let drive = async {
                        let error = inner.athrow(Error::msg("thrown in")).await.unwrap_err();
                        log.add(format!("refused: {}", error.is::<GeneratorMisused>()));
                    };
                    join(drive, y.yield_(1)).await.1.map(drop)
                });
                outer.anext().await?;
                std::mem::forget(outer);
                Ok(())
            })
            .await
        })
    });
    outcome.unwrap();
    assert_eq!(log.take(), ["refused: true", "cleaned"]);
}

/// What waits beside a yield, behind a combinator that polls only what was woken, began to wait in
/// the consumer's scope. The scope in which the generator is closed reaches it all the same.
#[test]
fn c11_what_waits_beside_a_yield_is_reached_when_the_generator_is_closed() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        nursery(async |n| {
            let mut numbers = n.generator(async |y: Yielder<i32>| {
                let beside = async { sleep(secs(3600)).await };
                let yields = async { y.yield_(1).await.map(drop) };
                let mut both = FuturesUnordered::new();
                both.push(Either::Left(beside));
                both.push(Either::Right(yields));
                while let Some(outcome) = both.next().await {
                    assert!(outcome.is_err());
                }
                Ok(())
            });
            assert_eq!(numbers.anext().await?, Some(1));
            Ok(()) // dropped half-way
        })
        .await
    })
    .unwrap();
    assert_eq!(clock.elapsed(), secs(0));
}
