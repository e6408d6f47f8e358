//! A channel between a thread and a task (D4).
//!
//! A message comes while the task looks for one, leaves its waker, sleeps, is cancelled, or drops
//! its future; the thread blocks, or is about to, while the task sends, receives or closes. No wake
//! is lost, which would be a deadlock of the model, and every message is received once, comes back,
//! or is still there.
#![cfg(loom)]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use loom::thread;
use loom_tests::Extent::{All, Preemptions};
use loom_tests::model;
use seedbed::{SendError, cancel_scope, checkpoint, thread_channel};

#[test]
fn d04_a_message_reaches_a_task_and_then_the_end() {
    model(All, || {
        let (sender, receiver) = thread_channel(1);
        let thread = thread::spawn(move || sender.blocking_send(1).unwrap());
        let got = seedbed::run(async { Ok([receiver.recv().await?, receiver.recv().await?]) });
        assert_eq!(got.unwrap(), [Some(1), None]);
        thread.join().unwrap();
    });
}

/// The second message finds the first stored, handed over or received: the thread blocks, or the
/// task is woken once more.
#[test]
fn d04_two_messages_reach_a_task() {
    for capacity in [0, 1] {
        model(Preemptions(3), move || {
            let (sender, receiver) = thread_channel(capacity);
            let thread = thread::spawn(move || {
                sender.blocking_send(1).unwrap();
                sender.blocking_send(2).unwrap();
            });
            let got = seedbed::run(async { Ok([receiver.recv().await?, receiver.recv().await?]) });
            assert_eq!(got.unwrap(), [Some(1), Some(2)]);
            thread.join().unwrap();
        });
    }
}

#[test]
fn d04_a_message_reaches_a_thread_and_then_the_end() {
    for capacity in [0, 1] {
        model(Preemptions(3), move || {
            let (sender, receiver) = thread_channel(capacity);
            let thread = thread::spawn(move || {
                assert_eq!(receiver.blocking_recv().unwrap(), Some(1));
                assert_eq!(receiver.blocking_recv().unwrap(), None);
            });
            seedbed::run(async move { Ok(sender.send(1).await?) }).unwrap();
            thread.join().unwrap();
        });
    }
}

/// The cancellation comes before, while or after the message is handed over.
#[test]
fn d04_a_message_against_a_cancellation() {
    let outcomes = model(Preemptions(3), || {
        let (sender, receiver) = thread_channel(1);
        let thread = thread::spawn(move || sender.blocking_send(1).unwrap());
        let got = seedbed::run(cancel_scope(async |scope| {
            let mut receives = pin!(receiver.recv());
            let first = poll_fn(|cx| Poll::Ready(receives.as_mut().poll(cx))).await;
            if let Poll::Ready(message) = first {
                return message;
            }
            scope.cancel();
            receives.await
        }));
        let got = got.unwrap().map(|message| message.expect("it has not ended"));
        thread.join().unwrap();
        let left = receiver.blocking_recv().unwrap();
        assert!(got.is_some() != left.is_some(), "received, or still there");
        got.is_some()
    });
    assert_eq!(outcomes, [false, true].into());
}

#[test]
fn d04_a_message_against_a_dropped_future() {
    model(Preemptions(3), || {
        let (sender, receiver) = thread_channel(0);
        let thread = thread::spawn(move || sender.blocking_send(1).unwrap());
        let got = seedbed::run(async {
            {
                let mut receives = pin!(receiver.recv());
                let first = poll_fn(|cx| Poll::Ready(receives.as_mut().poll(cx))).await;
                if let Poll::Ready(message) = first {
                    return message;
                }
                checkpoint().await?;
            }
            receiver.recv().await
        });
        assert_eq!(got.unwrap(), Some(1));
        thread.join().unwrap();
    });
}

/// A thread that blocks in order to send, against the end of the receiver.
#[test]
fn d04_a_thread_that_blocks_is_told_that_nobody_receives() {
    let outcomes = model(Preemptions(3), || {
        let (sender, receiver) = thread_channel(0);
        let thread = thread::spawn(move || sender.blocking_send(1).map_err(SendError::into_inner));
        let got = seedbed::run(async move {
            let received = receiver.try_recv().ok();
            Ok(received)
        });
        let sent = thread.join().unwrap();
        assert_eq!(got.unwrap().is_some(), sent.is_ok());
        assert!(sent.is_ok() || sent == Err(1));
        sent.is_ok()
    });
    assert_eq!(outcomes, [false, true].into());
}

/// A thread and a task receive; each message is received once, and all are told the end.
#[test]
fn d04_a_thread_and_a_task_receive() {
    model(Preemptions(2), || {
        let (sender, receiver) = thread_channel(1);
        let there = receiver.clone();
        let thread = thread::spawn(move || u32::from(there.blocking_recv().unwrap().is_some()));
        let got = seedbed::run(async move {
            sender.send(()).await?;
            drop(sender);
            Ok(u32::from(receiver.recv().await?.is_some()))
        });
        assert_eq!(got.unwrap() + thread.join().unwrap(), 1);
    });
}
