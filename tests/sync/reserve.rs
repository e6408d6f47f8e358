//! D3: reserving a place for a message, and senders as sinks.

use std::cell::Cell;
use std::rc::Rc;

use futures::{Sink, SinkExt, StreamExt, poll, stream};
use seedbed::sync::{conflated_channel, unbounded_channel};
use seedbed::{
    Cancelled, Closed, Error, Receiver, Result, TryRecvError, TrySendError, cancel_scope, channel,
    nursery, yield_now,
};

use crate::support::{builder, catching, is_cancelled, poll_once, run};

async fn rest<T>(receiver: &Receiver<T>) -> Result<Vec<T>> {
    let mut all = Vec::new();
    while let Some(message) = receiver.recv().await? {
        all.push(message);
    }
    Ok(all)
}

// Permits.

#[test]
fn d03_what_is_reserved_is_nobody_elses() {
    run(async {
        let (sender, receiver) = channel(2);
        let first = sender.reserve().await?;
        sender.try_send(1).unwrap();
        assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
        assert_eq!(sender.try_reserve().map(drop), Err(TrySendError::Full(())));
        first.send(2)?;
        assert_eq!((receiver.recv().await?, receiver.recv().await?), (Some(1), Some(2)));
        drop(sender.reserve().await?);
        sender.try_send(3).unwrap();
        sender.try_send(4).unwrap();
        assert_eq!((sender.len(), sender.capacity()), (2, 2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_a_permit_sends_to_a_receiver_that_waits() {
    run(async {
        for capacity in [0, 1, 3] {
            let (sender, receiver) = channel(capacity);
            let permit = sender.reserve().await?;
            let mut recv = receiver.recv();
            assert!(poll!(&mut recv).is_pending());
            let mut next = Box::pin(async {
                let mut permits = Vec::new();
                for _ in 0..capacity.max(1) {
                    permits.push(sender.reserve().await?);
                }
                Ok::<_, Error>(permits.len())
            });
            assert!(poll!(&mut next).is_pending(), "capacity {capacity}");
            permit.send(7)?;
            assert_eq!(next.await?, capacity.max(1), "its place is free");
            assert_eq!(recv.await?, Some(7));
        }
        Ok(())
    })
    .unwrap();
}

/// Messages and reservations are in one queue.
#[test]
fn d03_room_goes_to_who_has_waited_longest() {
    run(async {
        let (sender, receiver) = channel(1);
        sender.try_send(0).unwrap();
        let mut first = sender.send(1);
        let mut second = Box::pin(sender.reserve());
        let mut third = sender.send(3);
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        assert!(poll!(&mut third).is_pending());
        assert_eq!(receiver.recv().await?, Some(0));
        assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
        first.await?;
        assert_eq!(receiver.recv().await?, Some(1));
        let permit = second.await?;
        // A receiver that finds nothing stored takes the first message, which needs no place.
        assert_eq!(receiver.try_recv(), Ok(3));
        third.await?;
        permit.send(2)?;
        assert_eq!(receiver.recv().await?, Some(2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_a_permit_that_is_dropped_makes_room() {
    run(async {
        for capacity in [1, 2] {
            let (sender, receiver) = channel(capacity);
            let mut permits = Vec::new();
            for _ in 0..capacity {
                permits.push(sender.try_reserve().unwrap());
            }
            let mut sends = sender.send(1);
            let mut reserves = Box::pin(sender.reserve());
            assert!(poll!(&mut sends).is_pending() && poll!(&mut reserves).is_pending());
            drop(permits.pop());
            sends.await?;
            assert!(poll!(&mut reserves).is_pending());
            assert_eq!(receiver.recv().await?, Some(1));
            drop(reserves.await?);
            drop(permits);
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_the_end_waits_for_what_is_reserved() {
    run(async {
        for used in [true, false] {
            let (sender, receiver) = channel(1);
            let permit = sender.reserve().await?;
            sender.close();
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
            let mut recvs = [receiver.recv(), receiver.recv()];
            for recv in &mut recvs {
                assert!(poll!(recv).is_pending());
            }
            if used {
                permit.send(7)?; // though it is closed
                let [first, second] = &mut recvs;
                assert!(poll!(second).is_pending());
                assert_eq!(first.await?, Some(7));
            } else {
                drop(permit);
                let [first, _] = &mut recvs;
                assert_eq!(first.await?, None);
            }
            let [_, second] = recvs;
            assert_eq!(second.await?, None);
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Ended));
        }
        Ok(())
    })
    .unwrap();
}

/// A permit borrows its sender, so the last sender cannot go before it. A permit that was granted
/// and not fetched does not outlive it either.
#[test]
fn d03_the_end_comes_when_a_granted_reservation_is_dropped() {
    run(async {
        let (sender, receiver) = channel(1);
        sender.try_send(1).unwrap();
        let mut reserves = Box::pin(sender.reserve());
        assert!(poll!(&mut reserves).is_pending());
        assert_eq!(receiver.recv().await?, Some(1)); // the place is given
        sender.close();
        let mut recv = receiver.recv();
        assert!(poll!(&mut recv).is_pending());
        drop(reserves);
        assert_eq!(recv.await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_a_reservation_that_waits_is_told_that_the_channel_closes() {
    run(async {
        for by_drop in [true, false] {
            let (sender, receiver) = channel(1);
            sender.try_send(1).unwrap();
            let mut reserves = Box::pin(sender.reserve());
            assert!(poll!(&mut reserves).is_pending());
            if by_drop {
                drop(receiver)
            } else {
                receiver.close()
            }
            assert!(reserves.await.unwrap_err().is::<Closed>());
            assert!(sender.reserve().await.unwrap_err().is::<Closed>());
            assert_eq!(sender.try_reserve().map(drop), Err(TrySendError::Closed(())));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_a_message_for_a_permit_comes_back_if_no_receiver_is_left() {
    run(async {
        let (sender, receiver) = channel(1);
        let permit = sender.reserve().await?;
        drop(receiver);
        let message = Rc::new(());
        let error = permit.send(message.clone()).unwrap_err();
        assert!(error.error().is::<Closed>());
        assert!(Rc::ptr_eq(&error.into_inner(), &message));
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_reserving_is_a_checkpoint_that_reserves_nothing_if_it_is_cancelled() {
    for budget in [1, 100] {
        let all = async {
            let (sender, receiver) = channel(1);
            cancel_scope(async |scope| {
                scope.cancel();
                assert!(is_cancelled(&sender.reserve().await));
                Ok(())
            })
            .await?;
            // Dropped before it waits, or while others run.
            drop(poll_once(sender.reserve()).await);
            sender.try_send(1).unwrap();
            // Dropped while it waits, and after it was given the place.
            assert!(poll_once(sender.reserve()).await.is_none());
            let mut reserves = Box::pin(sender.reserve());
            assert!(poll!(&mut reserves).is_pending());
            assert_eq!(receiver.try_recv(), Ok(1));
            assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
            drop(reserves);
            sender.try_send(2).unwrap();
            Ok(())
        };
        builder().budget(budget).run(all).unwrap();
    }
}

/// Those that wait for a place are not in the way of messages, which need none.
#[test]
fn d03_a_rendezvous_has_one_place_for_permits() {
    run(async {
        let (sender, receiver) = channel(0);
        let permit = sender.reserve().await?;
        let mut reserves = Box::pin(sender.reserve());
        assert!(poll!(&mut reserves).is_pending());
        let mut sends = sender.send(1);
        assert!(poll!(&mut sends).is_pending());
        assert_eq!(receiver.try_recv(), Ok(1));
        sends.await?;
        permit.send(2)?;
        assert!(poll!(&mut reserves).is_pending(), "what was sent is stored there");
        assert_eq!(receiver.recv().await?, Some(2));
        reserves.await?.send(3)?;
        assert_eq!(receiver.recv().await?, Some(3));
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_reserving_never_waits_where_sending_never_does() {
    run(async {
        let (sender, receiver) = unbounded_channel();
        let (first, second) = (sender.try_reserve().unwrap(), sender.try_reserve().unwrap());
        sender.try_send(1).unwrap();
        second.send(2)?;
        first.send(3)?;
        sender.close();
        assert_eq!(rest(&receiver).await?, [1, 2, 3]);

        let (sender, receiver) = conflated_channel();
        let (first, second) = (sender.try_reserve().unwrap(), sender.try_reserve().unwrap());
        sender.try_send(1).unwrap();
        second.send(2)?;
        assert_eq!(receiver.len(), 1);
        first.send(3)?;
        sender.close();
        assert_eq!(rest(&receiver).await?, [3]);
        Ok(())
    })
    .unwrap();
}

// Sinks.

#[test]
fn d03_a_sender_is_a_sink() {
    for capacity in [0, 1, 3] {
        run(async {
            let (mut sender, receiver) = channel(capacity);
            nursery(async |n| {
                n.spawn(async move {
                    let mut numbers = stream::iter(0..5).map(Ok);
                    sender.send_all(&mut numbers).await?;
                    SinkExt::send(&mut sender, 5).await
                });
                assert_eq!(rest(&receiver).await?, [0, 1, 2, 3, 4, 5]);
                Ok(())
            })
            .await
        })
        .unwrap();
    }
}

/// A receiver's items are what a sender takes, errors included.
#[test]
fn d03_a_receiver_is_forwarded_into_a_sender() {
    run(async {
        let (sender, source) = channel(2);
        let (sink, receiver) = channel(1);
        nursery(async |n| {
            n.spawn(source.forward(sink));
            n.spawn(async move {
                for i in 0..4 {
                    sender.send(i).await?;
                }
                Ok(())
            });
            assert_eq!(rest(&receiver).await?, [0, 1, 2, 3]);
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// Others can still send: a sink that is closed is one sender less.
#[test]
fn d03_closing_a_sink_ends_one_sender() {
    run(async {
        let (sender, receiver) = channel(2);
        let mut sink = sender.clone();
        SinkExt::feed(&mut sink, 1).await?;
        SinkExt::<i32>::close(&mut sink).await?;
        SinkExt::<i32>::close(&mut sink).await?;
        assert!(SinkExt::feed(&mut sink, 2).await.unwrap_err().is::<Closed>());
        sender.send(3).await?;
        drop(sender);
        assert_eq!(rest(&receiver).await?, [1, 3]);
        drop(sink); // which is not counted twice
        assert_eq!(receiver.recv().await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_a_sink_that_is_ready_has_a_place_until_it_is_dropped() {
    run(async {
        let (sender, receiver) = channel(1);
        let mut sink = Box::pin(sender.clone());
        for _ in 0..2 {
            let ready = std::future::poll_fn(|cx| Sink::<i32>::poll_ready(sink.as_mut(), cx));
            ready.await?;
        }
        assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
        drop(sink);
        sender.try_send(1).unwrap();
        // The same for one that waits for it, and for one that was given it.
        for given in [false, true] {
            let mut sink = Box::pin(sender.clone());
            let ready = std::future::poll_fn(|cx| Sink::<i32>::poll_ready(sink.as_mut(), cx));
            assert!(poll_once(ready).await.is_none());
            if given {
                assert_eq!(receiver.try_recv(), Ok(1));
                assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
            }
            drop(sink);
            if given {
                sender.try_send(1).unwrap();
            }
        }
        drop(sender);
        assert_eq!(rest(&receiver).await?, [1]);
        Ok(())
    })
    .unwrap();
}

/// All waiting is done before the sink has the message.
#[test]
fn d03_a_sink_loses_nothing_to_a_cancellation() {
    run(async {
        let (sender, receiver) = channel(1);
        let mut sink = sender.clone();
        let given = Rc::new(Cell::new(0));
        let counting = given.clone();
        let mut messages = stream::iter(1..).map(move |message| {
            counting.set(message);
            Ok(message)
        });
        let sent = cancel_scope(async |scope| {
            nursery(async |n| {
                n.spawn(async {
                    yield_now().await?;
                    scope.cancel();
                    Ok(())
                });
                let error = sink.send_all(&mut messages).await.unwrap_err();
                assert!(error.is::<Cancelled>());
                Err(error)
            })
            .await
        });
        assert_eq!(sent.await?, None::<()>);
        assert_eq!(receiver.try_recv(), Ok(1));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert!(given.get() <= 2);
        SinkExt::send(&mut sink, 9).await?; // it can go on
        assert_eq!(receiver.try_recv(), Ok(9));
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_a_sink_says_that_it_was_not_ready() {
    run(async {
        let (sender, _receiver) = channel(1);
        let mut sink = Box::pin(sender);
        let text = catching(async { Sink::start_send(sink.as_mut(), 1) }).await.unwrap_err();
        assert!(text.contains("had not said it was ready"), "{text}");
        Ok(())
    })
    .unwrap();
}
