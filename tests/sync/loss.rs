//! C10: no message is lost or doubled.

use std::cell::{Cell, RefCell};
use std::pin::pin;

use futures::poll;
use seedbed::{
    CancelScope, TryRecvError, cancel_scope, channel, checkpoint, move_on_after, nursery, sleep,
    yield_now,
};

use crate::support::{builder, run, secs};

/// The four orders of being served and being cancelled, in one instant.
#[test]
fn c10_a_receive_that_was_served_has_happened_and_one_that_was_cancelled_has_not() {
    for capacity in [0, 3] {
        for served_first in [true, false] {
            run(async {
                let (sender, receiver) = channel(capacity);
                let scope = CancelScope::new();
                let got = nursery(async |n| {
                    let task = n.spawn(scope.enter(async |_| receiver.recv().await));
                    yield_now().await?;
                    if served_first {
                        sender.try_send(1).unwrap();
                        scope.cancel();
                    } else {
                        scope.cancel();
                        // There is nobody to take it any more.
                        assert_eq!(sender.try_send(1).is_ok(), capacity > 0);
                    }
                    task.await
                })
                .await?;
                if served_first {
                    assert_eq!(got, Some(Some(1)));
                    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
                } else {
                    assert_eq!(got, None);
                    let left = receiver.try_recv();
                    assert_eq!(left.is_ok(), capacity > 0, "{left:?}");
                }
                assert_eq!(scope.cancelled_caught(), !served_first);
                Ok(())
            })
            .unwrap();
        }
    }
}

#[test]
fn c10_a_send_that_was_taken_has_happened_and_one_that_was_cancelled_has_not() {
    for capacity in [0, 1] {
        for served_first in [true, false] {
            run(async {
                let (sender, receiver) = channel(capacity);
                for i in 0..capacity {
                    sender.try_send(i).unwrap();
                }
                let scope = CancelScope::new();
                let outcome = RefCell::new(None);
                let first = nursery(async |n| {
                    let task = n.spawn(scope.enter(async |_| {
                        *outcome.borrow_mut() = Some(sender.send(100).await);
                        Ok(())
                    }));
                    yield_now().await?;
                    let first = if served_first {
                        let first = receiver.try_recv();
                        scope.cancel();
                        first
                    } else {
                        scope.cancel();
                        receiver.try_recv()
                    };
                    task.await?;
                    Ok(first)
                })
                .await?;
                let outcome = outcome.take().unwrap();
                let rest: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
                let mut all: Vec<_> = first.into_iter().chain(rest).collect();
                if served_first {
                    assert!(outcome.is_ok());
                    assert_eq!(all.pop(), Some(100));
                } else {
                    let error = outcome.unwrap_err();
                    assert!(error.error().is_cancelled());
                    assert_eq!(error.into_inner(), 100);
                }
                assert_eq!(all, (0..capacity).collect::<Vec<_>>());
                Ok(())
            })
            .unwrap();
        }
    }
}

/// A waiter that is cancelled is passed over, and the next one in the queue is served.
#[test]
fn c10_the_next_in_line_gets_what_a_cancelled_one_does_not() {
    run(async {
        let (sender, receiver) = channel(0);
        let scope = CancelScope::new();
        nursery(async |n| {
            let first = n.spawn(scope.enter(async |_| receiver.recv().await));
            let second = n.spawn(receiver.recv());
            yield_now().await?;
            scope.cancel();
            sender.try_send(1).unwrap();
            assert_eq!(first.await?, None);
            assert_eq!(second.await?, Some(1));
            Ok(())
        })
        .await?;

        let scope = CancelScope::new();
        let given_back = Cell::new(0);
        nursery(async |n| {
            let first = n.spawn(scope.enter(async |_| {
                let error = sender.send(1).await.unwrap_err();
                given_back.set(error.into_inner());
                checkpoint().await
            }));
            let second = n.spawn(async { Ok(sender.send(2).await?) });
            yield_now().await?;
            scope.cancel();
            assert_eq!(receiver.try_recv(), Ok(2));
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
            assert_eq!(first.await?, None);
            second.await
        })
        .await?;
        assert_eq!(given_back.get(), 1);
        Ok(())
    })
    .unwrap();
}

/// `select!` drops the branch that loses, be it served or not.
#[test]
fn c10_a_receive_that_is_dropped_when_it_was_served_puts_the_message_back() {
    run(async {
        // In the queue of a rendezvous, and of a channel with room.
        for capacity in [0, 2] {
            let (sender, receiver) = channel(capacity);
            {
                let mut recv = pin!(receiver.recv());
                assert!(poll!(&mut recv).is_pending());
                sender.try_send(1).unwrap();
            }
            assert_eq!(receiver.recv().await?, Some(1), "capacity {capacity}");
            // To another one that waits.
            let mut first = Box::pin(receiver.recv());
            let mut second = pin!(receiver.recv());
            assert!(poll!(&mut first).is_pending());
            assert!(poll!(&mut second).is_pending());
            sender.try_send(2).unwrap();
            assert!(poll!(&mut second).is_pending());
            drop(first);
            assert_eq!(second.await?, Some(2), "capacity {capacity}");
            // Before what came later.
            if capacity > 0 {
                let mut first = Box::pin(receiver.recv());
                assert!(poll!(&mut first).is_pending());
                sender.try_send(3).unwrap();
                sender.try_send(4).unwrap();
                drop(first);
                assert_eq!(receiver.recv().await?, Some(3));
                assert_eq!(receiver.recv().await?, Some(4));
            }
            // After the channel was closed, too.
            {
                let mut recv = pin!(receiver.recv());
                assert!(poll!(&mut recv).is_pending());
                sender.try_send(5).unwrap();
                sender.close();
            }
            assert_eq!(receiver.recv().await?, Some(5));
            assert_eq!(receiver.recv().await?, None);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn c10_messages_put_back_keep_their_order_whatever_order_they_are_put_back_in() {
    run(async {
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1]] {
            let (sender, receiver) = channel(1);
            let mut recvs: Vec<_> = (0..3).map(|_| Some(Box::pin(receiver.recv()))).collect();
            for recv in recvs.iter_mut().flatten() {
                assert!(poll!(recv).is_pending());
            }
            for i in 0..4 {
                sender.try_send(i).unwrap(); // three are handed over, and one waits
            }
            for i in order {
                recvs[i] = None;
            }
            for i in 0..4 {
                assert_eq!(receiver.try_recv(), Ok(i), "dropped in the order {order:?}");
            }
        }
        Ok(())
    })
    .unwrap();
}

/// What was put back takes up room: a rendezvous stays one.
#[test]
fn c10_what_is_put_back_does_not_let_others_in() {
    run(async {
        for capacity in [0, 2] {
            let (sender, receiver) = channel(capacity);
            let mut recv = Box::pin(receiver.recv());
            assert!(poll!(&mut recv).is_pending());
            sender.try_send(0).unwrap();
            for i in 0..capacity {
                sender.try_send(i + 1).unwrap();
            }
            let mut send = pin!(sender.send(10));
            assert!(poll!(&mut send).is_pending());
            drop(recv);
            for i in 0..capacity + 1 {
                // There are `capacity + 1` in it, and so no room until one more has gone.
                assert_eq!(receiver.try_recv(), Ok(i));
                if i == 0 {
                    assert!(poll!(&mut send).is_pending(), "capacity {capacity}");
                }
            }
            assert_eq!(receiver.try_recv(), Ok(10));
            assert!(send.await.is_ok());
        }
        Ok(())
    })
    .unwrap();
}

/// With a budget of one every operation lets others run after it has taken effect.
#[test]
fn c10_a_receive_that_is_dropped_while_others_run_puts_the_message_back() {
    builder()
        .budget(1)
        .run(async {
            let (sender, receiver) = channel(2);
            sender.try_send(1).unwrap();
            sender.try_send(2).unwrap();
            {
                let mut recv = pin!(receiver.recv());
                assert!(poll!(&mut recv).is_pending());
            }
            assert_eq!(receiver.recv().await?, Some(1));
            assert_eq!(receiver.recv().await?, Some(2));

            // And one that is cancelled meanwhile has happened.
            sender.try_send(3).unwrap();
            let got = cancel_scope(async |scope| {
                let mut recv = pin!(receiver.recv());
                assert!(poll!(&mut recv).is_pending());
                scope.cancel();
                recv.await
            });
            assert_eq!(got.await?, Some(Some(3)));
            let sent = cancel_scope(async |scope| {
                let mut send = pin!(sender.send(4));
                assert!(poll!(&mut send).is_pending());
                scope.cancel();
                Ok(send.await?)
            });
            assert_eq!(sent.await?, Some(()));
            assert_eq!(receiver.recv().await?, Some(4));
            Ok(())
        })
        .unwrap();
}

/// A deadline that comes at the very time of the message: whichever is first, nothing is lost.
#[test]
fn c10_a_deadline_at_the_same_instant_loses_nothing() {
    for seed in 0..50 {
        builder()
            .seed(seed)
            .run(async {
                let (sender, receiver) = channel(0);
                let (sent, got) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
                nursery(async |n| {
                    let given_back = n.spawn(async {
                        let mut given_back = Vec::new();
                        for i in 0..20 {
                            // At the time when the receiver's patience ends.
                            sleep(secs(1)).await?;
                            let limited = move_on_after(secs(i % 2), async {
                                match sender.send(i).await {
                                    Ok(()) => sent.borrow_mut().push(i),
                                    Err(error) => given_back.push(error.into_inner()),
                                }
                                Ok(())
                            });
                            limited.await?;
                        }
                        sender.close();
                        Ok(given_back)
                    });
                    drop(n.spawn(async {
                        loop {
                            match move_on_after(secs(1), receiver.recv()).await? {
                                Some(Some(i)) => got.borrow_mut().push(i),
                                Some(None) => return Ok(()),
                                None => {}
                            }
                        }
                    }));
                    let mut all = given_back.await?;
                    yield_now().await?;
                    all.extend(sent.borrow().iter());
                    all.sort();
                    assert_eq!(all, (0..20).collect::<Vec<_>>());
                    Ok(())
                })
                .await?;
                assert_eq!(*sent.borrow(), *got.borrow(), "seed {seed}");
                Ok(())
            })
            .unwrap();
    }
}
