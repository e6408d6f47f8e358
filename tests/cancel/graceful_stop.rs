//! C16: a graceful stop that is met as a value.

#[cfg(unix)]
#[allow(dead_code, reason = "the example's `main` function")]
#[path = "../../examples/reader_and_writer.rs"]
mod reader_and_writer;

use std::cell::Cell;
use std::time::Duration;

use futures::future::join_all;
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Error, Result, cancel_scope, channel, checkpoint, finishing, nursery,
    sleep, sleep_forever, until_stopped, yield_now,
};

use crate::support::{Log, run, run_on, secs, shielded};

/// Runs `body` in a section that finishes its work, in a scope that is stopped half a second after
/// this one, with this grace.
async fn stopped_at<T>(
    second: u64,
    grace: u64,
    body: impl Future<Output = Result<T>>,
) -> Result<Option<T>> {
    let scope = CancelScope::new();
    nursery(async |n| {
        n.spawn(async {
            sleep(secs(second) + Duration::from_millis(500)).await?;
            scope.cancel_gracefully(secs(grace));
            Ok(())
        });
        scope.enter(async |_| finishing(body).await).await
    })
    .await
}

#[test]
fn c16_a_reader_ends_by_value_and_its_writer_flushes_the_queue() {
    let clock = VirtualClock::new();
    let log = Log::new();
    run_on(&clock, async {
        let connection = async {
            let (queue, lines) = channel(100);
            nursery(async |n| {
                n.spawn(async {
                    while let Some(line) = lines.recv().await? {
                        sleep(secs(2)).await?;
                        log.add(format!("{line}"));
                    }
                    log.add("flushed");
                    Ok(())
                });
                let mut line = 0;
                while until_stopped(sleep(secs(1))).await?.is_some() {
                    queue.send(line).await?;
                    line += 1;
                }
                log.add("the reader has ended");
                drop(queue);
                Ok(())
            })
            .await
        };
        let ended = stopped_at(3, 60, connection).await?;
        assert_eq!(ended, Some(()), "by a value: nothing was absorbed");
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["0", "the reader has ended", "1", "2", "flushed"]);
    assert_eq!(clock.elapsed(), secs(7));
}

#[test]
fn c16_children_end_by_value_too() {
    // Reader and writer are both children, and none of them fails.
    let log = Log::new();
    run(async {
        let connection = async {
            let (queue, lines) = channel(100);
            nursery(async |n| {
                n.spawn(async {
                    let queue = queue; // dropped with the reader
                    while until_stopped(sleep(secs(1))).await?.is_some() {
                        queue.send("line").await?;
                    }
                    Ok(())
                });
                n.spawn(async {
                    while let Some(line) = lines.recv().await? {
                        sleep(secs(3)).await?;
                        log.add(line);
                    }
                    Ok(())
                });
                Ok(())
            })
            .await
        };
        stopped_at(3, 60, connection).await?;
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["line"; 3]);
}

#[test]
fn c16_any_other_cancellation_and_the_end_of_the_grace_are_errors() {
    run(async {
        let mut outcome = None;
        cancel_scope(async |scope| {
            scope.set_timeout(secs(1));
            outcome = Some(until_stopped(sleep_forever()).await);
            checkpoint().await
        })
        .await?;
        assert!(outcome.take().unwrap().unwrap_err().is_cancelled());
        cancel_scope(async |scope| {
            scope.cancel();
            outcome = Some(until_stopped(sleep_forever()).await);
            checkpoint().await
        })
        .await?;
        assert!(outcome.unwrap().unwrap_err().is_cancelled(), "from the beginning");

        let mut outcomes = Vec::new();
        let ended = stopped_at(1, 2, async {
            outcomes.push(until_stopped(sleep_forever()).await.map(|none: Option<()>| none));
            outcomes.push(sleep_forever().await.map(Some)); // until the grace is over
            outcomes.push(until_stopped(sleep_forever()).await);
            checkpoint().await
        });
        assert_eq!(ended.await?, None);
        let texts: Vec<_> = outcomes.iter().map(|outcome| outcome.as_ref().ok()).collect();
        assert_eq!(texts, [Some(&None), None, None]);
        assert!(
            outcomes.iter().flat_map(|outcome| outcome.as_ref().err()).all(Error::is_cancelled)
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn c16_once_it_has_come_nothing_more_is_begun_so_that_a_loop_ends() {
    // There is always a message.
    run(async {
        let (sender, receiver) = channel(1_000_000);
        for i in 0..1_000_000 {
            sender.try_send(i).unwrap();
        }
        let scope = CancelScope::new();
        let received = Cell::new(0);
        nursery(async |n| {
            n.spawn(async {
                while received.get() < 1000 {
                    yield_now().await?;
                }
                scope.cancel_gracefully(secs(10));
                Ok(())
            });
            let all = scope.enter(async |_| {
                finishing(async {
                    while until_stopped(receiver.recv()).await?.is_some() {
                        received.update(|received| received + 1);
                    }
                    Ok(())
                })
                .await
            });
            assert_eq!(all.await?, Some(()));
            Ok(())
        })
        .await?;
        assert!((1000..2000).contains(&received.get()), "{}", received.get());
        assert_eq!(receiver.recv().await?, Some(received.get()), "nothing is lost");
        Ok(())
    })
    .unwrap();
}

#[test]
fn c16_what_has_come_by_then_is_received() {
    run(async {
        let (sender, receiver) = channel(1);
        let scope = CancelScope::new();
        nursery(async |n| {
            n.spawn(async {
                sleep(secs(1)).await?;
                sender.try_send("just in time").unwrap();
                scope.cancel_gracefully(secs(10));
                Ok(())
            });
            let both = scope.enter(async |_| {
                finishing(async {
                    Ok((
                        until_stopped(receiver.recv()).await?,
                        until_stopped(receiver.recv()).await?,
                    ))
                })
                .await
            });
            assert_eq!(both.await?, Some((Some(Some("just in time")), None)));
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn c16_a_value_a_failure_and_a_stop_are_told_apart() {
    run(async {
        let failing = async { Err::<(), _>(Error::msg("the disk is full")) };
        assert_eq!(until_stopped(failing).await.unwrap_err().to_string(), "the disk is full");
        assert_eq!(until_stopped(async { Ok(7) }).await?, Some(7));
        // What waits may finish something when it is stopped, and its value counts.
        let ended = stopped_at(1, 10, async {
            until_stopped(async {
                let outcome: Result<()> = sleep_forever().await;
                assert!(outcome.unwrap_err().is_cancelled());
                Ok("said goodbye")
            })
            .await
        });
        assert_eq!(ended.await?, Some(Some("said goodbye")));
        let failed = stopped_at(1, 10, async {
            until_stopped(async {
                // seedbed-lint: allow(swallowed-cancellation)
                let _: Result<()> = sleep_forever().await;
                Err::<(), _>(Error::msg("while it stopped"))
            })
            .await
        });
        assert!(failed.await.unwrap_err().to_string().contains("while it stopped"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c16_outside_of_a_section_that_finishes_the_next_checkpoint_fails() {
    run(async {
        let mut met = false;
        let ended = cancel_scope(async |scope| {
            scope.cancel_gracefully(secs(10));
            met = until_stopped(sleep(secs(1))).await?.is_none();
            checkpoint().await
        });
        assert_eq!(ended.await?, None);
        assert!(met);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c16_a_shield_hides_a_stop() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let ended = stopped_at(1, 2, shielded(until_stopped(sleep(secs(5)))));
        assert_eq!(ended.await?, Some(Some(())));
        assert_eq!(clock.elapsed(), secs(5));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c16_a_loop_that_does_not_heed_it_starves_nobody() {
    for budget in [1, 128] {
        let builder = Builder::new().clock(&VirtualClock::new()).budget(budget);
        builder
            .run(async {
                let done = Cell::new(false);
                nursery(async |n| {
                    n.spawn(async {
                        for _ in 0..10 {
                            yield_now().await?;
                        }
                        done.set(true);
                        Ok(())
                    });
                    let scope = CancelScope::new();
                    scope.cancel_gracefully(secs(10));
                    let waits = scope.enter(async |_| {
                        finishing(async {
                            while !done.get() {
                                let none: Option<()> = until_stopped(sleep_forever()).await?;
                                assert!(none.is_none());
                            }
                            Ok(())
                        })
                        .await
                    });
                    waits.await.map(drop)
                })
                .await
            })
            .unwrap();
    }
}

#[test]
fn c16_it_works_in_foreign_combinators_and_as_an_event_of_the_stop() {
    let log = Log::new();
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let all = async {
            let waits = (0..40).map(|_| until_stopped(sleep_forever()));
            let event = async {
                let none: Option<()> = until_stopped(sleep_forever()).await?;
                log.add("it stops");
                Ok(none)
            };
            let (stopped, event) = futures::future::join(join_all(waits), event).await;
            assert!(stopped.into_iter().all(|outcome| matches!(outcome, Ok(None))));
            event
        };
        stopped_at(3, 10, all).await?;
        assert_eq!(log.take(), ["it stops"]);
        assert_eq!(clock.elapsed().as_secs(), 3);
        Ok(())
    })
    .unwrap();
}

#[test]
#[cfg(unix)]
fn c16_the_handler_of_a_server_answers_all_that_it_has_read() {
    let answers = reader_and_writer::demonstrate(Duration::from_millis(5)).unwrap();
    assert_eq!(answers, "HELLO\n".repeat(10));
}
