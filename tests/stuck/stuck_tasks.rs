//! What is parked although there is work for it, and cancelled scopes that stay open, are reported.
//!
//! On the virtual clock this happens at the first moment at which nothing can run. That it takes a
//! second on the system's clock is tested where it is decided, in `src/run/stuck/mod.rs`, without
//! waiting for one.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::pin::pin;
use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::{Either, join_all, select};
use futures::lock::Mutex;
use futures::stream::{self, FuturesUnordered, StreamExt};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Deadlock, Event, Feed, Result, Started, Stuck, Yielder, aclosing,
    cancel_scope, cancellable, channel, context_manager, fail_after, finishing, generator, idle,
    move_on_after, nursery, safe_channel, sleep, sleep_forever, with, yield_now,
};

use crate::support::{Log, Record, poll_once, recording, run_on, secs, shielded};

/// Runs on a virtual clock, and returns what was said of stuck tasks.
fn stuck<T>(main: impl Future<Output = Result<T>>) -> (T, Vec<Record>) {
    let (value, records) = recording(|| run_on(&VirtualClock::new(), main).unwrap());
    (value, of_stuck(records))
}

fn of_stuck(mut records: Vec<Record>) -> Vec<Record> {
    records.retain(|record| record.message().starts_with("stuck:"));
    records
}

/// The error of a run in which it is one to be stuck.
fn failure<T: std::fmt::Debug>(main: impl Future<Output = Result<T>>) -> Stuck {
    let builder = Builder::new().clock(&VirtualClock::new()).fail_when_stuck(true);
    let (outcome, _) = recording(|| builder.run(main));
    outcome.unwrap_err().find::<Stuck>().expect("it is stuck").clone()
}

/// Runs with being stuck as an error, and with a look-out for warnings.
fn silent<T>(main: impl Future<Output = Result<T>>) -> T {
    let builder = Builder::new().clock(&VirtualClock::new()).fail_when_stuck(true);
    let (outcome, records) = recording(|| builder.detect_deadlock(true).run(main));
    let records = of_stuck(records);
    assert!(records.is_empty(), "{records:?}");
    outcome.unwrap()
}

/// The line of the place, in this file.
fn line(place: &std::panic::Location<'_>) -> u32 {
    assert_eq!(place.file(), file!());
    place.line()
}

/// A nursery whose child is ready in a second, and where both are.
fn work(lines: &Cell<(u32, u32)>) -> impl Future<Output = Result<()>> {
    lines.set((line!() + 1, line!() + 2));
    nursery(async |n| {
        n.spawn(sleep(secs(1)));
        Ok(())
    })
}

// Parked nurseries.

async fn parked_by_select(lines: &Cell<(u32, u32)>) -> Result<()> {
    let work = pin!(work(lines));
    let Either::Right((_, parked)) = select(work, yield_now()).await else {
        panic!("the nursery has ended");
    };
    sleep(secs(5)).await?;
    parked.await
}

#[test]
fn a_nursery_parked_by_a_select() {
    let lines = Cell::default();
    let ((), records) = stuck(parked_by_select(&lines));
    let [record] = &records[..] else { panic!("{records:?}") };
    let (nursery, task) = lines.get();
    let text = record.message();
    assert_eq!(record.level, tracing::Level::WARN);
    assert!(
        record.field("opened_at").contains(&format!("stuck_tasks.rs:{nursery}:")),
        "{record:?}"
    );
    assert!(
        text.contains(&format!("the nursery opened at tests/stuck/stuck_tasks.rs:{nursery}:")),
        "{text}"
    );
    assert!(text.contains(&format!("spawned at tests/stuck/stuck_tasks.rs:{task}:")), "{text}");
    assert!(text.contains("select!") && text.contains("task of its own"), "{text}");
}

#[test]
fn as_an_error() {
    let lines = Cell::default();
    let error = failure(parked_by_select(&lines));
    let (nursery, task) = lines.get();
    assert_eq!(line(error.place()), nursery);
    assert_eq!(error.tasks().map(|task| line(task)).collect::<Vec<_>>(), [task]);
    assert!(error.cancelled().is_none());
}

/// It is told apart from a deadlock, which comes of it.
#[test]
fn rather_than_a_deadlock() {
    let (lines, event) = (Cell::default(), Event::new());
    let main = |builder: Builder| {
        let main = async {
            let mut parked = pin!(work(&lines));
            assert!(poll_once(&mut parked).await.is_none());
            event.wait().await // nobody sets it
        };
        let builder = builder.clock(&VirtualClock::new()).detect_deadlock(true);
        recording(|| builder.run(main)).0.unwrap_err()
    };
    assert!(main(Builder::new().fail_when_stuck(true)).is::<Stuck>());
    assert!(main(Builder::new()).is::<Deadlock>());
}

/// The system's clock gives it a second, but an error comes at once.
#[test]
fn on_the_systems_clock() {
    let lines = Cell::default();
    let (outcome, _) =
        recording(|| Builder::new().fail_when_stuck(true).run(parked_by_select(&lines)));
    assert!(outcome.unwrap_err().is::<Stuck>());
    let (outcome, records) = recording(|| {
        seedbed::run(async {
            let event = Event::new();
            let mut parked = pin!(nursery(async |n| {
                n.spawn(event.wait());
                Ok(())
            }));
            assert!(poll_once(&mut parked).await.is_none());
            event.set();
            sleep(std::time::Duration::from_millis(1)).await?; // nothing runs meanwhile
            parked.await
        })
    });
    outcome.unwrap();
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn nurseries_in_a_buffered_stream() {
    let ((), records) = stuck(async {
        let slow = |_| nursery(async |n| n.spawn(sleep(secs(1))).await);
        let mut stream = pin!(stream::iter(0..3).map(slow).buffered(3));
        while let Some(done) = stream.next().await {
            done?;
            sleep(secs(5)).await?; // the others have to wait for this
        }
        Ok(())
    });
    // All are ready at once, and only the first is polled.
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0].field("count"), "2");

    let (_, records) = stuck(async {
        let slow = |i| nursery(async move |n| n.spawn(sleep(secs(i))).await);
        let mut stream = pin!(stream::iter(1..4).map(slow).buffered(3));
        while let Some(done) = stream.next().await {
            done?;
            sleep(secs(5)).await?;
        }
        Ok(())
    });
    // One is ready a second after the other.
    assert_eq!(records.len(), 2, "{records:?}");
}

#[test]
fn nurseries_in_futures_unordered() {
    let (_, records) = stuck(async {
        let event = Event::new();
        let mut all: FuturesUnordered<_> =
            (0..10).map(|_| nursery(async |n| n.spawn(event.wait()).await)).collect();
        assert!(poll_once(all.next()).await.is_none());
        event.set();
        sleep(secs(1)).await?;
        while let Some(done) = all.next().await {
            done?;
        }
        Ok(())
    });
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record.field("count"), "10"); // in one line
}

/// It is not reported again and again, though it never goes.
#[test]
fn a_forgotten_nursery() {
    let lines = Cell::default();
    let (_, records) = stuck(async {
        let event = Event::new();
        let lines = &lines;
        let mut forgotten = Box::pin(async move { work(lines).await });
        assert!(poll_once(&mut forgotten).await.is_none());
        // What it borrows outlives the run.
        std::mem::forget(forgotten);
        for _ in 0..10 {
            sleep(secs(1)).await?;
        }
        event.set();
        event.wait().await
    });
    assert_eq!(records.len(), 1, "{records:?}");
    let nursery = lines.get().0;
    assert!(records[0].message().contains(&format!("stuck_tasks.rs:{nursery}:")), "{records:?}");
}

#[test]
fn each_time_it_is_parked() {
    let (_, records) = stuck(async {
        let mut parked = pin!(nursery(async |n| {
            n.spawn(async {
                for _ in 0..3 {
                    sleep(secs(1)).await?;
                }
                Ok(())
            });
            Ok(())
        }));
        for _ in 0..3 {
            assert!(poll_once(&mut parked).await.is_none());
            sleep(secs(2)).await?;
        }
        parked.await
    });
    assert_eq!(records.len(), 3, "{records:?}");
}

/// The nurseries inside one that is parked are not to blame.
#[test]
fn the_outermost_is_named() {
    let outer = Cell::new(0);
    let event = Event::new();
    let ((), records) = stuck(async {
        outer.set(line!() + 1);
        let mut parked = pin!(nursery(async |n| {
            n.spawn(nursery(async |n| {
                n.spawn(event.wait());
                n.spawn(fail_after(secs(9), event.wait()));
                n.spawn(async { move_on_after(secs(0), sleep_forever()).await.map(drop) });
                Ok(())
            }));
            Ok(())
        }));
        assert!(poll_once(&mut parked).await.is_none());
        event.set();
        sleep(secs(5)).await?;
        parked.await
    });
    let [record] = &records[..] else { panic!("{records:?}") };
    assert!(record.message().contains(&format!("stuck_tasks.rs:{}:", outer.get())), "{record:?}");
}

// Parked scopes.

#[test]
fn a_receive_parked_in_a_scope() {
    let (tx, rx) = channel(0);
    let scope = Cell::new(0);
    let (_, records) = stuck(async {
        scope.set(line!() + 1);
        let mut parked = pin!(fail_after(secs(60), rx.recv()));
        assert!(poll_once(&mut parked).await.is_none());
        tx.send(1).await?;
        for _ in 0..5 {
            sleep(secs(1)).await?; // the message is in there
        }
        assert_eq!(parked.await?, Some(1));
        Ok(())
    });
    let [record] = &records[..] else { panic!("{records:?}") };
    let text = record.message();
    assert!(
        text.contains(&format!("scope opened at tests/stuck/stuck_tasks.rs:{}:", scope.get())),
        "{text}"
    );
}

/// Keeping an operation over the turns of a loop is ordinary, as its task's scope is polled.
#[test]
fn an_operation_that_is_kept_without_a_scope_is_not_stuck() {
    silent(async {
        let (tx, rx) = channel(0);
        let stop = Event::new();
        nursery(async |n| {
            n.spawn(async {
                tx.send(1).await?;
                sleep(secs(1)).await?;
                stop.set();
                Ok(())
            });
            let mut recv = rx.recv();
            let mut stopped = stop.wait();
            loop {
                match select(&mut recv, &mut stopped).await {
                    Either::Left((message, _)) => {
                        message?;
                        sleep(secs(5)).await?; // `stopped` has come meanwhile
                        recv = rx.recv();
                    }
                    Either::Right((outcome, _)) => break outcome,
                }
            }
        })
        .await
    });
}

/// A scope that is polled is not stuck, whatever in it is parked; nor one that was dropped.
#[test]
fn a_scope_that_is_polled_is_not_stuck() {
    silent(async {
        let event = Event::new();
        let mut dropped = Box::pin(fail_after(secs(60), event.wait()));
        assert!(poll_once(&mut dropped).await.is_none());
        fail_after(secs(60), async {
            let mut wait = event.wait();
            assert!(poll_once(&mut wait).await.is_none());
            event.set();
            drop(dropped);
            sleep(secs(5)).await?;
            wait.await
        })
        .await
    });
}

/// What the body of a `with` waits for is in the manager's scope, which is not polled itself.
#[test]
fn the_scope_of_a_manager_is_not_stuck() {
    silent(async {
        let (tx, rx) = channel(0);
        let manager = context_manager(async |y: Yielder<()>| {
            nursery(async |_| {
                cancel_scope(async |_| y.yield_(()).await).await?;
                Ok(())
            })
            .await
        });
        nursery(async |n| {
            n.spawn(async {
                sleep(secs(1)).await?;
                Ok(tx.send(1).await?)
            });
            with(manager, async |()| {
                assert_eq!(rx.recv().await?, Some(1));
                sleep(secs(5)).await
            })
            .await
        })
        .await
    });
}

// Cancelled scopes that stay open.

#[test]
fn a_cancelled_scope_over_a_foreign_future() {
    let (scope_at, cancelled_at) = (Cell::new(0), Cell::new(0));
    let (_, records) = stuck(async {
        let (sender, answer) = oneshot::channel();
        nursery(async |n| {
            n.spawn(async {
                for _ in 0..10 {
                    sleep(secs(1)).await?;
                }
                sender.send(()).unwrap();
                Ok(())
            });
            scope_at.set(line!() + 1);
            let value = cancel_scope(async |scope| {
                cancelled_at.set(line!() + 1);
                scope.cancel_with("superseded");
                Ok(answer.await)
            });
            assert_eq!(value.await?, Some(Ok(())));
            Ok(())
        })
        .await
    });
    let [record] = &records[..] else { panic!("{records:?}") };
    let text = record.message();
    assert!(
        text.contains(&format!("scope opened at tests/stuck/stuck_tasks.rs:{}:", scope_at.get())),
        "{text}"
    );
    let why = format!("cancelled by tests/stuck/stuck_tasks.rs:{}:", cancelled_at.get());
    assert!(text.contains(&why) && text.contains("superseded"), "{text}");
    assert!(text.contains("seedbed::cancellable"), "{text}");
}

/// The task is named, and the innermost scope around what waits.
#[test]
fn a_cancelled_nursery_over_a_foreign_future() {
    let (task, inner, outer) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let error = failure(async {
        outer.set(line!() + 1);
        move_on_after(secs(1), async {
            inner.set(line!() + 1);
            nursery(async |n| {
                task.set(line!() + 1);
                n.spawn(pending::<Result<()>>());
                n.spawn(sleep_forever());
                Ok(())
            })
            .await
        })
        .await
    });
    assert_eq!(line(error.place()), inner.get());
    assert_eq!(error.tasks().map(|task| line(task)).collect::<Vec<_>>(), [task.get()]);
    assert_eq!(error.cancelled().map(|why| line(why.scope_place())), Some(outer.get()));
}

#[test]
fn clean_up_that_hangs_after_its_own_deadline() {
    let cleanup = Cell::new(0);
    let error = failure(cancel_scope(async |scope| {
        scope.cancel();
        cleanup.set(line!() + 1);
        let scope = CancelScope::new().with_shield().with_timeout(secs(2));
        scope.enter(async |_| pending::<Result<()>>().await).await
    }));
    assert_eq!(line(error.place()), cleanup.get());
}

/// A scope that was cancelled while it was parked.
#[test]
fn a_cancelled_scope_that_is_parked() {
    let parked_at = Cell::new(0);
    let error = failure(async {
        parked_at.set(line!() + 1);
        let mut parked = pin!(move_on_after(secs(1), sleep_forever()));
        assert!(poll_once(&mut parked).await.is_none());
        sleep(secs(2)).await
    });
    assert_eq!(line(error.place()), parked_at.get());
    assert!(error.cancelled().is_some());
}

// What is as it should be.

#[test]
fn ordinary_clean_up_is_not_stuck() {
    silent(async {
        let (sender, answer) = oneshot::channel::<()>();
        move_on_after(secs(1), async {
            nursery(async |n| {
                for i in 1..5 {
                    n.spawn(async move {
                        let outcome = sleep_forever().await;
                        shielded(sleep(secs(i))).await?;
                        outcome
                    });
                }
                n.spawn(async {
                    let outcome = cancellable(answer).await;
                    // Beside others, behind another library's wakers.
                    shielded(async {
                        for done in join_all((0..40).map(|i| sleep(secs(i)))).await {
                            done?;
                        }
                        Ok(())
                    })
                    .await?;
                    outcome.map(drop)
                });
                Ok(())
            })
            .await
        })
        .await?;
        drop(sender);
        Ok(())
    });
}

#[test]
fn a_graceful_stop_is_not_stuck() {
    silent(cancel_scope(async |scope| {
        nursery(async |n| {
            for i in 1..20 {
                n.spawn(finishing(async move {
                    sleep(secs(i)).await?;
                    idle(sleep_forever()).await
                }));
            }
            n.spawn(sleep_forever());
            sleep(secs(3)).await?;
            scope.cancel_gracefully(secs(10));
            Ok(())
        })
        .await
    }));
}

#[test]
fn combinators_that_poll_are_not_stuck() {
    silent(async {
        let nurseries = (0..40).map(|i| nursery(async move |n| n.spawn(sleep(secs(i))).await));
        for done in join_all(nurseries).await {
            done?;
        }
        // Each with a scope that is cancelled while it cleans up, at a time of its own.
        let scopes = (0..40).map(|i| {
            move_on_after(secs(i), async move {
                let outcome = sleep_forever().await;
                shielded(sleep(secs(100))).await?;
                outcome
            })
        });
        for done in join_all(scopes).await {
            done?;
        }
        Ok(())
    });
    // A loser that is dropped is said to have been dropped, and nothing else.
    let (_, records) = stuck(async {
        let lines = Cell::default();
        drop(select(pin!(sleep(secs(1))), Box::pin(work(&lines))).await);
        sleep(secs(5)).await
    });
    assert!(records.is_empty(), "{records:?}");
}

#[test]
fn generators_are_not_stuck() {
    silent(async {
        let slow = || {
            generator(async |y: Yielder<u64>| {
                for i in 0..3 {
                    nursery(async |n| n.spawn(sleep(secs(1))).await).await?;
                    y.yield_(i).await?;
                }
                Ok(())
            })
        };
        aclosing(slow(), async |items| {
            while let Some(i) = items.anext().await? {
                sleep(secs(i)).await?;
            }
            Ok(())
        })
        .await?;
        let producer = async |feed: &Feed<u64>| {
            fail_after(secs(60), async {
                for i in 0.. {
                    sleep(secs(1)).await?;
                    feed.yield_(i).await?;
                }
                Ok(())
            })
            .await
        };
        safe_channel(1, producer, async |items| {
            while items.recv().await? != Some(3) {
                sleep(secs(5)).await?;
            }
            Ok(())
        })
        .await
    });
}

/// `aclose` waits, even when it is cancelled, for the finalizer that closes the same generator.
#[test]
fn waiting_for_a_finalizer_is_not_stuck() {
    let log = Log::new();
    silent(async {
        let cleanup = log.clone();
        let inner = Rc::new(Mutex::new(generator(async move |y: Yielder<u64>| {
            let outcome = y.yield_(1).await;
            shielded(sleep(secs(5))).await?;
            cleanup.add("inner closed");
            outcome.map(drop)
        })));
        let (held, cleanup) = (inner.clone(), log.clone());
        let mut outer = generator(async move |y: Yielder<u64>| {
            held.lock().await.anext().await?;
            let outcome = y.yield_(1).await;
            held.lock().await.aclose().await?;
            cleanup.add("outer closed");
            outcome.map(drop)
        });
        outer.anext().await?;
        // Both are closed at the end: `inner` by the runtime, as `outer` has it, and `outer` in
        // the background.
        Ok(())
    });
    assert_eq!(log.take(), ["inner closed", "outer closed"]);
}

/// A nursery may be held open by something that is elsewhere.
#[test]
fn a_nursery_that_is_held_open_is_not_stuck() {
    silent(async {
        let held = RefCell::new(None);
        nursery(async |outer| {
            outer.spawn(nursery(async |n| {
                let start = n.handle().start(async |started: Started<()>| {
                    started.ready(());
                    Ok(())
                });
                *held.borrow_mut() = Some(start?);
                n.cancel();
                Ok(())
            }));
            sleep(secs(5)).await?;
            assert!(held.take().is_some());
            Ok(())
        })
        .await
    });
}
