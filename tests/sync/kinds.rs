//! D1 to D3: channels whose senders never wait, and receiving many messages at once.

use std::rc::Rc;

use seedbed::sync::{conflated_channel, unbounded_channel};
use seedbed::{cancel_scope, channel, move_on_after, nursery, yield_now};

use crate::support::{builder, is_cancelled, poll_once, run, secs};

#[test]
fn d01_an_unbounded_channel_never_makes_its_senders_wait() {
    run(async {
        let (sender, receiver) = unbounded_channel();
        for i in 0..10_000 {
            sender.try_send(i).unwrap();
        }
        assert_eq!((sender.len(), receiver.len()), (10_000, 10_000));
        drop(sender);
        for i in 0..10_000 {
            assert_eq!(receiver.recv().await?, Some(i));
        }
        assert_eq!(receiver.recv().await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn d01_a_conflated_channel_keeps_the_latest() {
    run(async {
        let (sender, receiver) = conflated_channel();
        let messages: Vec<_> = (0..4).map(Rc::new).collect();
        for message in &messages {
            sender.send(message.clone()).await?;
            assert_eq!((receiver.len(), sender.capacity()), (1, 1));
        }
        assert_eq!(messages.iter().map(Rc::strong_count).sum::<usize>(), 5, "others are dropped");
        assert_eq!(receiver.recv().await?.as_deref(), Some(&3));
        assert!(receiver.is_empty());
        // One that is waited for is handed over, and what comes after it is kept.
        nursery(async |n| {
            let waits = n.spawn(async { receiver.recv().await });
            yield_now().await?;
            for message in &messages {
                sender.try_send(message.clone()).unwrap();
            }
            assert_eq!(waits.await?.as_deref(), Some(&0));
            assert_eq!(receiver.recv().await?.as_deref(), Some(&3));
            Ok(())
        })
        .await?;
        drop(sender);
        assert_eq!(receiver.recv().await?, None);
        Ok(())
    })
    .unwrap();
}

/// What a dropped receive gives back is older than what is stored.
#[test]
fn d02_a_conflated_message_that_comes_back_gives_way_to_a_later_one() {
    run(async {
        for later in [false, true] {
            let (sender, receiver) = conflated_channel();
            let mut receive = receiver.recv();
            assert!(poll_once(&mut receive).await.is_none());
            sender.try_send(1).unwrap();
            if later {
                sender.try_send(2).unwrap();
            }
            drop(receive);
            assert_eq!(receiver.len(), 1);
            assert_eq!(receiver.recv().await?, Some(if later { 2 } else { 1 }));
            assert!(receiver.is_empty());
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_receiving_many() {
    run(async {
        let (sender, receiver) = channel(4);
        let mut got = Vec::new();
        nursery(async |n| {
            n.spawn(async {
                for i in 0..10 {
                    sender.send(i).await?;
                }
                sender.close();
                Ok(())
            });
            assert_eq!(receiver.recv_many(&mut got, 0).await?, 0);
            while receiver.recv_many(&mut got, 3).await? > 0 {
                assert!(receiver.len() <= receiver.capacity());
            }
            Ok(())
        })
        .await?;
        assert_eq!(got, (0..10).collect::<Vec<_>>());
        assert_eq!(receiver.recv_many(&mut got, 3).await?, 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn d03_receiving_many_takes_nothing_if_it_is_cancelled_or_dropped() {
    run(async {
        let (sender, receiver) = channel(4);
        let mut got = Vec::new();
        assert_eq!(move_on_after(secs(1), receiver.recv_many(&mut got, 9)).await?, None);
        {
            let mut receive = std::pin::pin!(receiver.recv_many(&mut got, 9));
            assert!(poll_once(&mut receive).await.is_none());
            sender.try_send(1).unwrap();
            sender.try_send(2).unwrap();
        } // dropped after it was given one
        cancel_scope(async |scope| {
            scope.cancel();
            assert!(is_cancelled(&receiver.recv_many(&mut got, 9).await));
            Ok(())
        })
        .await?;
        assert!(got.is_empty());
        assert_eq!(receiver.recv_many(&mut got, 9).await?, 2);
        assert_eq!(got, [1, 2]);
        Ok(())
    })
    .unwrap();
    // The same if it lets others run when it has taken one.
    builder()
        .budget(1)
        .run(async {
            let (sender, receiver) = channel(4);
            let mut got = Vec::new();
            sender.try_send(1).unwrap();
            assert!(poll_once(Box::pin(receiver.recv_many(&mut got, 9))).await.is_none());
            assert_eq!(receiver.recv_many(&mut got, 9).await?, 1);
            assert_eq!(got, [1]);
            Ok(())
        })
        .unwrap();
}
