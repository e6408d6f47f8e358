//! A channel with several senders and receivers that are cancelled and dropped at any time,
//! compared with a model.
//!
//! The first byte is the capacity. Each further byte is a step: what is done, and to which of a few
//! operations. Each operation has a scope of its own and is polled by hand.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake};

use seedbed::testing::{VirtualClock, statistics};
use seedbed::{
    Builder, CancelScope, Receiver, Result, Sender, TryRecvError, TrySendError, channel, checkpoint,
};

const OPERATIONS: usize = 8;

#[derive(Default)]
struct Wakes(AtomicU32);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What an operation ends with: the message that was received or came back.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Sent,
    Received(Option<u32>),
    Cancelled(Option<u32>),
    Closed(u32),
}

/// An operation that waits, and what it should end with.
struct Operation<'a> {
    future: Pin<Box<dyn Future<Output = Outcome> + 'a>>,
    scope: CancelScope,
    wakes: Arc<Wakes>,
    /// What a sender brought.
    message: Option<u32>,
    /// What it was given to look at: then it has happened, whatever comes after.
    served: Option<Served>,
}

#[derive(Clone, Copy)]
enum Served {
    Sent,
    /// A message, and which one it was in the order of their acceptance.
    Received(u32, u64),
    Closed,
}

/// What a channel is like.
#[derive(Default)]
struct Model {
    capacity: usize,
    /// By the order of acceptance.
    buffer: BTreeMap<u64, u32>,
    senders: VecDeque<usize>,
    receivers: VecDeque<usize>,
    accepted: u64,
    closed: bool,
}

struct Pair<'a> {
    sender: &'a Sender<u32>,
    receiver: &'a Receiver<u32>,
    operations: Vec<Option<Operation<'a>>>,
    model: Model,
    /// Messages are numbered.
    messages: u32,
    /// What has become of each: `None` while it is under way.
    ends: Vec<Option<&'static str>>,
}

async fn send(scope: CancelScope, sender: &Sender<u32>, message: u32) -> Outcome {
    let mut back = None;
    let sent = scope.enter(async |_| match sender.send(message).await {
        Ok(()) => Ok(Outcome::Sent),
        Err(error) if error.error().is_cancelled() => {
            back = Some(error.into_inner());
            checkpoint().await?; // which fails as well
            unreachable!("the scope stays cancelled")
        }
        Err(error) => Ok(Outcome::Closed(error.into_inner())),
    });
    sent.await.expect("nothing but the cancellation").unwrap_or(Outcome::Cancelled(back))
}

async fn receive(scope: CancelScope, receiver: &Receiver<u32>) -> Outcome {
    let received = scope.enter(async |_| Ok(Outcome::Received(receiver.recv().await?)));
    received.await.expect("nothing but the cancellation").unwrap_or(Outcome::Cancelled(None))
}

impl<'a> Pair<'a> {
    fn step(&mut self, step: u8) {
        let at = usize::from(step) % OPERATIONS;
        match usize::from(step) / OPERATIONS % 16 {
            0..4 => self.begin(at, true),
            4..8 => self.begin(at, false),
            8 | 9 => self.cancel(at),
            10 | 11 => self.poll(at),
            12 => self.drop(at),
            13 => self.try_send(),
            14 => self.try_recv(),
            _ if at == 0 => self.close(),
            _ => self.poll(at),
        }
        for operation in self.operations.iter().flatten() {
            let due = operation.served.is_some() || operation.scope.cancel_called();
            let woken = operation.wakes.0.load(Ordering::Relaxed) > 0;
            assert!(woken || !due, "who is served or cancelled is woken");
        }
    }

    fn message(&mut self) -> u32 {
        self.ends.push(None);
        self.messages += 1;
        self.messages - 1
    }

    fn end(&mut self, message: u32, how: &'static str) {
        let before = self.ends[message as usize].replace(how);
        assert_eq!(before, None, "message {message} was {how}");
    }

    /// Whom the next message is for, or comes from: the first that was not cancelled.
    fn first(&mut self, sends: bool) -> Option<usize> {
        let Model { senders, receivers, .. } = &mut self.model;
        let queue = if sends { senders } else { receivers };
        while let Some(at) = queue.pop_front() {
            let operation = self.operations[at].as_ref().expect("who waits is there");
            if !operation.scope.cancel_called() {
                return Some(at);
            }
        }
        None
    }

    fn serve(&mut self, at: usize, served: Served) {
        let operation = self.operations[at].as_mut().expect("who waits is there");
        assert!(operation.served.replace(served).is_none(), "served twice");
    }

    /// Whether no further message can come. One that was handed to a receiver may still come back.
    fn has_ended(&self) -> bool {
        let mut handed_over =
            self.operations.iter().flatten().filter_map(|operation| operation.served);
        self.model.closed
            && self.model.buffer.is_empty()
            && !handed_over.any(|served| matches!(served, Served::Received(..)))
    }

    /// If this is the end, those who wait for a message are told.
    fn tell_end(&mut self) {
        while self.has_ended()
            && let Some(at) = self.first(false)
        {
            self.serve(at, Served::Closed);
        }
    }

    /// The model takes a message in. False if there is no room.
    fn put(&mut self, message: u32) -> bool {
        let receiver = self.first(false);
        if receiver.is_none() && self.model.buffer.len() >= self.model.capacity {
            return false;
        }
        let number = self.model.accepted;
        self.model.accepted += 1;
        match receiver {
            Some(at) => self.serve(at, Served::Received(message, number)),
            None => drop(self.model.buffer.insert(number, message)),
        }
        true
    }

    /// The model gives a message out.
    fn take(&mut self) -> Option<u32> {
        let first = self.model.buffer.pop_first();
        let room = first.is_none() || self.model.buffer.len() < self.model.capacity;
        let sender = if room { self.first(true) } else { None };
        if let Some(at) = sender {
            self.serve(at, Served::Sent);
            let message = self.operations[at].as_ref().and_then(|sender| sender.message);
            let message = message.expect("a sender brings one");
            let number = self.model.accepted;
            self.model.accepted += 1;
            self.model.buffer.insert(number, message);
        }
        first.or_else(|| self.model.buffer.pop_first()).map(|(_, message)| message)
    }

    fn begin(&mut self, at: usize, sends: bool) {
        if self.operations[at].is_some() {
            return;
        }
        let scope = CancelScope::new();
        let message = sends.then(|| self.message());
        let future: Pin<Box<dyn Future<Output = Outcome>>> = match message {
            Some(message) => Box::pin(send(scope.clone(), self.sender, message)),
            None => Box::pin(receive(scope.clone(), self.receiver)),
        };
        let mut operation =
            Operation { future, scope, wakes: Arc::default(), message, served: None };
        let outcome = operation.poll();
        let expected = match message {
            Some(message) if self.model.closed => Some(Outcome::Closed(message)),
            Some(message) => self.put(message).then_some(Outcome::Sent),
            None => match self.take() {
                None if !self.has_ended() => None,
                message => Some(Outcome::Received(message)),
            },
        };
        assert_eq!(outcome, expected);
        match outcome {
            Some(outcome) => self.ended(outcome),
            None => {
                self.operations[at] = Some(operation);
                let Model { senders, receivers, .. } = &mut self.model;
                if sends { senders } else { receivers }.push_back(at);
            }
        }
    }

    fn ended(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Sent | Outcome::Received(None) | Outcome::Cancelled(None) => {}
            Outcome::Received(Some(message)) => self.end(message, "received"),
            Outcome::Cancelled(Some(message)) => self.end(message, "given back when cancelled"),
            Outcome::Closed(message) => self.end(message, "given back when closed"),
        }
    }

    fn cancel(&mut self, at: usize) {
        if let Some(operation) = &self.operations[at] {
            operation.scope.cancel();
        }
    }

    fn poll(&mut self, at: usize) {
        let Some(mut operation) = self.operations[at].take() else { return };
        let outcome = operation.poll();
        let expected = match operation.served {
            Some(Served::Sent) => Some(Outcome::Sent),
            Some(Served::Received(message, _)) => Some(Outcome::Received(Some(message))),
            Some(Served::Closed) => Some(match operation.message {
                Some(message) => Outcome::Closed(message),
                None => Outcome::Received(None),
            }),
            None if operation.scope.cancel_called() => Some(Outcome::Cancelled(operation.message)),
            None => None,
        };
        assert_eq!(outcome, expected);
        match outcome {
            Some(outcome) => {
                self.forget(at);
                self.ended(outcome);
                self.tell_end();
            }
            None => self.operations[at] = Some(operation),
        }
    }

    fn forget(&mut self, at: usize) {
        self.model.senders.retain(|other| *other != at);
        self.model.receivers.retain(|other| *other != at);
    }

    fn drop(&mut self, at: usize) {
        let Some(operation) = self.operations[at].take() else { return };
        self.forget(at);
        let Operation { future, message, served, .. } = operation;
        drop(future);
        match served {
            Some(Served::Sent) => {}
            // It goes back to where it was, or on to the next.
            Some(Served::Received(message, number)) => match self.first(false) {
                Some(other) => self.serve(other, Served::Received(message, number)),
                None => drop(self.model.buffer.insert(number, message)),
            },
            Some(Served::Closed) | None => {
                message.into_iter().for_each(|message| self.end(message, "dropped"));
            }
        }
    }

    fn try_send(&mut self) {
        let message = self.message();
        let outcome = self.sender.try_send(message);
        let expected = if self.model.closed {
            Err(TrySendError::Closed(message))
        } else if self.put(message) {
            Ok(())
        } else {
            Err(TrySendError::Full(message))
        };
        assert_eq!(format!("{outcome:?}"), format!("{expected:?}"));
        if outcome.is_err() {
            self.end(message, "given back at once");
        }
    }

    fn try_recv(&mut self) {
        let outcome = self.receiver.try_recv();
        let expected = match self.take() {
            Some(message) => Ok(message),
            None if self.has_ended() => Err(TryRecvError::Ended),
            None => Err(TryRecvError::Empty),
        };
        assert_eq!(format!("{outcome:?}"), format!("{expected:?}"));
        if let Ok(message) = outcome {
            self.end(message, "received");
        }
    }

    fn close(&mut self) {
        self.sender.close();
        self.model.closed = true;
        while let Some(at) = self.first(true) {
            self.serve(at, Served::Closed);
        }
        self.tell_end();
    }
}

impl Operation<'_> {
    fn poll(&mut self) -> Option<Outcome> {
        self.wakes.0.store(0, Ordering::Relaxed);
        let waker = self.wakes.clone().into();
        match self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }
}

pub fn run(bytes: &[u8]) {
    let Some((capacity, steps)) = bytes.split_first() else { return };
    let capacity = usize::from(capacity % 4);
    // What can be done at once is done at once.
    let builder = Builder::new().clock(&VirtualClock::new()).budget(u32::MAX).ctrl_c(false);
    let all = async {
        let before = statistics()?;
        let (sender, receiver) = channel(capacity);
        let mut pair = Pair {
            sender: &sender,
            receiver: &receiver,
            operations: (0..OPERATIONS).map(|_| None).collect(),
            model: Model { capacity, ..Model::default() },
            messages: 0,
            ends: Vec::new(),
        };
        for step in steps {
            pair.step(*step);
        }
        (0..OPERATIONS).for_each(|at| pair.drop(at));
        while !pair.model.buffer.is_empty() {
            pair.try_recv();
        }
        pair.try_recv();
        assert!(pair.ends.iter().all(Option::is_some), "nothing is lost: {:?}", pair.ends);
        assert_eq!(statistics()?, before);
        Ok(())
    };
    let outcome: Result<()> = builder.run(all);
    outcome.expect("it does not fail");
}
