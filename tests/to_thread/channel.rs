//! D4: a channel from any thread to a task, and back.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake};
use std::thread;

use seedbed::{
    CallRefused, Closed, Refusal, Result, ThreadReceiver, ThreadSender, TryRecvError, TrySendError,
    cancel_scope, nursery, thread_channel, to_thread, yield_now,
};

use super::run;

/// Waits, outside of a run, until so many messages are stored or are on offer.
fn wait_for(is_so: impl Fn() -> bool) {
    while !is_so() {
        thread::yield_now();
    }
}

#[test]
fn d04_messages_lead_from_threads_to_a_task() {
    for capacity in [0, 1, 5, 1000] {
        run(async {
            let (sender, receiver) = thread_channel(capacity);
            nursery(async |n| {
                for thread in 0..3 {
                    let sender = sender.clone();
                    let send = to_thread(move || {
                        (0..100).try_for_each(|i| Ok(sender.blocking_send((thread, i))?))
                    });
                    n.spawn(async { send.await? });
                }
                drop(sender);
                let mut next = [0; 3];
                while let Some((thread, i)) = receiver.recv().await? {
                    assert_eq!(i, next[thread], "each thread's come in order");
                    next[thread] += 1;
                }
                assert_eq!(next, [100; 3], "capacity {capacity}");
                Ok(())
            })
            .await
        })
        .unwrap();
    }
}

#[test]
fn d04_messages_lead_from_a_task_to_threads_and_back() {
    for capacity in [0, 1, 5] {
        run(async {
            let (questions, asked) = thread_channel::<u32>(capacity);
            let (answering, answers) = thread_channel(capacity);
            nursery(async |n| {
                for _ in 0..3 {
                    let (asked, answering) = (asked.clone(), answering.clone());
                    let answer = to_thread(move || {
                        while let Some(question) = asked.blocking_recv()? {
                            answering.blocking_send(question * 2)?;
                        }
                        Ok(())
                    });
                    n.spawn(async { answer.await? });
                }
                drop((asked, answering));
                n.spawn(async move {
                    for question in 0..100 {
                        questions.send(question).await?;
                    }
                    Ok(())
                });
                let mut all = Vec::new();
                while answers.recv_many(&mut all, 10).await? > 0 {}
                all.sort();
                assert_eq!(all, (0..100).map(|i| i * 2).collect::<Vec<_>>());
                Ok(())
            })
            .await
        })
        .unwrap();
    }
}

/// Between two threads without a run it is a channel as well.
#[test]
fn d04_messages_lead_from_thread_to_thread() {
    let (sender, receiver) = thread_channel(1);
    let sending = thread::spawn(move || {
        for i in 0..100 {
            sender.blocking_send(i).unwrap();
        }
    });
    for i in 0..100 {
        assert_eq!(receiver.blocking_recv().unwrap(), Some(i));
    }
    assert_eq!(receiver.blocking_recv().unwrap(), None);
    sending.join().unwrap();
}

#[test]
fn d04_blocking_on_a_thread_with_a_run_is_an_error() {
    let (sender, receiver) = thread_channel(1);
    run(async {
        let error = sender.blocking_send(7).unwrap_err();
        let refused = error.error().find::<CallRefused>().expect("it is refused");
        assert_eq!(refused.why(), Refusal::WouldBlock);
        assert!(refused.place().file().ends_with("channel.rs"));
        assert!(error.error().to_string().contains("would block"), "{error}");
        assert_eq!(error.into_inner(), 7);
        assert!(sender.is_empty(), "though there was room");
        sender.try_send(8).unwrap();
        assert!(receiver.blocking_recv().unwrap_err().is::<CallRefused>());
        // On a thread of the run's it is what one does.
        let there = receiver.clone();
        assert_eq!(to_thread(move || there.blocking_recv()).await??, Some(8));
        Ok(())
    })
    .unwrap();
    sender.blocking_send(9).unwrap();
    assert_eq!(receiver.blocking_recv().unwrap(), Some(9));
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn d04_one_wake_for_a_batch() {
    run(async {
        let (sender, receiver) = thread_channel(100);
        let wakes = Arc::new(Wakes::default());
        let waker = wakes.clone().into();
        let mut batch = Vec::new();
        let mut receives = Box::pin(receiver.recv_many(&mut batch, usize::MAX));
        let mut cx = Context::from_waker(&waker);
        assert!(receives.as_mut().poll(&mut cx).is_pending());
        let send = to_thread(move || (0..100).try_for_each(|i| sender.blocking_send(i)));
        assert!(send.await?.is_ok());
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
        assert_eq!(receives.await?, 100);
        assert_eq!(batch, (0..100).collect::<Vec<_>>());
        Ok(())
    })
    .unwrap();
}

#[test]
fn d04_who_blocks_is_told_the_end() {
    // Receivers.
    let (sender, receiver) = thread_channel::<u8>(1);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let receiver = receiver.clone();
            thread::spawn(move || receiver.blocking_recv().unwrap())
        })
        .collect();
    drop(sender);
    assert!(threads.into_iter().all(|thread| thread.join().unwrap().is_none()));
    // Senders, by a close and by the end of the last receiver.
    for by_drop in [true, false] {
        let (sender, receiver) = thread_channel(1);
        sender.blocking_send(0).unwrap();
        let threads: Vec<_> = (1..4)
            .map(|i| {
                let sender = sender.clone();
                thread::spawn(move || sender.blocking_send(i).unwrap_err())
            })
            .collect();
        thread::yield_now();
        let receiver = if by_drop {
            drop(receiver);
            None
        } else {
            receiver.close();
            Some(receiver)
        };
        for (i, thread) in threads.into_iter().enumerate() {
            let error = thread.join().unwrap();
            assert!(error.error().is::<Closed>());
            assert_eq!(error.into_inner(), i + 1);
        }
        assert!(sender.is_closed());
        assert_eq!(sender.try_send(9), Err(TrySendError::Closed(9)));
        if let Some(receiver) = receiver {
            assert_eq!(receiver.try_recv(), Ok(0));
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Ended));
        }
    }
}

/// The message is taken out when the task returns with it, and not before.
#[test]
fn d04_nothing_is_lost_by_a_cancellation_or_a_drop() {
    run(async {
        let (sender, receiver) = thread_channel(1);
        // Receiving: cancelled before a message comes, and dropped after that.
        let received = cancel_scope(async |scope| {
            let mut receives = pin!(receiver.recv());
            assert!(futures::poll!(&mut receives).is_pending());
            scope.cancel();
            receives.await
        });
        assert_eq!(received.await?, None);
        {
            let mut receives = pin!(receiver.recv());
            assert!(futures::poll!(&mut receives).is_pending());
            let there = sender.clone();
            to_thread(move || there.blocking_send(1)).await??;
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty), "it was handed over");
        }
        assert_eq!(receiver.len(), 1, "it has come back");
        // Sending: the message comes back, or is dropped with the future.
        let message = cancel_scope(async |scope| {
            let mut sends = pin!(sender.send(2));
            assert!(futures::poll!(&mut sends).is_pending());
            scope.cancel();
            Ok(sends.await.unwrap_err().into_inner())
        });
        assert_eq!(message.await?, Some(2));
        {
            let mut sends = pin!(sender.send(3));
            assert!(futures::poll!(&mut sends).is_pending());
        }
        assert_eq!(receiver.try_recv(), Ok(1));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        Ok(())
    })
    .unwrap();
}

/// What was handed over before the cancellation has been received.
#[test]
fn d04_a_message_that_was_handed_over_is_received_in_spite_of_a_cancellation() {
    run(async {
        let (sender, receiver) = thread_channel(0);
        let received = cancel_scope(async |scope| {
            let mut receives = pin!(receiver.recv());
            assert!(futures::poll!(&mut receives).is_pending());
            sender.try_send(1).unwrap();
            scope.cancel();
            receives.await
        });
        assert_eq!(received.await?, Some(Some(1)));
        let sent = cancel_scope(async |scope| {
            let mut sends = pin!(sender.send(2));
            assert!(futures::poll!(&mut sends).is_pending());
            assert_eq!(receiver.try_recv(), Ok(2));
            scope.cancel();
            Ok(sends.await?)
        });
        assert_eq!(sent.await?, Some(()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn d04_the_end_waits_for_a_message_that_may_come_back() {
    run(async {
        let (sender, receiver) = thread_channel(0);
        let mut first = Box::pin(receiver.recv());
        let mut second = Box::pin(receiver.recv());
        assert!(futures::poll!(&mut first).is_pending());
        assert!(futures::poll!(&mut second).is_pending());
        sender.try_send(1).unwrap();
        drop(sender);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        assert_eq!(second.await?, Some(1));
        assert_eq!(receiver.recv().await?, None);
        Ok(())
    })
    .unwrap();
}

/// Tasks and threads wait in the same queue.
#[test]
fn d04_first_come_first_served() {
    let (sender, receiver) = thread_channel::<u32>(0);
    let (tell, told) = mpsc::channel();
    seedbed::run(async {
        let mut first = Box::pin(receiver.recv());
        assert!(futures::poll!(&mut first).is_pending());
        let there = receiver.clone();
        let thread = thread::spawn(move || {
            tell.send(()).unwrap();
            there.blocking_recv().unwrap()
        });
        told.recv().unwrap();
        sender.try_send(1).unwrap();
        // It takes what is there as soon as the thread waits.
        wait_for(|| sender.try_send(2).is_ok());
        assert_eq!(thread.join().unwrap(), Some(2));
        assert_eq!(first.await?, Some(1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn d04_each_wait_is_a_checkpoint() {
    run(async {
        let (sender, receiver) = thread_channel(5);
        let cancelled = cancel_scope(async |scope| {
            scope.cancel();
            let error = sender.send(1).await.unwrap_err();
            assert!(error.error().is_cancelled());
            assert!(receiver.recv().await.unwrap_err().is_cancelled());
            assert!(receiver.recv_many(&mut Vec::new(), 0).await.unwrap_err().is_cancelled());
            Ok(())
        });
        cancelled.await?;
        assert!(receiver.is_empty());
        // A loop of what is ready lets others run.
        let others = Cell::new(0);
        nursery(async |n| {
            n.spawn(async {
                for _ in 0..10 {
                    others.set(others.get() + 1);
                    yield_now().await?;
                }
                Ok(())
            });
            while others.get() < 10 {
                sender.send(1).await?;
                assert_eq!(receiver.recv().await?, Some(1));
            }
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn d04_both_ends_can_be_sent_and_shared() {
    fn is_for_threads<T: Send + Sync + Clone>() {}
    is_for_threads::<ThreadSender<Cell<u8>>>();
    is_for_threads::<ThreadReceiver<Cell<u8>>>();
}

/// From one run to another, each on its own thread.
#[test]
fn d04_messages_lead_from_run_to_run() -> Result<()> {
    let (there, coming) = thread_channel(2);
    let (back, returning) = thread_channel(2);
    let other = thread::spawn(move || {
        seedbed::run(async {
            while let Some(message) = coming.recv().await? {
                back.send(message + 1).await?;
            }
            Ok(())
        })
    });
    seedbed::run(async {
        for i in 0..50 {
            there.send(i).await?;
            assert_eq!(returning.recv().await?, Some(i + 1));
        }
        drop(there);
        assert_eq!(returning.recv().await?, None);
        Ok(())
    })?;
    other.join().unwrap()
}
