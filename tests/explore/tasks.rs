//! N13 to N15 under every schedule: services, tasks that are cancelled alone, races.

use std::cell::{Cell, RefCell};

use seedbed::sync::Mutex;
use seedbed::testing::explore;
use seedbed::{Result, TaskCancelled, channel, checkpoint, gather, nursery, race, sleep_forever};

fn explored(program: impl AsyncFn() -> Result<()>) {
    let report = explore(program);
    assert!(report.is_complete(), "{report}");
}

/// Two senders, of which one is cancelled at any moment, and what they send arrives or does not.
#[test]
fn n14_a_message_of_a_cancelled_task_has_been_sent_or_not() {
    explored(async || {
        let (sender, receiver) = channel(0);
        let received = RefCell::new(Vec::new());
        let sent = Cell::new(0);
        let send = async |value| {
            sender.send(value).await?;
            sent.set(sent.get() + 1);
            Ok(())
        };
        nursery(async |n| {
            let one = n.spawn(send(1));
            let other = n.spawn(send(2));
            let cancels = n.spawn(async {
                checkpoint().await?;
                one.cancel();
                let outcome = one.await;
                assert!(outcome.is_ok() || outcome.is_err_and(|error| error.is::<TaskCancelled>()));
                other.await
            });
            let receives = n.spawn(async {
                while let Some(value) = receiver.recv().await? {
                    received.borrow_mut().push(value);
                    if value == 2 {
                        break;
                    }
                }
                Ok(())
            });
            cancels.await?;
            receives.await
        })
        .await?;
        while let Ok(value) = receiver.try_recv() {
            received.borrow_mut().push(value);
        }
        assert_eq!(received.borrow().len(), sent.get());
        Ok(())
    });
}

#[test]
fn n14_a_lock_of_a_cancelled_task_is_free() {
    explored(async || {
        let mutex = Mutex::new(0);
        let work = async || {
            let mut value = mutex.lock().await?;
            checkpoint().await?;
            *value += 1;
            Ok(())
        };
        nursery(async |n| {
            let one = n.spawn(work());
            let other = n.spawn(work());
            checkpoint().await?;
            one.cancel();
            other.await?;
            let outcome = one.await;
            assert!(outcome.is_ok() || outcome.is_err_and(|error| error.is::<TaskCancelled>()));
            Ok(())
        })
        .await?;
        let value = *mutex.try_lock().expect("it is unlocked");
        assert!((1..=2).contains(&value));
        Ok(())
    });
}

/// Whatever the order, the service is there for both of them.
#[test]
fn n13_a_service_outlasts_those_that_it_serves() {
    explored(async || {
        let (requests, served) = channel(0);
        let answered = Cell::new(0);
        nursery(async |n| {
            n.service(async {
                while let Some(()) = served.recv().await? {
                    answered.set(answered.get() + 1);
                }
                Ok(())
            });
            for _ in 0..2 {
                n.spawn(async {
                    checkpoint().await?;
                    Ok(requests.send(()).await?)
                });
            }
            Ok(())
        })
        .await?;
        assert_eq!(answered.get(), 2);
        Ok(())
    });
}

#[test]
fn n13_services_end_in_the_order_that_was_said() {
    explored(async || {
        let order = RefCell::new(Vec::new());
        let service = async |name| {
            sleep_forever().await.unwrap_err();
            order.borrow_mut().push(name);
            Ok(())
        };
        nursery(async |n| {
            let first = n.service(service(1));
            n.service(service(2)).after(&first);
            n.spawn(checkpoint());
            Ok(())
        })
        .await?;
        assert_eq!(*order.borrow(), [1, 2]);
        Ok(())
    });
}

/// Two receivers race: each message is handed over or still there.
#[test]
fn n15_a_race_loses_no_message() {
    explored(async || {
        let (to_one, one) = channel(1);
        let (to_other, other) = channel(1);
        let seen = Cell::new(0);
        nursery(async |n| {
            for sender in [&to_one, &to_other] {
                n.spawn(async move {
                    checkpoint().await?;
                    sender.try_send(()).expect("there is room");
                    Ok(())
                });
            }
            let raced = race([one.recv(), other.recv()]).await?;
            seen.set(1 + raced.late.len());
            Ok(())
        })
        .await?;
        let left = [&one, &other].iter().filter(|receiver| receiver.try_recv().is_ok()).count();
        assert_eq!(seen.get() + left, 2);
        Ok(())
    });
}

#[test]
fn n15_gather_keeps_the_order() {
    explored(async || {
        let values = gather([1, 2].map(async |value| {
            checkpoint().await?;
            Ok(value)
        }))
        .await?;
        assert_eq!(values, [1, 2]);
        Ok(())
    });
}
