//! D1: notifications, barriers, cells that are made once, and channels for one or the latest value.

use std::cell::{Cell, RefCell};

use seedbed::sync::{Barrier, Notify, OnceCell, oneshot, watch};
use seedbed::{
    CancelScope, Error, SendError, TryRecvError, cancel_scope, checkpoint, move_on_after, nursery,
    sleep, sleep_forever, yield_now,
};

use crate::support::{builder, is_cancelled, panics, poll_once, run, secs};

#[test]
fn d01_a_notification_is_stored_if_nobody_waits() {
    run(async {
        let notify = Notify::new();
        notify.notify_one();
        notify.notify_one();
        notify.notified().await?;
        let mut second = notify.notified();
        assert!(poll_once(&mut second).await.is_none(), "several are stored as one");
        notify.notify_waiters();
        second.await?;
        assert!(poll_once(notify.notified()).await.is_none(), "nothing was stored");
        // One that was called before, and not polled, counts as waiting.
        let called = notify.notified();
        notify.notify_waiters();
        called.await
    })
    .unwrap();
}

#[test]
fn d01_notifications_are_first_come_first_served() {
    run(async {
        let (notify, order) = (Notify::new(), RefCell::new(Vec::new()));
        nursery(async |n| {
            for i in 0..4 {
                let (notify, order) = (&notify, &order);
                n.spawn(async move {
                    notify.notified().await?;
                    order.borrow_mut().push(i);
                    Ok(())
                });
            }
            yield_now().await?;
            notify.notify_one();
            sleep(secs(1)).await?;
            assert_eq!(*order.borrow(), [0]);
            notify.notify_waiters();
            Ok(())
        })
        .await?;
        assert_eq!(order.take(), [0, 1, 2, 3]);
        Ok(())
    })
    .unwrap();
}

/// As in tokio: to the next one that waits, or it is stored. What was meant for all is not.
#[test]
fn d02_a_notification_that_is_dropped_is_passed_on() {
    run(async {
        let notify = Notify::new();
        let (mut first, mut second) = (notify.notified(), notify.notified());
        assert!(poll_once(&mut first).await.is_none() && poll_once(&mut second).await.is_none());
        notify.notify_one();
        drop(first);
        second.await?;
        let mut first = notify.notified();
        assert!(poll_once(&mut first).await.is_none());
        notify.notify_one();
        drop(first);
        notify.notified().await?; // it was stored
        let mut first = notify.notified();
        assert!(poll_once(&mut first).await.is_none());
        notify.notify_waiters();
        drop(first);
        assert!(poll_once(notify.notified()).await.is_none());
        Ok(())
    })
    .unwrap();
    // One that was taken, and is dropped while others run.
    builder()
        .budget(1)
        .run(async {
            let notify = Notify::new();
            notify.notify_one();
            assert!(poll_once(notify.notified()).await.is_none());
            notify.notified().await
        })
        .unwrap();
}

#[test]
fn d01_a_barrier_opens_when_all_are_there() {
    run(async {
        let (barrier, passed, leaders) = (Barrier::new(3), Cell::new(0), Cell::new(0));
        nursery(async |n| {
            for i in 0..6 {
                let (barrier, passed, leaders) = (&barrier, &passed, &leaders);
                n.spawn(async move {
                    sleep(secs(i)).await?;
                    let all = barrier.wait().await?;
                    passed.set(passed.get() + 1);
                    leaders.set(leaders.get() + i32::from(all.is_leader()));
                    Ok(())
                });
            }
            for expected in [0, 0, 3, 3, 3, 6] {
                sleep(std::time::Duration::from_millis(500)).await?;
                assert_eq!(passed.get(), expected);
                sleep(std::time::Duration::from_millis(500)).await?;
            }
            Ok(())
        })
        .await?;
        assert_eq!(leaders.get(), 2);
        Barrier::new(0).wait().await?;
        assert!(Barrier::new(1).wait().await?.is_leader());
        Ok(())
    })
    .unwrap();
}

#[test]
fn d02_who_has_left_a_barrier_does_not_count() {
    run(async {
        let barrier = Barrier::new(2);
        let none = move_on_after(secs(1), barrier.wait()).await?;
        assert!(none.is_none());
        let mut first = barrier.wait();
        assert!(poll_once(&mut first).await.is_none());
        drop(first);
        // Cancelled, and not polled since.
        let scope = CancelScope::new();
        let mut first = Box::pin(scope.enter(async |_| barrier.wait().await));
        assert!(poll_once(&mut first).await.is_none());
        scope.cancel();
        let mut second = barrier.wait();
        assert!(poll_once(&mut second).await.is_none());
        assert!(first.await?.is_none());
        assert!(barrier.wait().await?.is_leader());
        // The leader is one that goes on.
        assert!(!second.await?.is_leader());
        Ok(())
    })
    .unwrap();
}

#[test]
fn d02_the_leader_is_one_that_goes_on() {
    builder()
        .budget(1)
        .run(async {
            let barrier = Barrier::new(2);
            let mut first = barrier.wait();
            assert!(poll_once(&mut first).await.is_none());
            let mut last = barrier.wait();
            assert!(poll_once(&mut last).await.is_none(), "it lets others run");
            drop(last);
            assert!(first.await?.is_leader());
            Ok(())
        })
        .unwrap();
}

#[test]
fn d01_a_cell_is_made_once() {
    run(async {
        let (cell, made) = (OnceCell::new(), Cell::new(0));
        let make = async || {
            made.set(made.get() + 1);
            sleep(secs(1)).await?;
            Ok(7)
        };
        nursery(async |n| {
            for _ in 0..5 {
                n.spawn(async {
                    assert_eq!(*cell.get_or_init(make).await?, 7);
                    Ok(())
                });
            }
            yield_now().await?;
            assert_eq!(cell.set(8), Err(8), "somebody makes it");
            assert_eq!(cell.get(), None);
            Ok(())
        })
        .await?;
        assert_eq!((made.get(), cell.get()), (1, Some(&7)));
        assert_eq!(cell.set(8), Err(8));
        let mut cell = cell;
        assert_eq!(cell.take(), Some(7));
        assert_eq!(cell.set(9), Ok(()));
        assert_eq!(OnceCell::from(9).into_inner(), cell.get_mut().copied());
        Ok(())
    })
    .unwrap();
}

#[test]
fn d02_a_cell_is_made_by_the_next_if_one_fails_or_is_cancelled() {
    run(async {
        let cell = OnceCell::new();
        nursery(async |n| {
            let failing = n.spawn(async {
                let failed = cell.get_or_init(async || {
                    sleep(secs(1)).await?;
                    Err(Error::msg("planted"))
                });
                Ok(failed.await.map(drop).unwrap_err().to_string())
            });
            yield_now().await?;
            let cut = n.spawn(move_on_after(secs(5), async {
                cell.get_or_init(async || sleep_forever().await.map(|()| 0)).await.map(drop)
            }));
            yield_now().await?;
            let third = n.spawn(async { Ok(*cell.get_or_init(async || Ok(3)).await?) });
            assert_eq!(failing.await?, "planted", "nobody gets another one's error");
            assert_eq!(cut.await?, None);
            assert_eq!(third.await?, 3);
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn d01_both_ends_of_a_oneshot_learn_that_the_other_is_gone() {
    run(async {
        let (mut sender, receiver) = oneshot::channel::<u8>();
        nursery(async |n| {
            n.spawn(async {
                sleep(secs(1)).await?;
                drop(receiver);
                Ok(())
            });
            assert!(!sender.is_closed());
            sender.closed().await?;
            assert!(sender.is_closed());
            assert_eq!(sender.send(1).map_err(SendError::into_inner), Err(1));
            Ok(())
        })
        .await?;

        let (sender, mut receiver) = oneshot::channel::<u8>();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        drop(sender);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Ended));
        let error = receiver.recv().await.unwrap_err();
        let gone = error.downcast_ref::<oneshot::SenderGone>().unwrap();
        assert!(gone.cancelled().is_none() && gone.made().file() == file!());
        assert!(error.to_string().contains(&gone.made().to_string()), "{error}");

        // Its task was cancelled: the receiver's was not.
        let (sender, receiver) = oneshot::channel::<u8>();
        cancel_scope(async move |scope| {
            let _sender = sender;
            scope.cancel();
            checkpoint().await
        })
        .await?;
        let error = receiver.await.unwrap_err();
        let gone = error.downcast_ref::<oneshot::SenderGone>().unwrap();
        assert!(gone.cancelled().is_some() && !error.is_cancelled(), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn d02_a_cancelled_receive_of_one_message_leaves_it_there() {
    run(async {
        let (sender, mut receiver) = oneshot::channel();
        assert_eq!(move_on_after(secs(1), receiver.recv()).await?, None);
        {
            let mut receive = receiver.recv();
            assert!(poll_once(&mut receive).await.is_none());
            sender.send("message")?;
        } // dropped after it was told
        cancel_scope(async |scope| {
            scope.cancel();
            assert!(is_cancelled(&receiver.recv().await));
            Ok(())
        })
        .await?;
        assert_eq!(receiver.recv().await?, "message");
        let (sender, mut receiver) = oneshot::channel();
        sender.send(1)?;
        receiver.close();
        assert_eq!(receiver.await?, 1, "it was sent before");
        Ok(())
    })
    .unwrap();
}

#[test]
fn d01_a_watched_value_is_the_latest() {
    run(async {
        let (sender, mut receiver) = watch::channel(0);
        assert!(!receiver.has_changed());
        assert!(poll_once(receiver.changed()).await.is_none());
        sender.send(1)?;
        sender.send(2)?;
        assert_eq!(receiver.changed().await?, Some(()));
        assert_eq!(*receiver.borrow(), 2);
        assert!(!receiver.has_changed());
        assert!(!sender.send_if_modified(|_| false));
        assert!(!receiver.has_changed());
        sender.send_modify(|value| *value += 1);
        assert!(receiver.has_changed());
        assert_eq!(*sender.send_replace(10), 3);
        let mut late = sender.subscribe();
        assert!(!late.has_changed() && receiver.same_channel(&late));
        late.mark_changed();
        assert_eq!(late.changed().await?, Some(()));
        assert_eq!((*receiver.borrow_and_update(), sender.receiver_count()), (10, 2));
        sender.send(11)?;
        drop(sender);
        assert_eq!(receiver.changed().await?, Some(()), "the last value comes before the end");
        assert_eq!(receiver.changed().await?, None);
        assert_eq!(receiver.wait_for(|value| *value == 11).await?.as_deref(), Some(&11));
        assert!(receiver.wait_for(|value| *value == 12).await?.is_none());
        Ok(())
    })
    .unwrap();
}

/// tokio's borrow is a lock, and a send waits for it, on the same thread forever (#4246).
#[test]
fn d01_a_borrowed_value_is_a_snapshot() {
    run(async {
        let (sender, receiver) = watch::channel(String::from("old"));
        let old = receiver.borrow();
        nursery(async |n| {
            n.spawn(async {
                sender.send("new".into())?;
                sender.send_modify(|value| value.push('!'));
                Ok(())
            });
            yield_now().await?;
            yield_now().await?;
            assert_eq!((old.as_str(), receiver.borrow().as_str()), ("old", "new!"));
            Ok(())
        })
        .await?;
        // A function that changes the value in place is the one thing that must not look at it.
        let text = panics(|| sender.send_modify(|_| drop(receiver.borrow())));
        assert!(text.contains("must not borrow it"), "{text}");
        assert_eq!(*receiver.borrow(), "new!");
        Ok(())
    })
    .unwrap();
}

#[test]
fn d01_a_watched_value_without_receivers_is_not_replaced() {
    run(async {
        let (sender, receiver) = watch::channel(0);
        let other = receiver.clone();
        nursery(async |n| {
            let closed = n.spawn(sender.closed());
            drop(receiver);
            yield_now().await?;
            assert!(!closed.is_finished());
            drop(other);
            closed.await
        })
        .await?;
        assert_eq!(sender.send(1).map_err(SendError::into_inner), Err(1));
        assert_eq!(*sender.borrow(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn d02_a_cancelled_wait_for_a_change_has_not_seen_it() {
    run(async {
        let (sender, mut receiver) = watch::channel(0);
        {
            let mut changed = receiver.changed();
            assert!(poll_once(&mut changed).await.is_none());
            sender.send(1)?;
        } // dropped after it was told
        assert!(receiver.has_changed());
        cancel_scope(async |scope| {
            scope.cancel();
            assert!(is_cancelled(&receiver.changed().await));
            Ok(())
        })
        .await?;
        assert!(receiver.has_changed());
        assert_eq!(receiver.changed().await?, Some(()));
        Ok(())
    })
    .unwrap();
}
