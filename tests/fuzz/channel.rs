//! A channel with several senders and receivers that are cancelled and dropped at any time,
//! compared with a model: bounded, unbounded and conflated, with places that are reserved; and
//! bounded for threads, used by tasks.
//!
//! The first byte is the kind of channel. Each further byte is a step: what is done, and to which
//! of a few operations. Each operation has a scope of its own and is polled by hand.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake};

use seedbed::sync::{conflated_channel, unbounded_channel};
use seedbed::testing::{VirtualClock, statistics};
use seedbed::{
    Builder, CancelScope, Closed, Receiver, Result, SendError, SendPermit, Sender, ThreadReceiver,
    ThreadSender, TryRecvError, TrySendError, channel, checkpoint, thread_channel,
};

const OPERATIONS: usize = 8;

#[derive(Default)]
struct Wakes(AtomicU32);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The two ends of a channel.
enum Ends {
    Tasks(Sender<u32>, Receiver<u32>),
    Threads(ThreadSender<u32>, ThreadReceiver<u32>),
}

impl Ends {
    async fn send(&self, message: u32) -> Result<(), SendError<u32>> {
        match self {
            Ends::Tasks(sender, _) => sender.send(message).await,
            Ends::Threads(sender, _) => sender.send(message).await,
        }
    }

    async fn recv(&self) -> Result<Option<u32>> {
        match self {
            Ends::Tasks(_, receiver) => receiver.recv().await,
            Ends::Threads(_, receiver) => receiver.recv().await,
        }
    }

    async fn reserve(&self) -> Result<SendPermit<'_, u32>> {
        let Ends::Tasks(sender, _) = self else { unreachable!("threads reserve nothing") };
        sender.reserve().await
    }

    fn try_send(&self, message: u32) -> Result<(), TrySendError<u32>> {
        match self {
            Ends::Tasks(sender, _) => sender.try_send(message),
            Ends::Threads(sender, _) => sender.try_send(message),
        }
    }

    fn try_recv(&self) -> Result<u32, TryRecvError> {
        match self {
            Ends::Tasks(_, receiver) => receiver.try_recv(),
            Ends::Threads(_, receiver) => receiver.try_recv(),
        }
    }

    fn close(&self) {
        match self {
            Ends::Tasks(sender, _) => sender.close(),
            Ends::Threads(sender, _) => sender.close(),
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Ends::Tasks(sender, _) => sender.capacity(),
            Ends::Threads(sender, _) => sender.capacity(),
        }
    }
}

/// What an operation ends with: the message that was received or came back.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Sent,
    Received(Option<u32>),
    Reserved,
    Cancelled(Option<u32>),
    Closed(Option<u32>),
}

/// The permits that there are.
type Permits<'a> = Rc<RefCell<Vec<SendPermit<'a, u32>>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sends,
    Reserves,
    Receives,
}

/// An operation that waits, and what it should end with.
struct Operation<'a> {
    future: Pin<Box<dyn Future<Output = Outcome> + 'a>>,
    scope: CancelScope,
    wakes: Arc<Wakes>,
    kind: Kind,
    /// What a sender brought.
    message: Option<u32>,
    /// What it was given to look at: then it has happened, whatever comes after.
    served: Option<Served>,
}

#[derive(Clone, Copy)]
enum Served {
    Sent,
    Reserved,
    /// A message, and which one it was in the order of their acceptance.
    Received(u32, u64),
    Closed,
}

/// What a channel is like.
#[derive(Default)]
struct Model {
    capacity: usize,
    is_conflated: bool,
    /// Whether it is for threads, too. Then it knows nothing of scopes: a waiter that was cancelled
    /// and has not noticed yet is served like any other.
    is_for_threads: bool,
    /// By the order of acceptance.
    buffer: BTreeMap<u64, u32>,
    /// Places for messages that have not been sent.
    reserved: usize,
    /// Those that wait for room, for a message or for a place.
    senders: VecDeque<usize>,
    receivers: VecDeque<usize>,
    accepted: u64,
    closed: bool,
}

struct Pair<'a> {
    ends: &'a Ends,
    permits: Permits<'a>,
    operations: Vec<Option<Operation<'a>>>,
    model: Model,
    /// Messages are numbered.
    messages: u32,
    /// What has become of each: `None` while it is under way.
    fates: Vec<Option<&'static str>>,
}

async fn send(scope: CancelScope, ends: &Ends, message: u32) -> Outcome {
    let mut back = None;
    let sent = scope.enter(async |_| match ends.send(message).await {
        Ok(()) => Ok(Outcome::Sent),
        Err(error) if error.error().is_cancelled() => {
            back = Some(error.into_inner());
            checkpoint().await?; // which fails as well
            unreachable!("the scope stays cancelled")
        }
        Err(error) => Ok(Outcome::Closed(Some(error.into_inner()))),
    });
    sent.await.expect("nothing but the cancellation").unwrap_or(Outcome::Cancelled(back))
}

async fn reserve<'a>(scope: CancelScope, ends: &'a Ends, permits: Permits<'a>) -> Outcome {
    let reserved = scope.enter(async |_| match ends.reserve().await {
        Ok(permit) => {
            permits.borrow_mut().push(permit);
            Ok(Outcome::Reserved)
        }
        Err(error) if error.is::<Closed>() => Ok(Outcome::Closed(None)),
        Err(error) => Err(error),
    });
    reserved.await.expect("nothing but the cancellation").unwrap_or(Outcome::Cancelled(None))
}

async fn receive(scope: CancelScope, ends: &Ends) -> Outcome {
    let received = scope.enter(async |_| Ok(Outcome::Received(ends.recv().await?)));
    received.await.expect("nothing but the cancellation").unwrap_or(Outcome::Cancelled(None))
}

impl<'a> Pair<'a> {
    fn step(&mut self, step: u8) {
        let at = usize::from(step) % OPERATIONS;
        match usize::from(step) / OPERATIONS % 16 {
            0..3 => self.begin(at, Kind::Sends),
            3 if self.model.is_for_threads => self.begin(at, Kind::Sends),
            3 => self.begin(at, Kind::Reserves),
            4..8 => self.begin(at, Kind::Receives),
            8 => self.cancel(at),
            9 if at < 5 => self.send_reserved(),
            9 => self.release(),
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
        self.fates.push(None);
        self.messages += 1;
        self.messages - 1
    }

    fn end(&mut self, message: u32, how: &'static str) {
        let before = self.fates[message as usize].replace(how);
        assert_eq!(before, None, "message {message} was {how}");
    }

    /// The first of these that waits and was not cancelled. It leaves its queue.
    fn first(&mut self, kinds: &[Kind]) -> Option<usize> {
        let Model { senders, receivers, is_for_threads, .. } = &mut self.model;
        let queue = if kinds == [Kind::Receives] { receivers } else { senders };
        let is_it = |at: &usize| {
            let operation = self.operations[*at].as_ref().expect("who waits is there");
            kinds.contains(&operation.kind) && (*is_for_threads || !operation.scope.cancel_called())
        };
        let place = queue.iter().position(is_it)?;
        queue.remove(place)
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
            && self.model.reserved == 0
            && !handed_over.any(|served| matches!(served, Served::Received(..)))
    }

    /// If this is the end, those who wait for a message are told.
    fn tell_end(&mut self) {
        while self.has_ended()
            && let Some(at) = self.first(&[Kind::Receives])
        {
            self.serve(at, Served::Closed);
        }
    }

    /// The model takes a message in. False if there is no room.
    fn put(&mut self, message: u32) -> bool {
        let receiver = self.first(&[Kind::Receives]);
        let used = self.model.buffer.len() + self.model.reserved;
        if receiver.is_none() && used >= self.model.capacity && !self.model.is_conflated {
            return false;
        }
        self.accept(message, receiver);
        true
    }

    fn accept(&mut self, message: u32, receiver: Option<usize>) {
        let number = self.model.accepted;
        self.model.accepted += 1;
        match receiver {
            Some(at) => self.serve(at, Served::Received(message, number)),
            None => self.store(number, message),
        }
    }

    fn store(&mut self, number: u64, message: u32) {
        self.model.buffer.insert(number, message);
        if self.model.is_conflated && self.model.buffer.len() > 1 {
            let (_, oldest) = self.model.buffer.pop_first().expect("there are two");
            self.end(oldest, "conflated");
        }
    }

    /// Whether there is a place to reserve. A rendezvous has one.
    fn has_place(&self) -> bool {
        let used = self.model.buffer.len() + self.model.reserved;
        self.model.is_conflated || used < self.model.capacity.max(1)
    }

    /// The room there is goes to those that have waited longest for it.
    fn serve_room(&mut self) {
        while self.has_place() {
            let used = self.model.buffer.len() + self.model.reserved;
            let for_messages = used < self.model.capacity;
            let kinds: &[Kind] =
                if for_messages { &[Kind::Reserves, Kind::Sends] } else { &[Kind::Reserves] };
            let Some(at) = self.first(kinds) else { return };
            self.serve_with_room(at);
        }
    }

    fn serve_with_room(&mut self, at: usize) {
        match self.operations[at].as_ref().expect("who waits is there").message {
            Some(message) => {
                self.serve(at, Served::Sent);
                self.accept(message, None);
            }
            None => {
                self.serve(at, Served::Reserved);
                self.model.reserved += 1;
            }
        }
    }

    /// The model gives a message out.
    fn take(&mut self) -> Option<u32> {
        let Some((_, first)) = self.model.buffer.pop_first() else {
            let at = self.first(&[Kind::Sends])?;
            self.serve(at, Served::Sent);
            self.model.accepted += 1;
            return self.operations[at].as_ref().and_then(|sender| sender.message);
        };
        self.serve_room();
        Some(first)
    }

    fn begin(&mut self, at: usize, kind: Kind) {
        if self.operations[at].is_some() {
            return;
        }
        let scope = CancelScope::new();
        let message = (kind == Kind::Sends).then(|| self.message());
        let future: Pin<Box<dyn Future<Output = Outcome> + 'a>> = match (kind, message) {
            (Kind::Sends, Some(message)) => Box::pin(send(scope.clone(), self.ends, message)),
            (Kind::Receives, _) => Box::pin(receive(scope.clone(), self.ends)),
            _ => Box::pin(reserve(scope.clone(), self.ends, self.permits.clone())),
        };
        let mut operation =
            Operation { future, scope, wakes: Arc::default(), kind, message, served: None };
        let outcome = operation.poll();
        let expected = match (kind, message) {
            (Kind::Receives, _) => match self.take() {
                None if !self.has_ended() => None,
                message => Some(Outcome::Received(message)),
            },
            _ if self.model.closed => Some(Outcome::Closed(message)),
            (_, Some(message)) => self.put(message).then_some(Outcome::Sent),
            (_, None) => self.has_place().then(|| {
                self.model.reserved += 1;
                Outcome::Reserved
            }),
        };
        assert_eq!(outcome, expected);
        match outcome {
            Some(outcome) => self.ended(outcome),
            None => {
                self.operations[at] = Some(operation);
                let Model { senders, receivers, .. } = &mut self.model;
                if kind == Kind::Receives { receivers } else { senders }.push_back(at);
            }
        }
    }

    fn ended(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Sent
            | Outcome::Reserved
            | Outcome::Received(None)
            | Outcome::Cancelled(None)
            | Outcome::Closed(None) => {}
            Outcome::Received(Some(message)) => self.end(message, "received"),
            Outcome::Cancelled(Some(message)) => self.end(message, "given back when cancelled"),
            Outcome::Closed(Some(message)) => self.end(message, "given back when closed"),
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
            Some(Served::Reserved) => Some(Outcome::Reserved),
            Some(Served::Received(message, _)) => Some(Outcome::Received(Some(message))),
            Some(Served::Closed) if operation.kind == Kind::Receives => {
                Some(Outcome::Received(None))
            }
            Some(Served::Closed) => Some(Outcome::Closed(operation.message)),
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
            Some(Served::Reserved) => self.place_is_free(),
            // It goes back to where it was, or on to the next.
            Some(Served::Received(message, number)) => match self.first(&[Kind::Receives]) {
                Some(other) => self.serve(other, Served::Received(message, number)),
                None => self.store(number, message),
            },
            Some(Served::Closed) | None => {
                message.into_iter().for_each(|message| self.end(message, "dropped"));
            }
        }
    }

    fn place_is_free(&mut self) {
        self.model.reserved -= 1;
        if self.model.closed {
            self.tell_end();
        } else {
            self.serve_room();
        }
    }

    /// Gives up a permit.
    fn release(&mut self) {
        let Some(permit) = self.permits.borrow_mut().pop() else { return };
        drop(permit);
        self.place_is_free();
    }

    /// Uses a permit.
    fn send_reserved(&mut self) {
        let Some(permit) = self.permits.borrow_mut().pop() else { return };
        let message = self.message();
        permit.send(message).expect("there is a receiver");
        self.model.reserved -= 1;
        let receiver = self.first(&[Kind::Receives]);
        self.accept(message, receiver);
        if receiver.is_some() {
            self.serve_room();
        }
    }

    fn try_send(&mut self) {
        let message = self.message();
        let outcome = self.ends.try_send(message);
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
        let outcome = self.ends.try_recv();
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
        self.ends.close();
        self.model.closed = true;
        while let Some(at) = self.first(&[Kind::Sends, Kind::Reserves]) {
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
    let Some((kind, steps)) = bytes.split_first() else { return };
    // What can be done at once is done at once.
    let builder = Builder::new().clock(&VirtualClock::new()).budget(u32::MAX).ctrl_c(false);
    let all = async {
        let before = statistics()?;
        let of_tasks = |(sender, receiver)| Ends::Tasks(sender, receiver);
        let of_threads = |(sender, receiver)| Ends::Threads(sender, receiver);
        let ends = match kind % 10 {
            4 => of_tasks(unbounded_channel()),
            5 => of_tasks(conflated_channel()),
            capacity @ 6.. => of_threads(thread_channel(usize::from(capacity - 6))),
            capacity => of_tasks(channel(usize::from(capacity))),
        };
        let model = Model {
            capacity: ends.capacity(),
            is_conflated: kind % 10 == 5,
            is_for_threads: matches!(ends, Ends::Threads(..)),
            ..Model::default()
        };
        let permits = Permits::default();
        let mut pair = Pair {
            ends: &ends,
            permits: permits.clone(),
            operations: (0..OPERATIONS).map(|_| None).collect(),
            model,
            messages: 0,
            fates: Vec::new(),
        };
        for step in steps {
            pair.step(*step);
        }
        (0..OPERATIONS).for_each(|at| pair.drop(at));
        while !permits.borrow().is_empty() {
            pair.release();
        }
        while !pair.model.buffer.is_empty() {
            pair.try_recv();
        }
        pair.try_recv();
        assert!(pair.fates.iter().all(Option::is_some), "nothing is lost: {:?}", pair.fates);
        assert_eq!(statistics()?, before);
        Ok(())
    };
    let outcome: Result<()> = builder.run(all);
    outcome.expect("it does not fail");
}
