//! G1 to G11 for generators that are part of their consumer's future. How they are closed is in
//! `finalize/iterate`.

use std::cell::{Cell, RefCell};

use futures::StreamExt;
use seedbed::testing::VirtualClock;
use seedbed::{
    AsendError, Error, GeneratorMisused, Yielder, cancel_scope, iterate, nursery, sleep,
    sync_generator,
};

use super::text;
use crate::support::{Log, catching, count, poll_once, recording, run, run_on, secs, shielded};

#[test]
fn g01_iterated_values_come_out_go_in_and_errors_go_in() {
    run(async {
        let base = String::from("x"); // borrowed by the body
        let log = Log::new(); // and used by both
        let outcome = iterate(
            async |y: Yielder<String, u32>| {
                let mut i = 0_u32;
                loop {
                    match y.yield_(format!("{base}{i}")).await {
                        Ok(sent) => {
                            log.add(format!("{sent:?}"));
                            i = i.wrapping_add(sent.unwrap_or(1));
                        }
                        Err(error) if error.is::<std::fmt::Error>() => i = 100,
                        Err(error) => return Err(error),
                    }
                    if i == 7 {
                        return Ok(());
                    }
                }
            },
            async |items| {
                assert_eq!(items.anext().await?.as_deref(), Some("x0"));
                assert_eq!(items.anext().await?.as_deref(), Some("x1"));
                assert_eq!(items.asend(4).await?.as_deref(), Some("x5"));
                assert_eq!(log.take(), ["None", "Some(4)"]);
                assert_eq!(items.athrow(std::fmt::Error).await?.as_deref(), Some("x100"));
                items.asend(u32::MAX - 100).await?;
                assert_eq!(items.asend(8).await?, None);
                assert!(items.anext().await?.is_none() && items.asend(1).await?.is_none());
                assert_eq!(text(items.athrow(Error::msg("late")).await), "late");
                Ok("done")
            },
        );
        assert_eq!(outcome.await?, "done");
        Ok(())
    })
    .unwrap();
}

#[test]
fn g01_it_needs_no_run() {
    let sum = iterate(
        async |y: Yielder<u32>| {
            for i in sync_generator(async |y: Yielder<u32>| {
                y.yield_(1).await?;
                y.yield_(2).await.map(drop)
            }) {
                y.yield_(10 * i?).await?;
            }
            Ok(())
        },
        async |items| {
            let mut sum = 0;
            while let Some(i) = items.anext().await? {
                sum += i;
            }
            Ok(sum)
        },
    );
    assert_eq!(futures::executor::block_on(sum).unwrap(), 30);
}

#[test]
fn g02_one_that_is_not_begun_takes_no_value_and_never_runs() {
    run(async {
        let ran = Cell::new(false);
        let body = async |y: Yielder<u32, u32>| {
            ran.set(true);
            y.yield_(1).await.map(drop)
        };
        iterate(&body, async |items| {
            match items.asend(5).await.unwrap_err() {
                AsendError::Refused(5, why) => assert!(why.to_string().contains(file!())),
                other => panic!("{other}"),
            }
            Ok(())
        })
        .await?;
        let thrown = iterate(&body, async |items| {
            assert_eq!(text(items.athrow(Error::msg("early")).await), "early");
            items.anext().await
        });
        assert_eq!(thrown.await?, None, "it never will");
        assert!(!ran.get());
        Ok(())
    })
    .unwrap();
}

#[test]
fn g03_a_failing_or_panicking_body_fails_the_call_and_is_finished() {
    run(async {
        let body = async |y: Yielder<u32>| {
            y.yield_(1).await?;
            Err(Error::msg("out of paper"))
        };
        let seen = iterate(body, async |items| {
            items.anext().await?;
            assert_eq!(text(items.anext().await), "out of paper");
            items.anext().await
        });
        assert_eq!(seen.await?, None);
        let body = async |y: Yielder<u32>| {
            y.yield_(1).await?;
            panic!("x")
        };
        let seen = iterate(body, async |items| {
            items.anext().await?;
            assert_eq!(catching(items.anext()).await.unwrap_err(), "x");
            items.anext().await
        });
        assert_eq!(seen.await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g06_a_cancellation_is_raised_at_the_bodys_await_and_it_may_go_on() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        iterate(
            async |y: Yielder<bool>| {
                let cancelled = sleep(secs(5)).await.unwrap_err().is_cancelled();
                y.yield_(cancelled).await?;
                sleep(secs(1)).await?;
                y.yield_(false).await.map(drop)
            },
            async |items| {
                let seen = cancel_scope(async |scope| {
                    scope.cancel();
                    items.anext().await
                });
                assert_eq!(seen.await?, Some(Some(true)));
                assert_eq!(items.anext().await?, Some(false));
                Ok(())
            },
        )
        .await?;
        assert_eq!(clock.elapsed(), secs(1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn g07_an_anext_dropped_in_flight_loses_nothing() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let body = async |y: Yielder<u32, u32>| {
            for i in 0.. {
                sleep(secs(1)).await?;
                y.yield_(i).await?;
            }
            Ok(())
        };
        iterate(body, async |items| {
            assert!(poll_once(items.anext()).await.is_none());
            let refused = items.asend(5).await.unwrap_err();
            assert!(matches!(refused, AsendError::Refused(5, _)));
            assert_eq!(items.anext().await?, Some(0));
            assert!(poll_once(items.anext()).await.is_none());
            assert_eq!(items.anext().await?, Some(1));
            assert!(poll_once(items.asend(6)).await.is_none());
            assert_eq!(items.anext().await?, Some(2));
            assert!(poll_once(items.anext()).await.is_none());
            Ok(())
        })
        .await?;
        // The last one was carried on to its yield, and closed there.
        assert_eq!(clock.elapsed(), secs(4));
        Ok(())
    })
    .unwrap();
}

#[test]
fn g07_no_error_is_thrown_into_what_is_in_flight() {
    let (outcome, records) = recording(|| {
        run(async {
            let body = async |y: Yielder<u32>| {
                sleep(secs(1)).await?;
                y.yield_(7).await.map(drop)
            };
            let next = iterate(body, async |items| {
                assert!(poll_once(items.anext()).await.is_none());
                let error = items.athrow(Error::msg("lost")).await.unwrap_err();
                assert!(error.is::<GeneratorMisused>(), "{error}");
                items.anext().await
            });
            assert_eq!(next.await?, Some(7));
            Ok(())
        })
    });
    outcome.unwrap();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0].field("error"), "lost");
}

#[test]
fn g09_it_is_a_stream() {
    run(async {
        let sum = iterate(
            async |y: Yielder<u32>| count(&y).await,
            async |items| {
                let squares = items.by_ref().map(|i| i.map(|i| i * i)).take(4);
                let squares: Vec<_> = squares.collect().await;
                let squares: u32 = squares.into_iter().sum::<seedbed::Result<u32>>()?;
                Ok(squares + items.anext().await?.unwrap())
            },
        );
        assert_eq!(sum.await?, 1 + 4 + 9 + 4);
        Ok(())
    })
    .unwrap();
}

#[test]
fn g11_it_may_be_driven_in_another_task_between_yields() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let got = RefCell::new(Vec::new());
        let add = |i: Option<u32>| got.borrow_mut().extend(i);
        iterate(
            async |y: Yielder<u32>| {
                for i in 0..4 {
                    sleep(secs(1)).await?;
                    y.yield_(i).await?;
                }
                shielded(sleep(secs(1))).await
            },
            async |items| {
                add(items.anext().await?);
                // Here in flight, and there carried on.
                assert!(poll_once(items.anext()).await.is_none());
                nursery(async |n| {
                    n.spawn(async {
                        add(items.anext().await?);
                        add(items.anext().await?);
                        Ok(())
                    });
                    Ok(())
                })
                .await?;
                add(items.anext().await?);
                Ok(())
            },
        )
        .await?;
        assert_eq!(*got.borrow(), [0, 1, 2, 3]);
        Ok(())
    })
    .unwrap();
    assert_eq!(clock.elapsed(), secs(4));
}
