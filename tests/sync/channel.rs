//! What channels do, in which order, and how they are closed.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;

use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, poll};
use seedbed::{
    Closed, Receiver, Result, Sender, TryRecvError, TrySendError, cancel_scope, channel, nursery,
    sleep, sleep_forever, yield_now,
};

use crate::support::{builder, is_cancelled, run, secs};

fn is_closed<T>(outcome: Result<(), seedbed::SendError<T>>) -> bool {
    outcome.is_err_and(|error| error.error().is::<Closed>())
}

// Channels: order and capacity.

#[test]
fn channel_takes_as_many_as_it_has_room_for() {
    run(async {
        for capacity in [0, 1, 3] {
            let (sender, receiver) = channel(capacity);
            for i in 0..capacity {
                sender.try_send(i).unwrap();
            }
            assert_eq!(sender.try_send(100), Err(TrySendError::Full(100)));
            {
                let mut send = pin!(sender.send(200));
                assert!(poll!(&mut send).is_pending());
            } // dropped, and the message with it
            for i in 0..capacity {
                assert_eq!(receiver.recv().await?, Some(i));
            }
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        }
        Ok(())
    })
    .unwrap();
}

/// A rendezvous: `send` returns once a receiver has the message.
#[test]
fn channel_without_capacity_hands_over() {
    run(async {
        let (sender, receiver) = channel(0);
        let sent = Cell::new(0);
        nursery(async |n| {
            drop(n.spawn(async {
                for i in 0..3 {
                    sender.send(i).await?;
                    sent.set(i + 1);
                }
                Ok(())
            }));
            for i in 0..3 {
                sleep(secs(1)).await?;
                assert_eq!(sent.get(), i);
                assert_eq!(receiver.recv().await?, Some(i));
                sleep(secs(1)).await?;
                assert_eq!(sent.get(), i + 1);
            }
            assert_eq!(sender.try_send(7), Err(TrySendError::Full(7)));
            let mut recv = pin!(receiver.recv());
            assert!(poll!(&mut recv).is_pending());
            sender.try_send(8).unwrap(); // a receiver waits
            assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
            assert_eq!(recv.await?, Some(8));
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn channel_is_first_come_first_served_for_receivers() {
    for capacity in [0, 1, 5] {
        run(async {
            let (sender, receiver) = channel(capacity);
            let got = RefCell::new(Vec::new());
            nursery(async |n| {
                for i in 0..5 {
                    let (receiver, got) = (&receiver, &got);
                    drop(n.spawn(async move {
                        for _ in 0..3 {
                            let message = receiver.recv().await?.unwrap();
                            got.borrow_mut().push((i, message));
                        }
                        Ok(())
                    }));
                }
                yield_now().await?;
                for i in 0..15 {
                    sender.send(i).await?;
                    yield_now().await?;
                }
                Ok(())
            })
            .await?;
            let expected: Vec<_> = (0..15).map(|i| (i % 5, i)).collect();
            assert_eq!(got.take(), expected, "capacity {capacity}");
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn channel_is_first_come_first_served_for_senders() {
    for capacity in [0, 1, 5] {
        run(async {
            let (sender, receiver) = channel(capacity);
            nursery(async |n| {
                for i in 0..5 {
                    let sender = &sender;
                    drop(n.spawn(async move {
                        for round in 0..3 {
                            sender.send((round, i)).await?;
                            yield_now().await?;
                        }
                        Ok(())
                    }));
                }
                sleep(secs(1)).await?;
                let mut got = Vec::new();
                for _ in 0..15 {
                    got.push(receiver.recv().await?.unwrap());
                    sleep(secs(1)).await?;
                }
                let expected: Vec<_> =
                    (0..3).flat_map(|round| (0..5).map(move |i| (round, i))).collect();
                if capacity < 5 {
                    assert_eq!(got, expected, "capacity {capacity}");
                }
                got.sort();
                assert_eq!(got, expected, "capacity {capacity}");
                Ok(())
            })
            .await
        })
        .unwrap();
    }
}

/// A waiter that gives up does not hold up those behind it.
#[test]
fn channel_queues_close_up_when_someone_gives_up() {
    run(async {
        let (sender, receiver) = channel(0);
        let mut recvs: Vec<_> = (0..5).map(|_| Box::pin(receiver.recv())).collect();
        for recv in &mut recvs {
            assert!(poll!(recv).is_pending());
        }
        for i in [3, 0] {
            drop(recvs.remove(i));
        }
        for i in 0..3 {
            sender.try_send(i).unwrap();
        }
        assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
        for (i, recv) in recvs.into_iter().enumerate() {
            assert_eq!(recv.await?, Some(i));
        }

        let mut sends: Vec<_> = (0..5).map(|i| Box::pin(sender.send(i))).collect();
        for send in &mut sends {
            assert!(poll!(send).is_pending());
        }
        for i in [4, 2, 0] {
            drop(sends.remove(i));
        }
        assert_eq!(receiver.try_recv(), Ok(1));
        assert_eq!(receiver.try_recv(), Ok(3));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        for send in sends {
            send.await?;
        }
        Ok(())
    })
    .unwrap();
}

// Channels: closing.

#[test]
fn channel_ends_when_the_last_sender_is_dropped() {
    run(async {
        let (sender, receiver) = channel(2);
        let other = sender.clone();
        sender.send(1).await?;
        drop(sender);
        assert_eq!(receiver.recv().await?, Some(1));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        let mut recv = pin!(receiver.recv());
        assert!(poll!(&mut recv).is_pending());
        other.send(2).await?;
        assert_eq!(recv.await?, Some(2));
        other.send(3).await?;
        drop(other);
        assert_eq!(receiver.recv().await?, Some(3)); // what is in it comes first
        for _ in 0..3 {
            assert_eq!(receiver.recv().await?, None);
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Ended));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn channel_wakes_all_receivers_at_its_end() {
    run(async {
        let (sender, receiver) = channel::<u8>(1);
        nursery(async |n| {
            for _ in 0..3 {
                let receiver = &receiver;
                drop(n.spawn(async move {
                    assert_eq!(receiver.recv().await?, None);
                    Ok(())
                }));
            }
            yield_now().await?;
            drop(sender);
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn channel_gives_messages_back_when_it_is_closed_from_either_side() {
    for by_sender in [true, false] {
        run(async {
            let (sender, receiver) = channel(1);
            sender.send(0).await?;
            nursery(async |n| {
                for i in 1..4 {
                    let sender = &sender;
                    drop(n.spawn(async move {
                        let error = sender.send(i).await.unwrap_err();
                        assert!(error.error().is::<Closed>());
                        assert_eq!(error.into_inner(), i);
                        Ok(())
                    }));
                }
                yield_now().await?;
                assert!(!sender.is_closed());
                if by_sender {
                    sender.close()
                } else {
                    receiver.close()
                }
                assert!(sender.is_closed());
                Ok(())
            })
            .await?;
            assert!(is_closed(sender.send(5).await));
            assert_eq!(sender.try_send(6), Err(TrySendError::Closed(6)));
            // What was taken in can still be received.
            assert_eq!(receiver.recv().await?, Some(0));
            assert_eq!(receiver.recv().await?, None);
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn channel_is_closed_when_the_last_receiver_is_dropped() {
    run(async {
        let (sender, receiver) = channel(1);
        let dropped = Rc::new(());
        let other = receiver.clone();
        sender.send(dropped.clone()).await?;
        drop(receiver);
        assert!(!sender.is_closed());
        {
            let mut send = pin!(sender.send(dropped.clone()));
            assert!(poll!(&mut send).is_pending());
            assert_eq!(Rc::strong_count(&dropped), 3);
            drop(other);
            // What was in it is gone; what was not is given back.
            assert_eq!(Rc::strong_count(&dropped), 2);
            let error = send.await.unwrap_err();
            assert!(error.error().is::<Closed>());
            assert!(Rc::ptr_eq(&error.into_inner(), &dropped));
        }
        assert_eq!(Rc::strong_count(&dropped), 1);
        assert!(is_closed(sender.send(dropped.clone()).await));
        Ok(())
    })
    .unwrap();
}

/// A message may own an end of its own channel.
#[test]
fn channel_drops_messages_that_hold_its_own_ends() {
    struct Node {
        _ends: Option<(Sender<Node>, Receiver<Node>)>,
    }
    run(async {
        let (sender, receiver) = channel::<Node>(4);
        sender.send(Node { _ends: Some((sender.clone(), receiver.clone())) }).await?;
        drop(receiver.recv().await?);
        sender.send(Node { _ends: Some((sender.clone(), channel(0).1)) }).await?;
        drop(receiver);
        assert!(is_closed(sender.send(Node { _ends: None }).await));
        Ok(())
    })
    .unwrap();
}

/// Trio: an operation that raised has not happened; so one in a cancelled scope takes nothing.
#[test]
fn c02_operations_look_for_cancellation_first() {
    run(async {
        let (sender, receiver) = channel(2);
        sender.try_send(1).unwrap();
        cancel_scope(async |scope| {
            scope.cancel();
            assert!(is_cancelled(&receiver.recv().await));
            let error = sender.send(2).await.unwrap_err();
            assert!(error.error().is_cancelled());
            assert_eq!(error.into_inner(), 2);
            sender.close();
            // Also before it looks whether the channel is closed.
            assert!(sender.send(3).await.unwrap_err().error().is_cancelled());
            Ok(())
        })
        .await?;
        assert_eq!(receiver.try_recv(), Ok(1));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Ended));
        Ok(())
    })
    .unwrap();
}

#[test]
fn channels_and_events_work_under_combinators() {
    run(async {
        let (sender, receiver) = channel(0);
        let sends: FuturesUnordered<_> = (0..100).map(|i| sender.send(i)).collect();
        let receives: FuturesUnordered<_> = (0..100).map(|_| receiver.recv()).collect();
        let (sent, received) =
            futures::join!(sends.collect::<Vec<_>>(), receives.collect::<Vec<_>>());
        assert!(sent.into_iter().all(|outcome| outcome.is_ok()));
        let mut received: Vec<_> =
            received.into_iter().map(|outcome| outcome.unwrap().unwrap()).collect();
        received.sort();
        assert_eq!(received, (0..100).collect::<Vec<_>>());
        Ok(())
    })
    .unwrap();
}

#[test]
fn senders_that_wait_are_cancelled_with_their_nursery() {
    run(async {
        let (sender, receiver) = channel(0);
        let given_back = Cell::new(0);
        nursery(async |n| {
            for i in 0..10 {
                let (sender, given_back) = (&sender, &given_back);
                drop(n.spawn(async move {
                    let error = sender.send(i).await.unwrap_err();
                    given_back.set(given_back.get() + error.into_inner());
                    sleep_forever().await
                }));
            }
            yield_now().await?;
            n.cancel();
            Ok(())
        })
        .await?;
        assert_eq!(given_back.get(), 45);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        Ok(())
    })
    .unwrap();
}

/// Whether they were ready at once or let others run before, as with a budget of 1.
#[test]
fn what_is_ready_is_not_polled_again() {
    async fn check(mut operation: impl Future + Unpin) {
        (&mut operation).await;
        let again = AssertUnwindSafe(operation).catch_unwind().await;
        let panic = again.map(drop).unwrap_err();
        let text = panic.downcast_ref::<String>().map_or("", String::as_str);
        assert!(text.ends_with("was polled after it was ready"), "{text}");
    }
    for budget in [1, 100] {
        let all = async {
            let (sender, receiver) = channel(1);
            check(sender.send(1)).await;
            check(receiver.recv()).await;
            sender.close();
            check(sender.send(2)).await; // it is closed
            check(receiver.recv()).await; // it has ended
            Ok(())
        };
        builder().budget(budget).run(all).unwrap();
    }
}
