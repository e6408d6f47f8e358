//! D1 and D2: a channel whose messages go to all receivers.

use std::cell::Cell;
use std::rc::Rc;

use futures::FutureExt;
use seedbed::sync::broadcast::{self, Lagged, TryRecvError, WhenFull};
use seedbed::{SendError, TrySendError, cancel_scope, move_on_after, nursery, sleep, yield_now};

use crate::support::{is_cancelled, panics, poll_once, run, secs};

#[test]
fn d01_each_receiver_gets_each_message() {
    run(async {
        let (sender, receiver) = broadcast::channel(4, WhenFull::Wait);
        nursery(async |n| {
            for _ in 0..3 {
                let mut receiver = receiver.clone();
                n.spawn(async move {
                    for i in 0..20 {
                        assert_eq!(receiver.recv().await?, Some(i));
                    }
                    assert_eq!(receiver.recv().await?, None);
                    Ok(())
                });
            }
            drop(receiver);
            for i in 0..20 {
                sender.send(i).await?;
                assert!(sender.len() <= sender.capacity());
            }
            drop(sender);
            Ok(())
        })
        .await
    })
    .unwrap();
}

/// The oldest is dropped, and who has missed it is told how many.
#[test]
fn d01_who_lags_behind_misses_the_oldest() {
    run(async {
        let (sender, mut slow) = broadcast::channel(2, WhenFull::DropOldest);
        let mut quick = sender.subscribe();
        for i in 0..5 {
            sender.send(i).await?;
            assert_eq!(quick.recv().await?, Some(i));
        }
        assert_eq!((slow.len(), quick.len(), sender.len()), (2, 0, 2));
        let error = slow.recv().await.unwrap_err();
        let lagged = error.downcast_ref::<Lagged>().unwrap();
        assert_eq!(lagged.missed(), 3);
        assert!(error.to_string().contains("has missed 3 of the messages"), "{error}");
        assert!(lagged.made().file() == file!() && error.place().is_some());
        assert_eq!(slow.recv().await?, Some(3), "it goes on with the oldest that is left");
        let mut as_slow = slow.clone();
        sender.try_send(5).unwrap();
        sender.try_send(6).unwrap();
        assert!(matches!(slow.try_recv(), Err(TryRecvError::Lagged(l)) if l.missed() == 1));
        assert!(matches!(as_slow.try_recv(), Err(TryRecvError::Lagged(l)) if l.missed() == 1));
        assert_eq!((slow.try_recv(), slow.try_recv()), (Ok(5), Ok(6)));
        assert_eq!(slow.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(as_slow.try_recv(), Ok(5));
        drop(sender);
        assert_eq!(slow.try_recv(), Err(TryRecvError::Ended));
        assert_eq!(as_slow.recv().await?, Some(6));
        assert_eq!(as_slow.recv().await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn d01_senders_wait_for_the_slowest_in_order() {
    run(async {
        let (sender, mut slow) = broadcast::channel(1, WhenFull::Wait);
        let mut quick = slow.resubscribe();
        assert!(slow.same_channel(&quick));
        sender.send(0).await?;
        assert_eq!(quick.recv().await?, Some(0));
        nursery(async |n| {
            for i in 1..4 {
                let sender = &sender;
                n.spawn(async move { Ok(sender.send(i).await?) });
            }
            sleep(secs(1)).await?;
            assert!(matches!(sender.try_send(9), Err(TrySendError::Full(9))));
            for i in 0..4 {
                assert_eq!(slow.recv().await?, Some(i));
                assert!(i == 0 || quick.recv().await? == Some(i));
                yield_now().await?;
            }
            Ok(())
        })
        .await?;
        assert!(sender.is_empty() && slow.is_empty());
        Ok(())
    })
    .unwrap();
}

#[test]
fn d01_what_nobody_receives_comes_back() {
    run(async {
        let (sender, receiver) = broadcast::channel(1, WhenFull::Wait);
        sender.send(1).await?;
        nursery(async |n| {
            let waits = n.spawn(async { Ok(sender.send(2).await.map_err(SendError::into_inner)) });
            let closed = n.spawn(sender.closed());
            yield_now().await?;
            drop(receiver);
            assert_eq!(waits.await?, Err(2));
            closed.await
        })
        .await?;
        assert!(sender.is_closed() && sender.is_empty());
        assert!(matches!(sender.try_send(3), Err(TrySendError::Closed(3))));
        let mut late = sender.subscribe();
        sender.send(4).await?;
        assert_eq!((late.recv().await?, sender.receiver_count()), (Some(4), 1));
        Ok(())
    })
    .unwrap();
    let text = panics(|| drop(broadcast::channel::<()>(0, WhenFull::Wait)));
    assert!(text.contains("room for at least one"), "{text}");
}

/// Nothing was received, so the next call gets it.
#[test]
fn d02_a_cancelled_receive_leaves_the_message() {
    run(async {
        let (sender, mut receiver) = broadcast::channel(2, WhenFull::DropOldest);
        assert_eq!(move_on_after(secs(1), receiver.recv()).await?, None);
        {
            let mut receive = receiver.recv();
            assert!(poll_once(&mut receive).await.is_none());
            sender.send(1).await?;
        } // dropped after it was told
        cancel_scope(async |scope| {
            scope.cancel();
            assert!(is_cancelled(&receiver.recv().await));
            assert!(sender.send(2).await.unwrap_err().error().is_cancelled());
            Ok(())
        })
        .await?;
        assert_eq!(receiver.recv().await?, Some(1));
        assert!(receiver.is_empty());
        Ok(())
    })
    .unwrap();
}

/// A sender that gives up, or whose message is dropped with it, leaves no trace.
#[test]
fn d02_a_cancelled_sender_has_its_message() {
    run(async {
        let (sender, mut receiver) = broadcast::channel(1, WhenFull::Wait);
        sender.send(1).await?;
        let cut = move_on_after(
            secs(1),
            sender.send(2).map(|sent| match sent {
                Ok(()) => Ok(None),
                Err(error) => Ok(Some(error.into_inner())),
            }),
        );
        assert_eq!(cut.await?, Some(Some(2)));
        let mut dropped = sender.send(3);
        let mut other = sender.send(4);
        assert!(poll_once(&mut dropped).await.is_none() && poll_once(&mut other).await.is_none());
        drop(dropped);
        assert_eq!(receiver.recv().await?, Some(1));
        other.await?;
        assert_eq!(receiver.recv().await?, Some(4));
        Ok(())
    })
    .unwrap();
}

/// Each but the last gets a clone, and what nobody receives is dropped.
#[test]
fn d02_messages_are_cloned_for_all_but_the_last() {
    #[derive(Debug)]
    struct Counted(Rc<Cell<i32>>);
    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.0.set(self.0.get() + 1);
            Counted(self.0.clone())
        }
    }
    run(async {
        let clones = Rc::new(Cell::new(0));
        let (sender, mut first) = broadcast::channel(4, WhenFull::DropOldest);
        let (mut second, third) = (first.clone(), first.clone());
        sender.send(Counted(clones.clone())).await?;
        drop(first.recv().await?);
        drop(third);
        assert_eq!(clones.get(), 1);
        drop(second.recv().await?);
        assert_eq!(clones.get(), 1, "the last has the message itself");
        sender.send(Counted(clones.clone())).await?;
        drop((first, second));
        assert_eq!(Rc::strong_count(&clones), 1);
        Ok(())
    })
    .unwrap();
}

/// A message's `clone` may do anything with the channel.
#[test]
fn d02_a_clone_that_calls_back() {
    #[derive(Debug)]
    struct Calls(broadcast::Sender<Calls>, u8);
    impl Clone for Calls {
        fn clone(&self) -> Self {
            if self.1 == 0 {
                drop(self.0.try_send(Calls(self.0.clone(), 1)));
                drop(self.0.subscribe());
            }
            Calls(self.0.clone(), self.1)
        }
    }
    run(async {
        let (sender, mut first) = broadcast::channel(1, WhenFull::DropOldest);
        let mut second = first.clone();
        sender.send(Calls(sender.clone(), 0)).await?;
        assert_eq!(first.recv().await?.map(|message| message.1), Some(0));
        assert!(second.recv().await.unwrap_err().is::<Lagged>());
        assert_eq!(first.recv().await?.map(|message| message.1), Some(1));
        assert_eq!(second.recv().await?.map(|message| message.1), Some(1));
        Ok(())
    })
    .unwrap();
}
