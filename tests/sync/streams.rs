//! D3: the ends of a broadcast channel, of a watched value and of a channel for threads as streams
//! and sinks.

use std::cell::Cell;

use futures::{Sink, SinkExt, StreamExt, TryStreamExt, stream};
use seedbed::sync::broadcast::{self, Lagged, WhenFull};
use seedbed::sync::watch;
use seedbed::{
    Cancelled, Closed, ThreadReceiver, TryRecvError, TrySendError, cancel_scope, nursery,
    thread_channel, yield_now,
};

use crate::support::{catching, poll_once, run};

#[test]
fn d03_a_broadcast_receiver_is_a_stream() {
    for when_full in [WhenFull::Wait, WhenFull::DropOldest] {
        run(async {
            let (sender, receiver) = broadcast::channel(3, when_full);
            nursery(async |n| {
                for _ in 0..2 {
                    let receiver = receiver.clone();
                    n.spawn(async {
                        let all: Vec<_> = receiver.try_collect().await?;
                        assert_eq!(all, [0, 1, 2, 3, 4]);
                        Ok(())
                    });
                }
                drop(receiver);
                for i in 0..5 {
                    sender.send(i).await?;
                    yield_now().await?;
                }
                drop(sender);
                Ok(())
            })
            .await
        })
        .unwrap();
    }
}

/// As in tokio-stream, lagging behind is an item, after which it goes on.
#[test]
fn d03_a_broadcast_stream_goes_on_after_lagging_behind() {
    run(async {
        let (sender, mut receiver) = broadcast::channel(2, WhenFull::DropOldest);
        for i in 0..5 {
            sender.send(i).await?;
        }
        let lagged = receiver.next().await.unwrap().unwrap_err();
        assert_eq!(lagged.find::<Lagged>().unwrap().missed(), 3);
        assert!(lagged.to_string().contains("streams.rs"), "{lagged:?}");
        drop(sender);
        let rest: Vec<_> = receiver.try_collect().await?;
        assert_eq!(rest, [3, 4]);
        Ok(())
    })
    .unwrap();
}

/// What filters errors comes to an end, and the message is still there.
#[test]
fn d03_after_one_cancellation_a_stream_ends_and_has_lost_nothing() {
    run(async {
        let (all, mut broadcast) = broadcast::channel(3, WhenFull::Wait);
        let (latest, mut watch) = watch::channel(0);
        let (sender, receiver) = thread_channel(3);
        let mut thread = receiver.clone().into_stream();
        all.send(1).await?;
        latest.send(1)?;
        sender.send(1).await?;
        let cancelled = cancel_scope(async |scope| {
            scope.cancel();
            let before = [broadcast.next().await, watch.next().await, thread.next().await];
            assert!(before.into_iter().flatten().all(|it| it.unwrap_err().is::<Cancelled>()));
            Ok(())
        });
        cancelled.await?;
        assert!(broadcast.next().await.is_none());
        assert!(watch.next().await.is_none());
        assert!(thread.next().await.is_none());
        assert_eq!(broadcast.recv().await?, Some(1));
        assert_eq!(watch.changed().await?, Some(()));
        assert_eq!(receiver.recv().await?, Some(1));
        Ok(())
    })
    .unwrap();
}

/// The same where it waits, and where the message comes before the cancellation.
#[test]
fn d03_a_stream_that_waits_is_cancelled_or_receives() {
    run(async {
        for message in [None, Some(1)] {
            let (all, mut broadcast) = broadcast::channel(3, WhenFull::Wait);
            let (latest, mut watch) = watch::channel(0);
            let (sender, receiver) = thread_channel(3);
            let mut thread = receiver.clone().into_stream();
            let scoped = cancel_scope(async |scope| {
                assert!(poll_once(broadcast.next()).await.is_none());
                assert!(poll_once(watch.next()).await.is_none());
                assert!(poll_once(thread.next()).await.is_none());
                if let Some(message) = message {
                    all.send(message).await?;
                    latest.send(message)?;
                    sender.send(message).await?;
                }
                scope.cancel();
                for item in [broadcast.next().await, watch.next().await, thread.next().await] {
                    assert_eq!(item.unwrap().ok(), message);
                }
                Ok(())
            });
            scoped.await?;
            drop((all, latest, sender));
            assert!(broadcast.next().await.is_none());
            assert!(watch.next().await.is_none());
            assert!(thread.next().await.is_none());
            assert_eq!(broadcast.try_recv(), Err(broadcast::TryRecvError::Ended));
            assert!(!watch.has_changed());
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Ended));
        }
        Ok(())
    })
    .unwrap();
}

/// Between two polls somebody else takes what it was told of. That is not the end.
#[test]
fn d03_a_stream_that_finds_nothing_waits_on() {
    run(async {
        let (all, mut broadcast) = broadcast::channel(3, WhenFull::Wait);
        let (latest, mut watch) = watch::channel(0);
        assert!(poll_once(broadcast.next()).await.is_none());
        assert!(poll_once(watch.next()).await.is_none());
        all.send(1).await?;
        latest.send(1)?;
        assert_eq!(broadcast.try_recv(), Ok(1));
        assert_eq!(*watch.borrow_and_update(), 1);
        assert!(poll_once(broadcast.next()).await.is_none());
        assert!(poll_once(watch.next()).await.is_none());
        all.send(2).await?;
        latest.send(2)?;
        assert_eq!(broadcast.next().await.unwrap()?, 2);
        assert_eq!(watch.next().await.unwrap()?, 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_a_watching_receiver_is_a_stream_of_the_latest() {
    run(async {
        let (sender, receiver) = watch::channel(0);
        let (mut changes, mut values) = (receiver.clone(), receiver);
        values.mark_changed();
        assert!(poll_once(changes.next()).await.is_none());
        assert_eq!(values.next().await.unwrap()?, 0);
        assert!(poll_once(values.next()).await.is_none());
        for i in 1..=6 {
            sender.send(i)?;
            if i % 3 == 0 {
                assert_eq!(values.next().await.unwrap()?, i);
            }
        }
        drop(sender);
        assert!(values.next().await.is_none());
        assert_eq!(changes.try_collect::<Vec<_>>().await?, [6]);
        Ok(())
    })
    .unwrap();
}

/// A stream that is dropped while it waits, or was handed something, passes that on.
#[test]
fn d03_a_stream_that_is_dropped_passes_on_what_it_was_handed() {
    run(async {
        let (sender, receiver) = thread_channel(0);
        for handed in [false, true] {
            let mut stream = receiver.clone().into_stream();
            assert!(poll_once(stream.next()).await.is_none());
            if handed {
                sender.try_send(1).unwrap();
                assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
            }
            drop(stream);
            assert_eq!(receiver.try_recv().is_ok(), handed);
        }
        assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)), "nobody waits");
        // The same of those that are told.
        let (sender, mut receiver) = broadcast::channel(1, WhenFull::Wait);
        let mut clone = receiver.clone();
        assert!(poll_once(clone.next()).await.is_none());
        drop(clone);
        sender.send(1).await?;
        assert_eq!(receiver.recv().await?, Some(1));
        let (sender, mut receiver) = watch::channel(0);
        let mut clone = receiver.clone();
        assert!(poll_once(clone.next()).await.is_none());
        drop(clone);
        sender.send(1)?;
        assert_eq!(receiver.changed().await?, Some(()));
        Ok(())
    })
    .unwrap();
}

// Sinks.

async fn rest<T>(receiver: ThreadReceiver<T>) -> seedbed::Result<Vec<T>> {
    receiver.into_stream().try_collect().await
}

#[test]
fn d03_the_ends_of_a_channel_for_threads_are_a_sink_and_a_stream() {
    for capacity in [0, 1, 3] {
        run(async {
            let (sender, source) = thread_channel(capacity);
            let (there, receiver) = thread_channel(capacity);
            nursery(async |n| {
                n.spawn(source.into_stream().forward(there.into_sink()));
                n.spawn(async move {
                    let mut sink = sender.into_sink();
                    sink.send_all(&mut stream::iter(0..5).map(Ok)).await?;
                    SinkExt::send(&mut sink, 5).await
                });
                assert_eq!(rest(receiver).await?, [0, 1, 2, 3, 4, 5]);
                Ok(())
            })
            .await
        })
        .unwrap();
    }
}

/// It is one sender less, and gives up its place.
#[test]
fn d03_closing_a_sink_for_threads_ends_one_sender() {
    run(async {
        let (sender, receiver) = thread_channel(3);
        let mut sink = sender.clone().into_sink();
        sink.feed(1).await?;
        std::future::poll_fn(|cx| sink.poll_ready_unpin(cx)).await?;
        assert_eq!(sender.try_send(0), Ok(()));
        assert_eq!(sender.try_send(0), Err(TrySendError::Full(0)));
        sink.close().await?;
        sink.close().await?;
        assert!(sink.feed(2).await.unwrap_err().is::<Closed>());
        sender.send(3).await?;
        drop(sender);
        assert_eq!(rest(receiver).await?, [1, 0, 3]);
        Ok(())
    })
    .unwrap();
}

/// The end waits for it, and who waits for room gets its place when it is dropped.
#[test]
fn d03_a_sink_for_threads_that_is_ready_has_a_place_until_it_is_dropped() {
    run(async {
        for given in [false, true] {
            let (sender, receiver) = thread_channel(1);
            if given {
                sender.try_send(0).unwrap();
            }
            let mut sink = sender.clone().into_sink();
            let ready = poll_once(std::future::poll_fn(|cx| sink.poll_ready_unpin(cx))).await;
            assert_eq!(ready.is_some(), !given);
            if given {
                assert_eq!(receiver.try_recv(), Ok(0)); // which gives it the place
            }
            let mut sends = Box::pin(sender.send(1));
            assert!(poll_once(&mut sends).await.is_none());
            drop(sink);
            sends.await?;
            assert_eq!(receiver.try_recv(), Ok(1));
            // What it has, and uses, after the channel was closed.
            let mut sink = sender.clone().into_sink();
            std::future::poll_fn(|cx| sink.poll_ready_unpin(cx)).await?;
            sender.close();
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
            sink.start_send_unpin(2)?;
            assert_eq!(rest(receiver.clone()).await?, [2]);
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Ended));
        }
        Ok(())
    })
    .unwrap();
}

/// A message that goes straight to a receiver needs no place, and nobody has to wait for one that
/// waits for a place.
#[test]
fn d03_a_rendezvous_for_threads_has_one_place_for_sinks() {
    run(async {
        let (sender, receiver) = thread_channel(0);
        let (mut first, mut second) = (sender.clone().into_sink(), sender.clone().into_sink());
        std::future::poll_fn(|cx| first.poll_ready_unpin(cx)).await?;
        let mut ready = std::future::poll_fn(|cx| second.poll_ready_unpin(cx));
        assert!(poll_once(&mut ready).await.is_none());
        let mut sends = Box::pin(sender.send(1));
        assert!(poll_once(&mut sends).await.is_none());
        assert_eq!(receiver.recv().await?, Some(1));
        sends.await?;
        assert!(poll_once(&mut ready).await.is_none());
        first.start_send_unpin(2)?;
        assert!(poll_once(&mut ready).await.is_none(), "it is stored");
        assert_eq!(receiver.recv().await?, Some(2));
        ready.await?;
        // Straight to a receiver, and the place is free again.
        let mut receives = Box::pin(receiver.recv());
        assert!(poll_once(&mut receives).await.is_none());
        assert!(poll_once(std::future::poll_fn(|cx| first.poll_ready_unpin(cx))).await.is_none());
        second.start_send_unpin(3)?;
        assert!(poll_once(std::future::poll_fn(|cx| first.poll_ready_unpin(cx))).await.is_some());
        assert_eq!(receives.await?, Some(3));
        Ok(())
    })
    .unwrap();
}

/// All waiting is done before the sink has the message.
#[test]
fn d03_a_sink_for_threads_loses_nothing_to_a_cancellation() {
    run(async {
        let (sender, receiver) = thread_channel(1);
        let mut sink = sender.into_sink();
        let given = Cell::new(0);
        let mut messages = Box::pin(stream::iter(1..).map(|message| {
            given.set(message);
            Ok(message)
        }));
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
        sink.send(9).await?; // it can go on
        assert_eq!(receiver.try_recv(), Ok(9));
        drop(receiver);
        assert!(sink.send(10).await.unwrap_err().is::<Closed>());
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_a_sink_for_threads_says_that_it_was_not_ready() {
    run(async {
        let (sender, _receiver) = thread_channel(1);
        let mut sink = Box::pin(sender.into_sink());
        let text = catching(async { Sink::start_send(sink.as_mut(), 1) }).await.unwrap_err();
        assert!(text.contains("had not said it was ready"), "{text}");
        Ok(())
    })
    .unwrap();
}
