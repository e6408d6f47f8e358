//! Events and channels: rows C2 and C10 of what the crate promises, and what their own
//! documentation does.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, poll};
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Closed, Error, Event, Receiver, Result, Sender, TryRecvError,
    TrySendError, cancel_scope, channel, checkpoint, move_on_after, nursery, sleep, sleep_forever,
    yield_now,
};

/// Runs on a virtual clock, and fails where it would hang.
fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    builder().run(main)
}

fn builder() -> Builder {
    Builder::new().clock(&VirtualClock::new()).detect_deadlock(true)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn is_cancelled<T>(outcome: &Result<T>) -> bool {
    outcome.as_ref().is_err_and(Error::is_cancelled)
}

fn is_closed<T>(outcome: Result<(), seedbed::SendError<T>>) -> bool {
    outcome.is_err_and(|error| error.error().is::<Closed>())
}

// Events.

#[test]
fn event_lets_all_go_on_who_wait_and_all_who_come_later() {
    run(async {
        let event = Event::new();
        let order = RefCell::new(Vec::new());
        assert!(!event.is_set());
        nursery(async |n| {
            for i in 0..5 {
                let (event, order) = (&event, &order);
                drop(n.spawn(async move {
                    event.wait().await?;
                    order.borrow_mut().push(i);
                    Ok(())
                }));
            }
            sleep(secs(1)).await?;
            assert!(order.borrow().is_empty());
            event.set();
            assert!(order.borrow().is_empty()); // nobody runs inside `set`
            event.set();
            yield_now().await?;
            assert_eq!(*order.borrow(), [0, 1, 2, 3, 4]);
            Ok(())
        })
        .await?;
        assert!(event.is_set());
        event.wait().await
    })
    .unwrap();
}

#[test]
fn event_is_reached_through_every_waker() {
    run(async {
        let event = Event::new();
        let mut waits: Vec<_> = (0..3).map(|_| Box::pin(event.wait())).collect();
        for wait in &mut waits {
            assert!(poll!(wait).is_pending());
        }
        // They were polled by this task first, and then by others: the last one is woken.
        nursery(async |n| {
            for wait in waits {
                drop(n.spawn(async {
                    let all: FuturesUnordered<_> = [wait].into_iter().collect();
                    all.collect::<Vec<_>>().await.pop().unwrap()
                }));
            }
            yield_now().await?;
            event.set();
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn c10_an_event_wait_that_is_dropped_or_cancelled_leaves_no_trace() {
    run(async {
        let event = Event::new();
        let order = RefCell::new(Vec::new());
        let scope = CancelScope::new();
        nursery(async |n| {
            for i in 0..6 {
                let (event, order, scope) = (&event, &order, &scope);
                drop(n.spawn(async move {
                    match i {
                        // Dropped from the middle, the front and the end of the queue.
                        0 | 2 | 5 => {
                            let mut wait = pin!(event.wait());
                            assert!(poll!(&mut wait).is_pending());
                            yield_now().await?;
                        }
                        3 if scope.cancel_called() => unreachable!(),
                        _ => event.wait().await?,
                    }
                    order.borrow_mut().push(i);
                    Ok(())
                }));
            }
            drop(n.spawn(async {
                scope.enter(async |_| event.wait().await).await?;
                assert!(scope.cancelled_caught());
                order.borrow_mut().push(6);
                Ok(())
            }));
            for _ in 0..3 {
                yield_now().await?;
            }
            scope.cancel();
            sleep(secs(1)).await?;
            assert_eq!(*order.borrow(), [0, 2, 5, 6]);
            event.set();
            Ok(())
        })
        .await?;
        assert_eq!(*order.borrow(), [0, 2, 5, 6, 1, 3, 4]);
        Ok(())
    })
    .unwrap();
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

/// Who gives up does not hold up those behind.
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

// C10 · Nothing is lost.

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

/// Who is cancelled is passed over, and the next one in the queue is served.
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

// D3: `None` comes only when no message is stored, handed over or held back.

#[test]
fn d03_the_end_waits_for_a_message_that_was_handed_over_and_may_come_back() {
    for capacity in [0, 2] {
        run(async {
            let (sender, receiver) = channel(capacity);
            let other = receiver.clone();
            let mut first = Box::pin(receiver.recv());
            let mut second = Box::pin(other.recv());
            assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
            sender.try_send(7).unwrap();
            drop(sender);
            assert_eq!(other.try_recv(), Err(TryRecvError::Empty));
            assert!(poll!(&mut second).is_pending());
            drop(first); // it goes to the one that waits
            assert_eq!(second.await?, Some(7));
            assert_eq!(other.recv().await?, None);
            assert_eq!(other.try_recv(), Err(TryRecvError::Ended));
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn d03_who_waits_is_told_the_end_when_the_last_message_has_been_received() {
    run(async {
        let (sender, receiver) = channel(0);
        let mut waits: Vec<_> = (0..4).map(|_| Box::pin(receiver.recv())).collect();
        for recv in &mut waits {
            assert!(poll!(recv).is_pending());
        }
        sender.try_send(1).unwrap();
        sender.try_send(2).unwrap();
        receiver.close();
        let [first, second, third, fourth] = &mut waits[..] else { unreachable!() };
        assert!(poll!(third).is_pending());
        assert_eq!(first.await?, Some(1));
        assert!(poll!(&mut *fourth).is_pending(), "the second has its message still");
        assert_eq!(second.await?, Some(2));
        assert_eq!(fourth.await?, None);
        assert_eq!(waits.remove(2).await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_the_end_waits_for_a_message_that_is_held_back_while_others_run() {
    builder()
        .budget(1)
        .run(async {
            let (sender, receiver) = channel(1);
            sender.try_send(7).unwrap();
            drop(sender);
            let mut first = Box::pin(receiver.recv());
            assert!(poll!(&mut first).is_pending(), "it has the message, and lets others run");
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
            let mut second = Box::pin(receiver.recv());
            assert!(poll!(&mut second).is_pending());
            drop(first);
            assert_eq!(second.await?, Some(7));
            assert_eq!(receiver.recv().await?, None);
            Ok(())
        })
        .unwrap();
}

#[test]
fn d03_a_message_handed_to_one_that_is_cancelled_still_comes_before_the_end() {
    run(async {
        let (sender, receiver) = channel(0);
        let (scope, other) = (CancelScope::new(), receiver.clone());
        let inside = scope.clone();
        let mut first =
            Box::pin(async move { inside.enter(async |_| receiver.recv().await).await });
        let mut second = Box::pin(other.recv());
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        sender.try_send(7).unwrap();
        scope.cancel(); // too late for the first
        drop(sender);
        assert!(poll!(&mut second).is_pending());
        assert_eq!(first.await?, Some(Some(7)));
        assert_eq!(second.await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_of_many_receivers_that_come_and_go_none_sees_a_message_after_an_end() {
    for seed in 0..200 {
        builder()
            .seed(seed)
            .run(async {
                let random = Random::new(seed);
                let (sender, receiver) = channel(random.below(3));
                let (received, ended) = (Cell::new(0), Cell::new(false));
                let (random, received, ended) = (&random, &received, &ended);
                let got = |message: Option<()>| {
                    assert!(message.is_none() || !ended.get(), "seed {seed}");
                    received.update(|received| received + u32::from(message.is_some()));
                    ended.set(message.is_none());
                    message.is_some()
                };
                let got = &got;
                nursery(async |n| {
                    for _ in 0..6 {
                        let receiver = receiver.clone();
                        n.spawn(async move {
                            loop {
                                // Now and then it is given up, perhaps with a message in hand.
                                let mut recv = Box::pin(receiver.recv());
                                for _ in 0..random.below(3) {
                                    if let std::task::Poll::Ready(message) = poll!(&mut recv) {
                                        if !got(message?) {
                                            return Ok(());
                                        }
                                        recv = Box::pin(receiver.recv());
                                    }
                                    yield_now().await?;
                                }
                                drop(recv);
                                if !got(receiver.recv().await?) {
                                    return Ok(());
                                }
                            }
                        });
                    }
                    for _ in 0..20 {
                        sender.send(()).await?;
                    }
                    drop(sender);
                    Ok(())
                })
                .await?;
                assert_eq!((received.get(), ended.get()), (20, true), "seed {seed}");
                Ok(())
            })
            .unwrap();
    }
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

// Random programs against simple models.

/// SplitMix64.
struct Random(Cell<u64>);

impl Random {
    fn new(seed: u64) -> Random {
        Random(Cell::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)))
    }

    fn below(&self, n: usize) -> usize {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut bits = self.0.get();
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % n as u64) as usize
    }

    fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// A message: its sender and its number there.
type Message = (usize, usize);

/// Where every message is, as the program sees it.
#[derive(Default)]
struct Ledger {
    sent: RefCell<Vec<Message>>,
    given_back: RefCell<Vec<Message>>,
    /// Dropped by the program together with a `send` that had not ended.
    unknown: RefCell<Vec<Message>>,
    received: RefCell<Vec<(usize, Message)>>,
}

async fn sending(
    who: usize,
    count: usize,
    sender: Sender<Message>,
    random: &Random,
    ledger: &Ledger,
) -> Result<()> {
    for i in 0..count {
        let message = (who, i);
        let send = async {
            match sender.send(message).await {
                Ok(()) => ledger.sent.borrow_mut().push(message),
                Err(error) => {
                    ledger.given_back.borrow_mut().push(error.into_inner());
                }
            }
            Ok(())
        };
        match random.below(6) {
            0 | 1 => send.await?,
            2 => move_on_after(secs(random.below(3) as u64), send).await.map(drop)?,
            3 => {
                // Dropped, at one time or another.
                let mut send = Box::pin(send);
                let mut done = false;
                for _ in 0..random.below(3) {
                    if poll!(&mut send).is_ready() {
                        done = true;
                        break;
                    }
                    if random.one_in(2) {
                        yield_now().await?;
                    }
                }
                drop(send);
                if !done {
                    ledger.unknown.borrow_mut().push(message);
                }
            }
            4 => match sender.try_send(message) {
                Ok(()) => ledger.sent.borrow_mut().push(message),
                Err(error) => ledger.given_back.borrow_mut().push(error.into_inner()),
            },
            _ => {
                let scope = CancelScope::new();
                nursery(async |n| {
                    drop(n.spawn(async {
                        for _ in 0..random.below(4) {
                            yield_now().await?;
                        }
                        scope.cancel();
                        Ok(())
                    }));
                    scope.enter(async |_| send.await).await.map(drop)
                })
                .await?;
            }
        }
        if random.one_in(3) {
            sleep(secs(random.below(2) as u64)).await?;
        }
    }
    Ok(())
}

async fn receiving(
    who: usize,
    drops: bool,
    receiver: Receiver<Message>,
    random: &Random,
    ledger: &Ledger,
) -> Result<()> {
    loop {
        let ended = Cell::new(false);
        let recv = async {
            match receiver.recv().await? {
                Some(message) => ledger.received.borrow_mut().push((who, message)),
                None => ended.set(true),
            }
            Ok(())
        };
        match random.below(5) {
            0 | 1 => recv.await?,
            2 => move_on_after(secs(random.below(3) as u64), recv).await.map(drop)?,
            3 if drops => {
                let mut recv = Box::pin(recv);
                for _ in 0..random.below(4) {
                    if poll!(&mut recv).is_ready() {
                        break;
                    }
                    if random.one_in(2) {
                        yield_now().await?;
                    }
                }
            }
            3 => match receiver.try_recv() {
                Ok(message) => ledger.received.borrow_mut().push((who, message)),
                Err(TryRecvError::Ended) => return Ok(()),
                Err(TryRecvError::Empty) => yield_now().await?,
            },
            _ => {
                let scope = CancelScope::new();
                nursery(async |n| {
                    drop(n.spawn(async {
                        for _ in 0..random.below(4) {
                            yield_now().await?;
                        }
                        scope.cancel();
                        Ok(())
                    }));
                    scope.enter(async |_| recv.await).await.map(drop)
                })
                .await?;
            }
        }
        if ended.get() {
            return Ok(());
        }
        if random.one_in(4) {
            sleep(secs(random.below(2) as u64)).await?;
        }
    }
}

/// Many tasks send, receive, give up, are cancelled and drop what they were doing. Every message
/// is received once or still with its sender, and each sender's arrive in order.
#[test]
fn c10_random_programs_lose_nothing() {
    for seed in 0..400 {
        let random = Random::new(seed);
        let (senders, receivers) = (1 + random.below(5), 1 + random.below(4));
        let (capacity, budget) = (random.below(4), [1, 2, 5, 128][random.below(4)]);
        let drops = receivers == 1 || random.one_in(2);
        let close_early = random.one_in(4);
        let ledger = Ledger::default();
        let counts: Vec<_> = (0..senders).map(|_| random.below(12)).collect();
        let mut builder = builder().budget(budget);
        if random.one_in(2) {
            builder = builder.seed(seed);
        }
        builder
            .run(async {
                let (sender, receiver) = channel(capacity);
                let closer = close_early.then(|| receiver.clone());
                nursery(async |n| {
                    for who in 0..receivers {
                        let receiver = receiver.clone();
                        drop(n.spawn(receiving(who, drops, receiver, &random, &ledger)));
                    }
                    for (who, &count) in counts.iter().enumerate() {
                        let sender = sender.clone();
                        drop(n.spawn(sending(who, count, sender, &random, &ledger)));
                    }
                    drop(sender);
                    if let Some(closer) = closer {
                        sleep(secs(random.below(10) as u64)).await?;
                        closer.close();
                    }
                    Ok(())
                })
                .await?;
                // What was put back after the last receiver had been told of the end.
                while let Ok(message) = receiver.try_recv() {
                    ledger.received.borrow_mut().push((usize::MAX, message));
                }
                Ok(())
            })
            .unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));

        let mut received: Vec<_> = ledger.received.borrow().iter().map(|&(_, m)| m).collect();
        received.sort();
        let mut once = received.clone();
        once.dedup();
        assert_eq!(received, once, "received twice, seed {seed}");
        for message in &*ledger.sent.borrow() {
            assert!(received.contains(message), "{message:?} was lost, seed {seed}");
        }
        for message in &*ledger.given_back.borrow() {
            assert!(!received.contains(message), "{message:?} came back as well, seed {seed}");
        }
        let known = ledger.sent.borrow().len() + ledger.given_back.borrow().len();
        assert_eq!(known + ledger.unknown.borrow().len(), counts.iter().sum::<usize>());
        // A message that is put back may come after one that another receiver has got already.
        // Otherwise each receiver gets each sender's messages in order.
        if receivers == 1 || !drops {
            let mut last = BTreeMap::new();
            for &(who, (sender, i)) in &*ledger.received.borrow() {
                let last = last.entry((who, sender)).or_insert(None);
                assert!(last.is_none_or(|last| last < i), "seed {seed}: {:?}", ledger.received);
                *last = Some(i);
            }
        }
    }
}

type Wait = Pin<Box<dyn Future<Output = Result<Option<()>>>>>;

/// The waiters of an event against a list: single steps, in random order.
#[test]
fn c10_random_steps_on_an_event() {
    for seed in 0..300 {
        run(async {
            let random = Random::new(seed);
            let event = Event::new();
            let mut waits: Vec<(CancelScope, Wait, Cell<bool>)> = Vec::new();
            // The futures borrow the event for longer than the compiler can see.
            let event: &'static Event = Box::leak(Box::new(event));
            for _ in 0..200 {
                match random.below(10) {
                    0..=3 => {
                        let scope = CancelScope::new();
                        let mut wait = Box::pin(scope.enter(async move |_| event.wait().await));
                        assert!(poll!(&mut wait).is_pending());
                        waits.push((scope, wait, Cell::new(false)));
                    }
                    4 | 5 if !waits.is_empty() => {
                        drop(waits.swap_remove(random.below(waits.len())));
                    }
                    6 if !waits.is_empty() => {
                        let (scope, _, cancelled) = &waits[random.below(waits.len())];
                        scope.cancel();
                        cancelled.set(true);
                    }
                    7 | 8 if !waits.is_empty() => {
                        let i = random.below(waits.len());
                        let (_, wait, cancelled) = &mut waits[i];
                        let outcome = poll!(wait);
                        assert_eq!(outcome.is_ready(), cancelled.get(), "seed {seed}");
                        if outcome.is_ready() {
                            drop(waits.swap_remove(i));
                        }
                    }
                    _ => checkpoint().await?,
                }
            }
            event.set();
            for (scope, wait, cancelled) in waits {
                let expected = if cancelled.get() { None } else { Some(()) };
                scope.cancel(); // too late
                assert_eq!(wait.await?, expected, "seed {seed}");
            }
            Ok(())
        })
        .unwrap();
    }
}

/// What a channel does, written down in the plainest way: single steps, each with its outcome.
#[derive(Default)]
struct Model {
    capacity: usize,
    /// What is in the channel; with what was put back it may be more than `capacity`.
    buffer: VecDeque<usize>,
    /// Sends that wait, by number, with their messages.
    sends: VecDeque<(usize, usize)>,
    /// Receives that wait.
    recvs: VecDeque<usize>,
    /// What has happened to those that did, which they have not seen yet.
    done: BTreeMap<usize, Outcome>,
    closed: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Outcome {
    Sent,
    Received(Option<usize>),
    Cancelled(Option<usize>),
    Closed(usize),
}

impl Model {
    fn send(&mut self, id: usize, message: usize) {
        if self.closed {
            self.done.insert(id, Outcome::Closed(message));
        } else if let Some(recv) = self.recvs.pop_front() {
            self.done.insert(recv, Outcome::Received(Some(message)));
            self.done.insert(id, Outcome::Sent);
        } else if self.buffer.len() < self.capacity {
            self.buffer.push_back(message);
            self.done.insert(id, Outcome::Sent);
        } else {
            self.sends.push_back((id, message));
        }
    }

    fn recv(&mut self, id: usize) {
        let mut message = self.buffer.pop_front();
        let room = message.is_none() || self.buffer.len() < self.capacity;
        if room && let Some((send, sent)) = self.sends.pop_front() {
            self.done.insert(send, Outcome::Sent);
            match message {
                Some(_) => self.buffer.push_back(sent),
                None => message = Some(sent),
            }
        }
        if message.is_some() || self.has_ended() {
            self.done.insert(id, Outcome::Received(message));
        } else {
            self.recvs.push_back(id);
        }
    }

    fn cancel(&mut self, id: usize) {
        if let Some(i) = self.sends.iter().position(|&(send, _)| send == id) {
            let (_, message) = self.sends.remove(i).unwrap();
            self.done.insert(id, Outcome::Cancelled(Some(message)));
        } else if let Some(i) = self.recvs.iter().position(|&recv| recv == id) {
            self.recvs.remove(i);
            self.done.insert(id, Outcome::Cancelled(None));
        }
    }

    fn drop(&mut self, id: usize) {
        self.sends.retain(|&(send, _)| send != id);
        self.recvs.retain(|&recv| recv != id);
        if let Some(Outcome::Received(Some(message))) = self.done.remove(&id) {
            match self.recvs.pop_front() {
                Some(recv) => drop(self.done.insert(recv, Outcome::Received(Some(message)))),
                // Messages are numbered in the order in which they are taken in.
                None => {
                    let i = self.buffer.partition_point(|&other| other < message);
                    self.buffer.insert(i, message);
                }
            }
        }
    }

    fn close(&mut self) {
        self.closed = true;
        for (send, message) in self.sends.drain(..) {
            self.done.insert(send, Outcome::Closed(message));
        }
        self.tell_end();
    }

    /// Whether no message can come any more. One that a receiver has not returned with yet may.
    fn has_ended(&self) -> bool {
        let under_way = |outcome: &Outcome| matches!(outcome, Outcome::Received(Some(_)));
        self.closed && self.buffer.is_empty() && !self.done.values().any(under_way)
    }

    /// If this is the end, those who wait are told.
    fn tell_end(&mut self) {
        if self.has_ended() {
            for recv in self.recvs.drain(..) {
                self.done.insert(recv, Outcome::Received(None));
            }
        }
    }

    /// What an operation has come to, which it sees now.
    fn take(&mut self, id: usize) -> Option<Outcome> {
        let outcome = self.done.remove(&id);
        self.tell_end();
        outcome
    }
}

type Step<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// Every single step of a channel against the model.
#[test]
fn c10_random_steps_on_a_channel_agree_with_a_model() {
    for seed in 0..500 {
        builder()
            .budget(1_000_000)
            .run(async {
                let random = Random::new(seed);
                let capacity = random.below(4);
                let mut model = Model { capacity, ..Model::default() };
                let (sender, receiver) = channel(capacity);
                let mut pending: BTreeMap<usize, (CancelScope, Step<'_>)> = BTreeMap::new();
                for id in 0..150 {
                    let kind = random.below(100);
                    let one = (!pending.is_empty())
                        .then(|| *pending.keys().nth(random.below(pending.len())).unwrap());
                    match (kind, one) {
                        (0..70, _) => {
                            let scope = CancelScope::new();
                            let (sender, receiver, inside) = (&sender, &receiver, scope.clone());
                            let mut step: Step<'_> = if kind < 35 {
                                model.send(id, id);
                                Box::pin(async move {
                                    let send = async |_: &CancelScope| Ok(sender.send(id).await);
                                    match inside.enter(send).await.unwrap().unwrap() {
                                        Ok(()) => Outcome::Sent,
                                        Err(error) if error.error().is_cancelled() => {
                                            Outcome::Cancelled(Some(error.into_inner()))
                                        }
                                        Err(error) => Outcome::Closed(error.into_inner()),
                                    }
                                })
                            } else {
                                model.recv(id);
                                Box::pin(async move {
                                    match inside.enter(async |_| receiver.recv().await).await {
                                        Ok(Some(message)) => Outcome::Received(message),
                                        Ok(None) => Outcome::Cancelled(None),
                                        Err(error) => panic!("{error:?}"),
                                    }
                                })
                            };
                            match poll!(&mut step) {
                                std::task::Poll::Ready(outcome) => {
                                    assert_eq!(Some(outcome), model.take(id), "{seed}");
                                }
                                std::task::Poll::Pending => {
                                    assert_eq!(model.done.get(&id), None, "seed {seed}");
                                    pending.insert(id, (scope, step));
                                }
                            }
                        }
                        (70..80, Some(one)) => {
                            pending[&one].0.cancel();
                            model.cancel(one);
                        }
                        (80..88, Some(one)) => {
                            pending.remove(&one);
                            model.drop(one);
                        }
                        (88..98, Some(one)) => {
                            let outcome = poll!(&mut pending.get_mut(&one).unwrap().1);
                            let expected = model.take(one);
                            match outcome {
                                std::task::Poll::Ready(outcome) => {
                                    assert_eq!(Some(outcome), expected, "seed {seed}");
                                    pending.remove(&one);
                                }
                                std::task::Poll::Pending => assert_eq!(expected, None, "{seed}"),
                            }
                        }
                        (98, _) if id > 75 => {
                            sender.close();
                            model.close();
                        }
                        _ => {}
                    }
                }
                sender.close();
                model.close();
                // Those that were given something go first: others may wait for that.
                let rest = std::mem::take(&mut pending);
                let (given, others): (Vec<_>, Vec<_>) =
                    rest.into_iter().partition(|(id, _)| model.done.contains_key(id));
                for (id, (_, step)) in given.into_iter().chain(others) {
                    assert_eq!(Some(step.await), model.take(id), "seed {seed}");
                }
                let rest: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
                assert_eq!(model.buffer, rest, "seed {seed}");
                Ok(())
            })
            .unwrap();
    }
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
        let text = panic.downcast_ref::<&str>().copied().unwrap_or_default();
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
