//! D2 and D3: locks, notifications and the like, with a task that is cancelled at every possible
//! moment: nothing is lost, nothing is doubled, and nobody hangs.

use std::cell::{Cell, RefCell};

use futures::{SinkExt, Stream, StreamExt};
use seedbed::sync::{
    Barrier, Condition, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, conflated_channel,
    oneshot, unbounded_channel, watch,
};
use seedbed::testing::explore;
use seedbed::{CancelScope, Result, channel, checkpoint, nursery, thread_channel};

/// Two tasks do `work`, the first in a scope that a third one cancels. Returns whether the first
/// was cancelled.
async fn cancelling_one(work: impl AsyncFn(usize) -> Result<()>) -> Result<bool> {
    let scope = CancelScope::new();
    nursery(async |n| {
        n.spawn(scope.enter(async |_| work(0).await));
        n.spawn(work(1));
        n.spawn(async {
            checkpoint().await?;
            scope.cancel();
            Ok(())
        });
        Ok(())
    })
    .await?;
    Ok(scope.cancelled_caught())
}

/// The same with a third task that works.
async fn cancelling_one_of_three(work: impl AsyncFn(usize) -> Result<()>) -> Result<bool> {
    let scope = CancelScope::new();
    nursery(async |n| {
        n.spawn(scope.enter(async |_| work(0).await));
        n.spawn(work(1));
        n.spawn(work(2));
        n.spawn(async {
            scope.cancel();
            Ok(())
        });
        Ok(())
    })
    .await?;
    Ok(scope.cancelled_caught())
}

fn explored(program: impl AsyncFn() -> Result<()>) {
    let report = explore(program);
    assert!(report.is_complete(), "{report}");
}

#[test]
fn d02_a_mutex_is_unlocked_and_excludes() {
    explored(async || {
        let (mutex, inside, done) = (Mutex::new(0), Cell::new(0), Cell::new(0));
        let cancelled = cancelling_one(async |_| {
            let mut value = mutex.lock().await?;
            *value += 1;
            inside.set(inside.get() + 1);
            assert_eq!(inside.get(), 1);
            let outcome = checkpoint().await;
            inside.set(inside.get() - 1);
            done.set(done.get() + i32::from(outcome.is_ok()));
            outcome
        })
        .await?;
        let value = *mutex.try_lock().expect("it is unlocked");
        assert!(value >= done.get() && done.get() == 2 - i32::from(cancelled));
        Ok(())
    });
}

#[test]
fn d02_a_rwlock_is_given_up_and_excludes() {
    explored(async || {
        let (lock, readers) = (RwLock::new(0), Cell::new(0));
        let reads = async || {
            let value = lock.read().await?;
            readers.set(readers.get() + 1);
            let before = *value;
            let outcome = checkpoint().await;
            assert_eq!(*value, before);
            readers.set(readers.get() - 1);
            outcome
        };
        let writes = async || {
            let mut value = lock.write().await?;
            assert_eq!(readers.get(), 0);
            *value += 1;
            let outcome = checkpoint().await;
            assert_eq!(readers.get(), 0);
            outcome
        };
        // The writer is the one that is cancelled, so that a reader behind it has to go on.
        nursery(async |n| {
            n.spawn(reads());
            cancelling_one(async |task| if task == 0 { writes().await } else { reads().await })
                .await
                .map(drop)
        })
        .await?;
        assert!(lock.try_write().is_some(), "it is given up");
        Ok(())
    });
}

#[test]
fn d02_a_semaphore_has_all_its_permits_in_the_end() {
    explored(async || {
        let (semaphore, taken) = (Semaphore::new(2), Cell::new(0));
        cancelling_one(async |task| {
            let count = 2 - task;
            let permits = semaphore.acquire_many(count).await?;
            taken.set(taken.get() + count);
            assert!(taken.get() <= 2);
            let outcome = checkpoint().await;
            taken.set(taken.get() - count);
            drop(permits);
            outcome
        })
        .await?;
        assert_eq!(semaphore.available_permits(), 2);
        Ok(())
    });
}

/// Two tasks wait, one is notified. If it is cancelled before it has the lock, the other one goes
/// on instead.
#[test]
fn d02_a_condition_notifies_another_if_one_is_cancelled() {
    explored(async || {
        let (mutex, condition, scope) = (Mutex::new(0), Condition::new(), CancelScope::new());
        let takes = async || {
            let items = mutex.lock().await?;
            let mut items = condition.wait_while(items, |items| *items == 0).await?;
            *items -= 1;
            Ok(())
        };
        let puts = async || -> Result<()> {
            *mutex.lock().await? += 1;
            condition.notify_one();
            Ok(())
        };
        nursery(async |n| {
            let first = n.spawn(scope.enter(async |_| takes().await));
            let other = n.spawn(takes());
            puts().await?;
            scope.cancel();
            if first.await?.is_some() {
                puts().await?;
            }
            other.await
        })
        .await?;
        assert_eq!(*mutex.try_lock().expect("it is unlocked"), 0);
        Ok(())
    });
}

#[test]
fn d02_a_notification_is_taken_once() {
    explored(async || {
        let (notify, went_on) = (Notify::new(), Cell::new(0));
        let scope = CancelScope::new();
        nursery(async |n| {
            n.spawn(scope.enter(async |_| {
                notify.notified().await?;
                went_on.set(went_on.get() + 1);
                Ok(())
            }));
            n.spawn(async {
                scope.cancel();
                Ok(())
            });
            n.spawn(async {
                notify.notify_one();
                Ok(())
            });
            Ok(())
        })
        .await?;
        // If it was not taken, it is stored.
        let left = futures::FutureExt::now_or_never(async {
            let mut notified = notify.notified();
            // It may let others run first.
            for _ in 0..2 {
                if futures::poll!(&mut notified).is_ready() {
                    return true;
                }
            }
            false
        });
        assert_eq!(went_on.get() + i32::from(left == Some(true)), 1);
        Ok(())
    });
}

/// A barrier for two, and three tasks, one of which is cancelled: the other two meet. If it was not
/// cancelled in time, the one that is left over meets a fourth.
#[test]
fn d02_a_barrier_opens_for_those_who_are_there() {
    explored(async || {
        let (barrier, leaders, passed) = (Barrier::new(2), Cell::new(0), Cell::new(0));
        let scope = CancelScope::new();
        let meets = async || {
            let all = barrier.wait().await?;
            leaders.set(leaders.get() + i32::from(all.is_leader()));
            passed.set(passed.get() + 1);
            Ok(())
        };
        nursery(async |n| {
            let first = n.spawn(scope.enter(async |_| meets().await));
            n.spawn(meets());
            n.spawn(meets());
            n.spawn(async {
                scope.cancel();
                Ok(())
            });
            if first.await?.is_some() { meets().await } else { Ok(()) }
        })
        .await?;
        assert_eq!(passed.get(), if scope.cancelled_caught() { 2 } else { 4 });
        assert_eq!(leaders.get(), passed.get() / 2);
        Ok(())
    });
}

#[test]
fn d02_a_once_cell_is_made_by_the_next_if_one_is_cancelled() {
    explored(async || {
        let (cell, made) = (OnceCell::new(), RefCell::new(Vec::new()));
        let cancelled = cancelling_one(async |task| {
            let make = async || {
                checkpoint().await?;
                made.borrow_mut().push(task);
                Ok(task)
            };
            let value = *cell.get_or_init(make).await?;
            assert_eq!(*made.borrow(), [value], "it is made once");
            Ok(())
        })
        .await?;
        assert_eq!(cell.get().copied(), made.borrow().first().copied());
        assert!(!cancelled || cell.get().is_some());
        Ok(())
    });
}

#[test]
fn d02_one_message_is_received_given_back_or_dropped() {
    explored(async || {
        let (sender, receiver) = oneshot::channel();
        let (got, back) = (Cell::new(None), Cell::new(None));
        let scope = CancelScope::new();
        nursery(async |n| {
            n.spawn(async {
                checkpoint().await?;
                back.set(sender.send(7).err().map(seedbed::SendError::into_inner));
                Ok(())
            });
            n.spawn(scope.enter(async |_| {
                got.set(Some(receiver.await?));
                Ok(())
            }));
            n.spawn(async {
                scope.cancel();
                Ok(())
            });
            Ok(())
        })
        .await?;
        assert!(got.get().is_none() || back.get().is_none());
        assert!(got.get().is_some() != scope.cancelled_caught());
        Ok(())
    });
}

#[test]
fn d02_a_change_is_seen_by_each_receiver() {
    explored(async || {
        let (sender, receiver) = watch::channel(0);
        let (scope, seen) = (CancelScope::new(), Cell::new(0));
        let mut cut = receiver.clone();
        nursery(async |n| {
            let mut all = receiver.clone();
            n.spawn(async move {
                let mut last = 0;
                while let Some(()) = all.changed().await? {
                    let value = *all.borrow_and_update();
                    assert!(value > last);
                    last = value;
                }
                assert_eq!(last, 2, "the last value is seen before the end");
                Ok(())
            });
            n.spawn(scope.enter(async |_| {
                while let Some(()) = cut.changed().await? {
                    seen.set(*cut.borrow());
                }
                Ok(())
            }));
            sender.send(1)?;
            checkpoint().await?;
            scope.cancel();
            sender.send(2)?;
            drop(sender);
            Ok(())
        })
        .await?;
        assert_eq!(cut.has_changed(), seen.get() != 2, "a cancelled wait has not seen it");
        Ok(())
    });
}

/// Two receivers, one of which is cancelled and goes on afterwards, and a sender that waits for the
/// slower one: each gets each message.
#[test]
fn d02_a_broadcast_reaches_each_receiver_once() {
    explored(async || {
        let (sender, receiver) = broadcast::channel(1, broadcast::WhenFull::Wait);
        let (scope, mut all, mut cut) = (CancelScope::new(), receiver.clone(), receiver);
        let seen = RefCell::new(Vec::new());
        nursery(async |n| {
            n.spawn(async move {
                sender.send(1).await?;
                Ok(sender.send(2).await?)
            });
            n.spawn(async move {
                assert_eq!(all.recv().await?, Some(1));
                assert_eq!(all.recv().await?, Some(2));
                assert_eq!(all.recv().await?, None);
                Ok(())
            });
            n.spawn(async {
                scope.cancel();
                Ok(())
            });
            let received = scope.enter(async |_| {
                while let Some(message) = cut.recv().await? {
                    seen.borrow_mut().push(message);
                }
                Ok(())
            });
            received.await?;
            while let Some(message) = cut.recv().await? {
                seen.borrow_mut().push(message);
            }
            Ok(())
        })
        .await?;
        assert_eq!(seen.take(), [1, 2]);
        Ok(())
    });
}

// Three that contend, one of which is cancelled.

#[test]
fn d02_a_mutex_that_three_want() {
    explored(async || {
        let (mutex, done) = (Mutex::new(0), Cell::new(0));
        let cancelled = cancelling_one_of_three(async |_| {
            let mut value = mutex.lock().await?;
            *value += 1;
            let mine = *value;
            let outcome = checkpoint().await;
            assert_eq!(*value, mine, "nobody else has it");
            done.set(done.get() + i32::from(outcome.is_ok()));
            outcome
        })
        .await?;
        assert!(mutex.try_lock().is_some(), "it is unlocked");
        assert_eq!(done.get(), 3 - i32::from(cancelled));
        Ok(())
    });
}

/// A reader, a writer and a reader, in this order or another; the writer is cancelled.
#[test]
fn d02_a_rwlock_that_three_want() {
    explored(async || {
        let (lock, readers, writers) = (RwLock::new(0), Cell::new(0), Cell::new(0));
        cancelling_one_of_three(async |task| {
            if task == 0 {
                let mut value = lock.write().await?;
                assert_eq!((readers.get(), writers.replace(1)), (0, 0));
                *value += 1;
                let outcome = checkpoint().await;
                assert_eq!((readers.get(), writers.replace(0)), (0, 1));
                outcome
            } else {
                let value = lock.read().await?;
                readers.set(readers.get() + 1);
                let before = *value;
                let outcome = checkpoint().await;
                assert_eq!((*value, writers.get()), (before, 0));
                readers.set(readers.get() - 1);
                outcome
            }
        })
        .await?;
        assert!(lock.try_write().is_some(), "it is given up");
        Ok(())
    });
}

/// The first needs both permits, and is cancelled; the others may then go on.
#[test]
fn d02_a_semaphore_that_three_want() {
    explored(async || {
        let (semaphore, taken) = (Semaphore::new(2), Cell::new(0));
        cancelling_one_of_three(async |task| {
            let count = if task == 0 { 2 } else { 1 };
            let permits = semaphore.acquire_many(count).await?;
            taken.set(taken.get() + count);
            assert!(taken.get() <= 2);
            let outcome = checkpoint().await;
            taken.set(taken.get() - count);
            drop(permits);
            outcome
        })
        .await?;
        assert_eq!(semaphore.available_permits(), 2);
        Ok(())
    });
}

/// The same as with two, and whoever makes the value is the last that has to.
#[test]
fn d02_a_once_cell_that_three_want() {
    explored(async || {
        let (cell, made, begun) = (OnceCell::new(), Cell::new(0), Cell::new(0));
        let cancelled = cancelling_one_of_three(async |task| {
            let make = async || {
                assert_eq!(begun.replace(1), 0, "one at a time makes it");
                let outcome = checkpoint().await;
                begun.set(0);
                outcome?;
                made.set(made.get() + 1);
                Ok(task)
            };
            cell.get_or_init(make).await.map(drop)
        })
        .await?;
        assert_eq!(made.get(), 1, "it is made once");
        assert!(!cancelled || cell.get().is_some());
        Ok(())
    });
}

/// Whoever goes on notifies the next of three, one of which is cancelled: the others go on. One that
/// is cancelled after it was notified has gone on all the same, or another goes on instead.
#[test]
fn d02_a_notification_that_three_pass_on() {
    explored(async || {
        let (notify, went_on) = (Notify::new(), Cell::new(0));
        notify.notify_one();
        let cancelled = cancelling_one_of_three(async |_| {
            notify.notified().await?;
            went_on.set(went_on.get() + 1);
            notify.notify_one();
            Ok(())
        })
        .await?;
        assert_eq!(went_on.get(), 3 - i32::from(cancelled));
        Ok(())
    });
}

/// All that wait go on, and nobody who comes later.
#[test]
fn d02_a_notification_for_all_of_two() {
    explored(async || {
        let (notify, came, went_on) = (Notify::new(), Cell::new(0), Cell::new(0));
        let (scope, there) = (CancelScope::new(), Cell::new(0));
        let waits = async || {
            let notified = notify.notified();
            came.set(came.get() + 1);
            notified.await?;
            went_on.set(went_on.get() + 1);
            Ok(())
        };
        nursery(async |n| {
            n.spawn(scope.enter(async |_| {
                nursery(async |n| {
                    n.spawn(waits());
                    n.spawn(waits());
                    Ok(())
                })
                .await
            }));
            checkpoint().await?;
            notify.notify_waiters();
            there.set(came.get());
            checkpoint().await?;
            scope.cancel();
            Ok(())
        })
        .await?;
        assert!(went_on.get() <= there.get());
        assert_eq!(scope.cancelled_caught(), went_on.get() < 2);
        Ok(())
    });
}

/// Three wait for a change that two are told of one at a time, and the third with all others.
#[test]
fn d02_a_condition_that_three_wait_for() {
    explored(async || {
        let (mutex, condition, scope) = (Mutex::new(0), Condition::new(), CancelScope::new());
        let takes = async || {
            let items = mutex.lock().await?;
            let mut items = condition.wait_while(items, |items| *items == 0).await?;
            *items -= 1;
            Ok(())
        };
        nursery(async |n| {
            let cut = n.spawn(scope.enter(async |_| takes().await));
            n.spawn(takes());
            n.spawn(takes());
            *mutex.lock().await? += 1;
            condition.notify_one();
            scope.cancel();
            let taken = cut.await?.is_some();
            *mutex.lock().await? += 1 + usize::from(taken);
            condition.notify_all();
            Ok(())
        })
        .await?;
        assert_eq!(*mutex.try_lock().expect("it is unlocked"), 0);
        Ok(())
    });
}

// Channels.

/// One that sends with a permit and is cancelled, and one that sends without: every message that
/// was sent is received, and the end comes after it.
#[test]
fn d03_what_is_reserved_is_used_or_free_again() {
    for capacity in [0, 1] {
        explored(async || {
            let (sender, receiver) = channel(capacity);
            let (sent, got) = (Cell::new(0), Cell::new(0));
            let scope = CancelScope::new();
            nursery(async |n| {
                let other = sender.clone();
                n.spawn(scope.enter(async |_| {
                    let sender = sender;
                    let permit = sender.reserve().await?;
                    checkpoint().await?;
                    permit.send(1)?;
                    sent.set(sent.get() + 1);
                    Ok(())
                }));
                n.spawn(async {
                    let sender = other;
                    sender.send(2).await?;
                    sent.set(sent.get() + 1);
                    Ok(())
                });
                n.spawn(async {
                    scope.cancel();
                    Ok(())
                });
                while receiver.recv().await?.is_some() {
                    got.set(got.get() + 1);
                }
                Ok(())
            })
            .await?;
            assert_eq!(got.get(), sent.get());
            assert_eq!(sent.get(), 2 - i32::from(scope.cancelled_caught()));
            Ok(())
        });
    }
}

/// A stream that is cancelled, one that is not, and what comes after: every message is an item once,
/// and the end comes after one `Cancelled`.
#[test]
fn d03_streams_lose_nothing_to_a_cancellation() {
    let all = async |stream: &mut (dyn Stream<Item = Result<i32>> + Unpin), into: &mut Vec<i32>| {
        while let Some(item) = stream.next().await {
            match item {
                Ok(item) => into.push(item),
                Err(error) => {
                    assert!(error.is_cancelled() && stream.next().await.is_none());
                    return Err(error);
                }
            }
        }
        Ok(())
    };
    explored(async || {
        let (sender, mut receiver) = broadcast::channel(1, broadcast::WhenFull::Wait);
        let (scope, mut got) = (CancelScope::new(), Vec::new());
        nursery(async |n| {
            n.spawn(async {
                scope.enter(async |_| all(&mut receiver, &mut got).await).await?;
                while let Some(message) = receiver.recv().await? {
                    got.push(message);
                }
                Ok(())
            });
            n.spawn(async {
                scope.cancel();
                Ok(())
            });
            sender.send(1).await?;
            sender.send(2).await?;
            drop(sender);
            Ok(())
        })
        .await?;
        assert_eq!(got, [1, 2]);
        Ok(())
    });
    explored(async || {
        let (sender, mut receiver) = watch::channel(0);
        let (scope, mut got) = (CancelScope::new(), Vec::new());
        nursery(async |n| {
            n.spawn(async {
                scope.enter(async |_| all(&mut receiver, &mut got).await).await?;
                while receiver.changed().await?.is_some() {
                    got.push(*receiver.borrow());
                }
                Ok(())
            });
            n.spawn(async {
                scope.cancel();
                Ok(())
            });
            checkpoint().await?;
            sender.send(1)?;
            drop(sender);
            Ok(())
        })
        .await?;
        assert_eq!(got, [1]);
        Ok(())
    });
    for capacity in [0, 1] {
        explored(async || {
            let (sender, receiver) = thread_channel(capacity);
            let (scope, mut got) = (CancelScope::new(), Vec::new());
            nursery(async |n| {
                n.spawn(async {
                    let mut stream = receiver.clone().into_stream();
                    scope.enter(async |_| all(&mut stream, &mut got).await).await?;
                    drop(stream);
                    all(&mut receiver.into_stream(), &mut got).await
                });
                n.spawn(async {
                    scope.cancel();
                    Ok(())
                });
                let mut sink = sender.into_sink();
                sink.send(1).await?;
                sink.send(2).await
            })
            .await?;
            assert_eq!(got, [1, 2]);
            Ok(())
        });
    }
}

/// A sink that is cancelled between two senders: what was accepted is received, what was refused is
/// not, and the end comes.
#[test]
fn d03_a_sink_for_threads_loses_nothing_and_doubles_nothing() {
    for capacity in [0, 1] {
        explored(async || {
            let (sender, receiver) = thread_channel(capacity);
            let (sent, got) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
            let scope = CancelScope::new();
            nursery(async |n| {
                let (mut first, mut second) = (sender.clone().into_sink(), sender.into_sink());
                n.spawn(async {
                    let scoped = scope.enter(async |_| {
                        first.send(1).await?;
                        sent.borrow_mut().push(1);
                        Ok(())
                    });
                    scoped.await?;
                    drop(first);
                    Ok(())
                });
                n.spawn(async {
                    scope.cancel();
                    Ok(())
                });
                n.spawn(async {
                    let mut messages = receiver.into_stream();
                    while let Some(message) = messages.next().await {
                        got.borrow_mut().push(message?);
                    }
                    Ok(())
                });
                second.send(2).await?;
                sent.borrow_mut().push(2);
                drop(second);
                Ok(())
            })
            .await?;
            let (mut sent, mut got) = (sent.take(), got.take());
            sent.sort();
            got.sort();
            assert_eq!(got, sent);
            assert_eq!(sent.len(), 2 - usize::from(scope.cancelled_caught()));
            Ok(())
        });
    }
}

/// Two receivers, one of which is cancelled and receives again afterwards.
#[test]
fn d02_an_unbounded_channel_loses_no_message() {
    explored(async || {
        let (sender, receiver) = unbounded_channel();
        let (scope, got) = (CancelScope::new(), RefCell::new(Vec::new()));
        let receives = async || {
            while let Some(message) = receiver.recv().await? {
                got.borrow_mut().push(message);
            }
            Ok(())
        };
        nursery(async |n| {
            n.spawn(async {
                scope.enter(async |_| receives().await).await?;
                receives().await
            });
            n.spawn(receives());
            n.spawn(async {
                scope.cancel();
                Ok(())
            });
            sender.try_send(1).expect("there is room");
            sender.try_send(2).expect("there is room");
            drop(sender);
            Ok(())
        })
        .await?;
        let mut got = got.take();
        got.sort();
        assert_eq!(got, [1, 2]);
        Ok(())
    });
}

/// The latest message is always received; what is received before it is older.
#[test]
fn d02_a_conflated_channel_does_not_lose_the_latest() {
    explored(async || {
        let (sender, receiver) = conflated_channel();
        let (scope, got) = (CancelScope::new(), RefCell::new(Vec::new()));
        let receives = async || {
            while let Some(message) = receiver.recv().await? {
                got.borrow_mut().push(message);
            }
            Ok(())
        };
        nursery(async |n| {
            n.spawn(async {
                scope.enter(async |_| receives().await).await?;
                receives().await
            });
            n.spawn(async {
                scope.cancel();
                Ok(())
            });
            sender.send(1).await?;
            sender.send(2).await?;
            drop(sender);
            Ok(())
        })
        .await?;
        let got = got.take();
        assert!(got == [1, 2] || got == [2], "{got:?}");
        Ok(())
    });
}

/// Between tasks, the channel for threads is like any other: one that sends and one that receives.
#[test]
fn d02_a_channel_for_threads_between_two() {
    for capacity in [0, 1] {
        explored(async || {
            let (sender, receiver) = thread_channel(capacity);
            let (scope, back) = (CancelScope::new(), Cell::new(0));
            let got = Cell::new(0);
            nursery(async |n| {
                n.spawn(async {
                    let sent = scope.enter(async |_| {
                        let sent = sender.send(1).await;
                        back.set(sent.as_ref().map_or(1, |()| 0));
                        Ok(sent?)
                    });
                    sent.await.map(drop)?;
                    drop(sender);
                    Ok(())
                });
                n.spawn(async {
                    scope.cancel();
                    Ok(())
                });
                while receiver.recv().await?.is_some() {
                    got.set(got.get() + 1);
                }
                Ok(())
            })
            .await?;
            assert_eq!(got.get() + back.get(), 1, "it is received or comes back");
            Ok(())
        });
    }
}

/// One that sends and two that receive, one of which is cancelled and receives again afterwards.
#[test]
fn d02_a_channel_for_threads_between_three() {
    for capacity in [0, 1] {
        explored(async || {
            let (sender, receiver) = thread_channel(capacity);
            let (scope, got) = (CancelScope::new(), RefCell::new(Vec::new()));
            let receives = async || {
                while let Some(message) = receiver.recv().await? {
                    got.borrow_mut().push(message);
                }
                Ok(())
            };
            nursery(async |n| {
                n.spawn(async {
                    scope.enter(async |_| receives().await).await?;
                    receives().await
                });
                n.spawn(receives());
                n.spawn(async {
                    scope.cancel();
                    Ok(())
                });
                sender.send(1).await?;
                sender.send(2).await?;
                drop(sender);
                Ok(())
            })
            .await?;
            let mut got = got.take();
            got.sort();
            assert_eq!(got, [1, 2]);
            Ok(())
        });
    }
}
