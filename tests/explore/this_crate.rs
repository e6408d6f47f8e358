//! Promises about cancellation, kept under every schedule.

use std::cell::{Cell, RefCell};

use futures::StreamExt;
use futures::channel::mpsc;
use seedbed::testing::explore;
use seedbed::{
    CancelScope, Cancelled, Error, Event, Yielder, cancel_scope, cancellable_stream, channel,
    checkpoint, fail_after, iterate, move_on_after, nursery, sleep,
};

use super::{outcomes, secs};

/// Two senders, and two receivers of which one gives up at some point: every message is
/// received, given back to its sender, or left in the channel, and no two of these.
#[test]
fn c10_no_message_is_lost_or_doubled() {
    for capacity in [0, 1] {
        let program = async || {
            let (sender, receiver) = channel(capacity);
            let (got, back) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
            cancel_scope(async |scope| {
                nursery(async |n| {
                    for i in [1, 2] {
                        let (sender, back) = (&sender, &back);
                        n.spawn(async move {
                            if let Err(refused) = sender.send(i).await {
                                back.borrow_mut().push(refused.into_inner());
                            }
                            Ok(())
                        });
                    }
                    n.spawn(async {
                        let message = receiver.recv().await?;
                        got.borrow_mut().extend(message);
                        Ok(())
                    });
                    n.spawn(async {
                        scope.cancel();
                        Ok(())
                    });
                    Ok(())
                })
                .await
            })
            .await?;
            let mut all = got.take();
            all.append(&mut back.take());
            all.extend(receiver.try_recv());
            all.extend(receiver.try_recv());
            all.sort();
            assert_eq!(all, [1, 2]);
            Ok(())
        };
        let report = explore(program);
        assert!(report.is_complete(), "capacity {capacity}: {report}");
    }
}

/// A stream of another library, whose reader gives up at some point and then goes on.
#[test]
fn c11_a_foreign_stream_that_is_cancelled_loses_and_doubles_nothing() {
    let report = explore(|| async {
        let (sender, receiver) = mpsc::unbounded();
        let mut stream = cancellable_stream(receiver.map(Ok::<_, Error>));
        let mut got = Vec::new();
        let scope = CancelScope::new();
        nursery(async |n| {
            n.spawn(async {
                for message in [1, 2] {
                    checkpoint().await?;
                    sender.unbounded_send(message)?;
                }
                sender.close_channel();
                Ok(())
            });
            n.spawn(async {
                scope.cancel();
                Ok(())
            });
            let reading = scope.enter(async |_| {
                while let Some(message) = stream.next().await.transpose()? {
                    got.push(message);
                }
                Ok(())
            });
            reading.await?;
            while let Some(message) = stream.next().await.transpose()? {
                got.push(message);
            }
            Ok(())
        })
        .await?;
        assert_eq!(got, [1, 2]);
        Ok(())
    });
    assert!(report.is_complete(), "{report}");
}

/// A rendezvous and a timeout at the same moment: both ends tell the same story.
#[test]
fn c10_both_ends_of_a_rendezvous_agree() {
    let (seen, _) = outcomes(|| async {
        let (sender, receiver) = channel(0);
        let (mut sent, mut got) = (None, None);
        nursery(async |n| {
            let sent = &mut sent;
            n.spawn(async {
                *sent = move_on_after(secs(1), async { Ok(sender.send(()).await?) }).await?;
                Ok(())
            });
            sleep(secs(1)).await?;
            got = receiver.try_recv().ok();
            Ok(())
        })
        .await?;
        assert_eq!(sent, got);
        Ok(sent)
    });
    assert_eq!(seen.len(), 2);
}

/// What is received before a failure is kept, and what is not stays.
#[test]
fn c10_a_failing_sibling_loses_no_message() {
    let report = explore(|| async {
        let (sender, receiver) = channel(2);
        sender.try_send(1).unwrap();
        sender.try_send(2).unwrap();
        let got = RefCell::new(Vec::new());
        let failed = nursery(async |n| {
            n.spawn(async {
                while let Some(message) = receiver.recv().await? {
                    got.borrow_mut().push(message);
                }
                Ok(())
            });
            n.spawn(async {
                checkpoint().await?;
                Err::<(), _>(Error::msg("planted"))
            });
            Ok(())
        })
        .await;
        assert!(failed.unwrap_err().as_group().is_some_and(|group| group.len() == 1));
        let mut all = got.take();
        while let Ok(message) = receiver.try_recv() {
            all.push(message);
        }
        assert_eq!(all, [1, 2]);
        Ok(())
    });
    assert!(report.is_complete(), "{report}");
}

/// Whatever waits for an event that is set learns of it, or of a cancellation that came before.
#[test]
fn c10_an_event_is_heard_or_the_wait_is_cancelled() {
    let report = explore(|| async {
        let event = Event::new();
        let log = RefCell::new(Vec::new());
        cancel_scope(async |scope| {
            nursery(async |n| {
                n.spawn(async {
                    let outcome = event.wait().await;
                    log.borrow_mut().push(if outcome.is_ok() { "heard" } else { "cancelled" });
                    outcome
                });
                n.spawn(async {
                    event.set();
                    log.borrow_mut().push("set");
                    Ok(())
                });
                n.spawn(async {
                    scope.cancel();
                    log.borrow_mut().push("cancel");
                    Ok(())
                });
                Ok(())
            })
            .await
        })
        .await?;
        let log = log.into_inner();
        let at = |what| log.iter().position(|said| *said == what);
        match at("heard") {
            // Even if it ran later than the cancellation: the wait was over by then.
            Some(heard) => assert!(at("set") < at("cancel").min(Some(heard)), "{log:?}"),
            None => assert!(at("cancel") < at("cancelled"), "{log:?}"),
        }
        Ok(())
    });
    assert!(report.is_complete(), "{report}");
}

/// `start` returns the value, or what went wrong before it, whoever comes first.
#[test]
fn n07_start_returns_the_value_or_fails() {
    let report = explore(|| async {
        let up = Cell::new(false);
        let outcome = nursery(async |n| {
            n.spawn(async {
                checkpoint().await?;
                Err::<(), _>(Error::msg("planted"))
            });
            let value = n
                .start(async |started| {
                    checkpoint().await?;
                    up.set(true);
                    started.ready(7);
                    sleep(secs(1)).await
                })
                .await;
            match value {
                Ok(value) => assert!(up.get() && value == 7),
                Err(error) => assert!(error.is::<Cancelled>(), "{error:?}"),
            }
            Ok(())
        })
        .await;
        let error = outcome.unwrap_err();
        assert_eq!(error.as_group().map(|group| group.len()), Some(1), "{error:?}");
        Ok(())
    });
    assert!(report.is_complete(), "{report}");
}

/// A child's value, at the moment its owner is cancelled: taken, or still there.
#[test]
fn n06_a_value_is_not_lost_to_a_cancelled_await() {
    let report = explore(|| async {
        nursery(async |n| {
            let mut task = n.spawn(async {
                checkpoint().await?;
                Ok("value")
            });
            let mut got = None;
            cancel_scope(async |scope| {
                let scope = &scope.clone();
                n.spawn({
                    let scope = scope.clone();
                    async move {
                        scope.cancel();
                        Ok(())
                    }
                });
                got = Some((&mut task).await?);
                Ok(())
            })
            .await?;
            if got.is_none() {
                got = Some(task.await?);
            }
            assert_eq!(got, Some("value"));
            Ok(())
        })
        .await
    });
    assert!(report.is_complete(), "{report}");
}

/// A limit that is met at the moment it ends: the value or `TooSlow`, and nothing of both.
#[test]
fn c07_a_limit_and_its_work_end_together() {
    let (seen, _) = outcomes(|| async {
        let done = Cell::new(false);
        let work = async {
            sleep(secs(1)).await?;
            done.set(true);
            Ok(())
        };
        let in_time = fail_after(secs(1), work).await.is_ok();
        assert_eq!(in_time, done.get());
        Ok(in_time)
    });
    assert_eq!(Vec::from_iter(seen), [false, true]);
}

/// A producer with clean-up that waits, and a consumer that is cancelled at some point: the
/// clean-up is over before the program goes on, and no message is lost between the two.
#[test]
fn f05_an_iteration_is_closed_before_it_ends() {
    let (seen, _) = outcomes(|| async {
        let (sender, receiver) = channel(1);
        let scope = CancelScope::new();
        let (open, got) = (Cell::new(false), Cell::new(0));
        nursery(async |n| {
            n.spawn(async {
                for i in 1..=2 {
                    if sender.send(i).await.is_err() {
                        break;
                    }
                }
                Ok(())
            });
            n.spawn(async {
                checkpoint().await?;
                scope.cancel();
                Ok(())
            });
            let iteration = scope.enter(async |_| {
                iterate(
                    async |y: Yielder<i32>| {
                        open.set(true);
                        let outcome = async {
                            while let Some(message) = receiver.recv().await? {
                                y.yield_(message).await?;
                            }
                            Ok(())
                        };
                        let outcome = outcome.await;
                        checkpoint().await.unwrap_or_default();
                        open.set(false);
                        outcome
                    },
                    async |items| {
                        while let Some(i) = items.anext().await? {
                            got.set(got.get() + i);
                            checkpoint().await?;
                        }
                        Ok(())
                    },
                )
                .await
            });
            iteration.await?;
            assert!(!open.get(), "its clean-up is over");
            receiver.close();
            n.cancel();
            Ok(())
        })
        .await?;
        Ok(got.get())
    });
    assert_eq!(Vec::from_iter(seen), [0, 1, 3]);
}
