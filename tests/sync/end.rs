//! D3: `None` comes only when no message is stored, handed to a receiver, or held back.

use std::cell::Cell;

use futures::poll;
use seedbed::{CancelScope, TryRecvError, channel, nursery, yield_now};

use super::Random;
use crate::support::{builder, run};

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
