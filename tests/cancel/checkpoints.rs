//! C2 and C10: every operation is a checkpoint, and has either happened or been cancelled.

use std::cell::Cell;
use std::future::{pending, ready};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::once;
use seedbed::fd::AsyncFd;
use seedbed::net::{UdpSocket, UnixDatagram};
use seedbed::sync::{
    Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, oneshot, watch,
};
use seedbed::{
    CancelScope, CapacityLimiter, Error, Event, Result, cancel_scope, cancellable,
    cancellable_stream, channel, checkpoint, fail_after, finishing, interval, move_on_after, now,
    nursery, pipe, sleep, sleep_forever, sleep_until, thread_channel, yield_now,
};

use crate::support::{builder, is_cancelled, run, secs};

// C2 · Every operation is a checkpoint.

/// How often a sibling that is always ready runs while `op` is done that many times.
fn turns_of_others(budget: u32, times: usize, op: impl AsyncFn() -> Result<()>) -> usize {
    let turns = Cell::new(0);
    let during = Cell::new(0);
    builder()
        .budget(budget)
        .run(async {
            nursery(async |n| {
                drop(n.spawn(async {
                    loop {
                        turns.set(turns.get() + 1);
                        yield_now().await?;
                    }
                    #[expect(unreachable_code)]
                    Ok(())
                }));
                yield_now().await?;
                let before = turns.get();
                for _ in 0..times {
                    op().await?;
                }
                during.set(turns.get() - before);
                n.cancel();
                Ok(())
            })
            .await
        })
        .unwrap();
    during.get()
}

/// One round of the siblings for each `budget` operations, exactly, whatever the operation.
fn is_a_checkpoint(name: &str, op: impl AsyncFn() -> Result<()>) {
    assert_eq!(turns_of_others(1, 12, &op), 12, "{name} with a budget of 1");
    assert_eq!(turns_of_others(4, 12, &op), 3, "{name} with a budget of 4");
    assert_eq!(turns_of_others(20, 12, &op), 0, "{name} with a budget of 20");
}

/// The same with something before it that counts as one, and lets nobody run.
fn is_a_checkpoint_after(name: &str, op: impl AsyncFn() -> Result<()>) {
    assert_eq!(turns_of_others(2, 12, &op), 12, "{name} with a budget of 2");
    assert_eq!(turns_of_others(8, 12, &op), 3, "{name} with a budget of 8");
    assert_eq!(turns_of_others(40, 12, &op), 0, "{name} with a budget of 40");
}

fn is_no_checkpoint(name: &str, op: impl AsyncFn() -> Result<()>) {
    assert_eq!(turns_of_others(1, 12, &op), 0, "{name}");
}

/// Trio: "if you call an async function provided by Trio, it always acts as a checkpoint", even
/// if it could go on at once. Here that is every `budget` operations.
#[test]
fn c02_every_operation_counts_also_when_it_could_finish_at_once() {
    is_a_checkpoint("checkpoint", async || checkpoint().await);
    is_a_checkpoint("sleep(0)", async || sleep(Duration::ZERO).await);
    is_a_checkpoint("sleep_until(now)", async || sleep_until(now()).await);
    let set = Event::new();
    set.set();
    is_a_checkpoint("Event::wait", async || set.wait().await);
    let (sender, receiver) = channel(1000);
    is_a_checkpoint("send", async || Ok(sender.send(1).await?));
    is_a_checkpoint("recv", async || receiver.recv().await.map(drop));
    is_a_checkpoint("reserve", async || sender.reserve().await.map(drop));
    let (sender, receiver) = thread_channel(1000);
    is_a_checkpoint("thread send", async || Ok(sender.send(1).await?));
    is_a_checkpoint("thread recv", async || receiver.recv().await.map(drop));
    is_a_checkpoint("cancellable", async || cancellable(ready(())).await);
    is_a_checkpoint("cancellable_stream", async || {
        cancellable_stream(once(ready(Ok::<_, Error>(())))).next().await.transpose().map(drop)
    });
    let (mutex, lock, semaphore) = (Mutex::new(()), RwLock::new(()), Semaphore::new(3));
    is_a_checkpoint("Mutex::lock", async || mutex.lock().await.map(drop));
    is_a_checkpoint("RwLock::read", async || lock.read().await.map(drop));
    is_a_checkpoint("RwLock::write", async || lock.write().await.map(drop));
    is_a_checkpoint("Semaphore::acquire", async || semaphore.acquire_many(3).await.map(drop));
    let (barrier, cell) = (Barrier::new(1), OnceCell::from(1));
    is_a_checkpoint("Barrier::wait", async || barrier.wait().await.map(drop));
    is_a_checkpoint("OnceCell", async || cell.get_or_init(async || Ok(2)).await.map(drop));
    let (notify, limiter) = (Notify::new(), CapacityLimiter::new(1));
    is_a_checkpoint("CapacityLimiter::acquire", async || limiter.acquire().await.map(drop));
    is_a_checkpoint_after("Notify::notified", async || {
        notify.notify_one();
        notify.notified().await
    });
    is_a_checkpoint_after("oneshot::Receiver", async || {
        let (sender, receiver) = oneshot::channel();
        sender.send(()).unwrap();
        receiver.await
    });
    is_a_checkpoint("oneshot::Sender::closed", async || {
        let (mut sender, receiver) = oneshot::channel::<()>();
        drop(receiver);
        sender.closed().await
    });
    let (sender, receiver) = broadcast::channel(100, broadcast::WhenFull::Wait);
    is_a_checkpoint("broadcast send", async || Ok(sender.send(1).await?));
    is_a_checkpoint("broadcast recv", async || {
        let mut receiver = receiver.clone();
        receiver.recv().await.map(drop)
    });
    let (sender, _) = watch::channel(());
    is_a_checkpoint("watch::Sender::closed", async || sender.closed().await);
    let (_sender, seen) = watch::channel(());
    is_a_checkpoint("watch::Receiver::wait_for", async || {
        seen.clone().wait_for(|()| true).await.map(drop)
    });
    is_a_checkpoint("watch::Receiver::changed", async || {
        let mut receiver = seen.clone();
        receiver.mark_changed();
        receiver.changed().await.map(drop)
    });
    assert_eq!(turns_of_others(100, 12, async || yield_now().await), 12, "yield_now");
    is_a_checkpoint("tick", async || interval(secs(1)).tick().await.map(drop));
}

/// One that is ready is not waited for, and counts all the same.
#[test]
fn c02_operations_on_descriptors_that_are_ready_count() {
    let take = |from: BorrowedFd<'_>| assert_eq!(rustix::io::read(from, &mut [0; 8]).unwrap(), 1);
    let put = |to: BorrowedFd<'_>| assert_eq!(rustix::io::write(to, b"x").unwrap(), 1);
    let udp = UdpSocket::v4().unwrap();
    udp.bind_to("127.0.0.1:0").unwrap();
    let itself = udp.local_addr().unwrap();
    is_a_checkpoint("UdpSocket::send_to", async || {
        udp.send_to(b"x", itself).await?;
        take(udp.as_fd());
        Ok(())
    });
    is_a_checkpoint("UdpSocket::writable", async || udp.writable().await);
    let (one, other) = UnixDatagram::pair().unwrap();
    is_a_checkpoint("UnixDatagram::send", async || {
        one.send(b"x").await?;
        take(other.as_fd());
        Ok(())
    });
    is_a_checkpoint("UnixDatagram::send_with_descriptors", async || {
        one.send_with_descriptors(b"x", &[one.as_fd()]).await?;
        take(other.as_fd());
        Ok(())
    });
    is_a_checkpoint("UnixDatagram::recv", async || {
        put(one.as_fd());
        other.recv(&mut [0; 8]).await.map(drop)
    });
    is_a_checkpoint("UnixDatagram::recv_with_descriptors", async || {
        put(one.as_fd());
        other.recv_with_descriptors(&mut [0; 8]).await.map(drop)
    });
    put(one.as_fd());
    is_a_checkpoint("UnixDatagram::peek", async || other.peek(&mut [0; 8]).await.map(drop));
    is_a_checkpoint("UnixDatagram::readable", async || other.readable().await);
    let (sender, receiver) = pipe::pipe().unwrap();
    is_a_checkpoint("pipe write", async || {
        sender.write(b"x").await?;
        take(receiver.as_fd());
        Ok(())
    });
    is_a_checkpoint("pipe write_all of nothing", async || sender.write_all(b"").await);
    is_a_checkpoint("pipe read", async || {
        put(sender.as_fd());
        receiver.read(&mut [0; 8]).await.map(drop)
    });
    put(sender.as_fd());
    is_a_checkpoint("pipe readable", async || receiver.readable().await);
    let any = AsyncFd::new(&receiver).unwrap();
    is_a_checkpoint("AsyncFd::readable", async || any.readable().await);
    is_a_checkpoint("AsyncFd::read_with", async || any.read_with(|_| Ok(())).await);
    is_a_checkpoint("AsyncFd::read", async || {
        put(sender.as_fd());
        any.read(&mut [0; 1]).await.map(drop)
    });
}

/// The same for one that gets nothing: a loop that ignores what it is told must not spin.
#[test]
fn c02_operations_on_closed_channels_count() {
    let (sender, receiver) = channel(1);
    receiver.close();
    is_a_checkpoint("send", async || {
        assert!(!sender.send(1).await.unwrap_err().error().is_cancelled());
        Ok(())
    });
    is_a_checkpoint("recv", async || {
        assert_eq!(receiver.recv().await?, None);
        Ok(())
    });
    is_a_checkpoint("reserve", async || {
        assert!(!sender.reserve().await.unwrap_err().is_cancelled());
        Ok(())
    });
    let (sender, receiver) = thread_channel(1);
    receiver.close();
    is_a_checkpoint("thread send", async || {
        assert!(!sender.send(1).await.unwrap_err().error().is_cancelled());
        Ok(())
    });
    is_a_checkpoint("thread recv", async || {
        assert_eq!(receiver.recv().await?, None);
        Ok(())
    });
    is_a_checkpoint("oneshot", async || {
        let (_, receiver) = oneshot::channel::<()>();
        assert!(!receiver.await.unwrap_err().is_cancelled());
        Ok(())
    });
    let (_, ended) = watch::channel(());
    is_a_checkpoint("watch", async || {
        assert_eq!(ended.clone().changed().await?, None);
        Ok(())
    });
    let (_, ended) = broadcast::channel::<()>(1, broadcast::WhenFull::Wait);
    is_a_checkpoint("broadcast", async || {
        assert_eq!(ended.clone().recv().await?, None);
        Ok(())
    });
    let closed = Semaphore::new(1);
    closed.close();
    is_a_checkpoint("semaphore", async || {
        assert!(!closed.acquire().await.unwrap_err().is_cancelled());
        Ok(())
    });
}

#[test]
fn c02_joining_a_task_that_has_ended_counts() {
    for (budget, expected) in [(1, 12), (4, 3), (20, 0)] {
        let turns = Cell::new(0);
        builder()
            .budget(budget)
            .run(async {
                nursery(async |n| {
                    let ended: Vec<_> = (0..12).map(|_| n.spawn(async { Ok(()) })).collect();
                    drop(n.spawn(async {
                        loop {
                            turns.set(turns.get() + 1);
                            yield_now().await?;
                        }
                        #[expect(unreachable_code)]
                        Ok(())
                    }));
                    yield_now().await?;
                    let before = turns.get();
                    for task in ended {
                        assert!(task.is_finished());
                        task.await?;
                    }
                    assert_eq!(turns.get() - before, expected, "budget {budget}");
                    n.cancel();
                    Ok(())
                })
                .await
            })
            .unwrap();
    }
}

/// What fails counts as well, or a loop that ignores a cancellation would be the last
/// thing that runs.
#[test]
fn c02_failing_operations_count() {
    fn in_cancelled(name: &str, op: impl AsyncFn() -> Result<()>) {
        let turns = Cell::new(0);
        builder()
            .budget(1)
            .run(async {
                nursery(async |n| {
                    drop(n.spawn(async {
                        loop {
                            turns.set(turns.get() + 1);
                            yield_now().await?;
                        }
                        #[expect(unreachable_code)]
                        Ok(())
                    }));
                    yield_now().await?;
                    let before = turns.get();
                    cancel_scope(async |scope| {
                        scope.cancel();
                        for _ in 0..5 {
                            assert!(is_cancelled(&op().await), "{name}");
                        }
                        Ok(())
                    })
                    .await?;
                    assert!(turns.get() - before >= 5, "{name}: {} turns", turns.get() - before);
                    n.cancel();
                    Ok(())
                })
                .await
            })
            .unwrap();
    }
    in_cancelled("checkpoint", async || checkpoint().await);
    in_cancelled("yield_now", async || yield_now().await);
    in_cancelled("sleep", async || sleep(secs(1)).await);
    in_cancelled("sleep_forever", async || sleep_forever().await);
    let event = Event::new();
    in_cancelled("event", async || event.wait().await);
    let (sender, receiver) = channel(0);
    in_cancelled("send", async || Ok(sender.send(1).await?));
    in_cancelled("recv", async || receiver.recv().await.map(drop));
    in_cancelled("cancellable", async || cancellable(pending()).await);
    in_cancelled("cancellable_stream", async || {
        cancellable_stream(once(pending::<Result<()>>())).next().await.transpose().map(drop)
    });
}

#[test]
fn c02_joining_in_a_cancelled_scope_counts() {
    builder()
        .budget(1)
        .run(async {
            let turns = Cell::new(0);
            nursery(async |n| {
                let mut task = n.spawn(async {
                    loop {
                        turns.set(turns.get() + 1);
                        yield_now().await?;
                    }
                    #[expect(unreachable_code)]
                    Ok(())
                });
                yield_now().await?;
                let before = turns.get();
                cancel_scope(async |scope| {
                    scope.cancel();
                    for _ in 0..5 {
                        assert!(is_cancelled(&(&mut task).await));
                    }
                    Ok(())
                })
                .await?;
                assert!(turns.get() - before >= 5, "{} turns", turns.get() - before);
                n.cancel();
                Ok(())
            })
            .await
        })
        .unwrap();
}

#[test]
fn c02_what_is_not_a_checkpoint() {
    is_no_checkpoint("scope", async || cancel_scope(async |_| Ok(())).await.map(drop));
    is_no_checkpoint("timeout", async || fail_after(secs(1), async { Ok(()) }).await);
    is_no_checkpoint("finishing", async || finishing(async { Ok(()) }).await);
    is_no_checkpoint("cancel", async || {
        CancelScope::new().cancel();
        Ok(())
    });
    let (sender, receiver) = channel(1);
    is_no_checkpoint("try_send, try_recv", async || {
        sender.try_send(1).unwrap();
        receiver.try_recv().unwrap();
        Ok(())
    });
    let event = Event::new();
    is_no_checkpoint("Event::set", async || {
        event.set();
        Ok(())
    });
}

/// None of these looks for cancellation: they give their value in a cancelled scope.
#[test]
fn c02_leaving_a_nursery_and_the_return_of_start_do_not_look_for_cancellation() {
    run(async {
        let never = Event::new();
        let value = cancel_scope(async |scope| {
            scope.cancel();
            assert_eq!(nursery(async |_| Ok(1)).await?, 1);
            assert_eq!(cancel_scope(async |_| Ok(2)).await?, Some(2));
            assert_eq!(move_on_after(secs(0), async { Ok(3) }).await?, Some(3));
            Ok(())
        });
        assert_eq!(value.await?, Some(()));

        // The nursery's children have ended when the cancellation comes.
        let value = cancel_scope(async |scope| {
            nursery(async |n| {
                drop(n.spawn(async {
                    scope.cancel();
                    Ok(())
                }));
                Ok(4)
            })
            .await
        });
        assert_eq!(value.await?, Some(4));

        // `start` returns although its caller was cancelled just now.
        let scope = CancelScope::new();
        let value = nursery(async |n| {
            let value = scope
                .enter(async |_| {
                    n.start(async |started| {
                        started.ready(5);
                        scope.cancel();
                        never.wait().await
                    })
                    .await
                })
                .await?;
            n.cancel();
            Ok(value)
        });
        assert_eq!(value.await?, Some(5));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c02_a_spent_budget_lets_a_cancellation_in() {
    builder()
        .budget(10)
        .run(async {
            let ended = cancel_scope(async |scope| {
                nursery(async |n| {
                    drop(n.spawn(async {
                        scope.cancel();
                        Ok(())
                    }));
                    for _ in 0..9 {
                        checkpoint().await?;
                    }
                    assert!(!scope.cancel_called());
                    assert!(is_cancelled(&checkpoint().await));
                    Ok(())
                })
                .await
            });
            assert_eq!(ended.await?, Some(()));
            Ok(())
        })
        .unwrap();
}

// C10 for scopes: an operation either happened or raised. Channels are in `tests/sync`.

/// Trio's abort functions: what was rescheduled with a value is no longer cancelled.
#[test]
fn c10_what_happened_before_the_cancellation_has_happened() {
    run(async {
        let event = Event::new();
        let scope = CancelScope::new();
        let value = nursery(async |n| {
            let task = n.spawn(scope.enter(async |_| {
                event.wait().await?;
                Ok(1)
            }));
            yield_now().await?;
            event.set();
            scope.cancel(); // in the same instant, but later
            task.await
        });
        assert_eq!(value.await?, Some(1));
        assert!(scope.cancel_called() && !scope.cancelled_caught());

        let event = Event::new();
        let scope = CancelScope::new();
        let value = nursery(async |n| {
            let task = n.spawn(scope.enter(async |_| {
                event.wait().await?;
                Ok(1)
            }));
            yield_now().await?;
            scope.cancel(); // in the same instant, but earlier
            event.set();
            task.await
        });
        assert_eq!(value.await?, None);
        Ok(())
    })
    .unwrap();
}
