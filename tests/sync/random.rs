//! C10: random programs, compared with simple models.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;

use futures::poll;
use seedbed::{
    CancelScope, Receiver, Result, Sender, TryRecvError, channel, move_on_after, nursery, sleep,
    yield_now,
};

use super::Random;
use crate::support::{builder, secs};

/// A message: its sender and its number there.
type Message = (usize, usize);

/// Where every message is, as the program sees it.
#[derive(Default)]
struct Ledger {
    sent: RefCell<Vec<Message>>,
    given_back: RefCell<Vec<Message>>,
    /// Dropped by the program together with a `send` that had not ended.
    unknown: RefCell<Vec<Message>>,
    received: RefCell<Vec<(usize, Message)>>,
}

async fn sending(
    who: usize,
    count: usize,
    sender: Sender<Message>,
    random: &Random,
    ledger: &Ledger,
) -> Result<()> {
    for i in 0..count {
        let message = (who, i);
        let send = async {
            match sender.send(message).await {
                Ok(()) => ledger.sent.borrow_mut().push(message),
                Err(error) => {
                    ledger.given_back.borrow_mut().push(error.into_inner());
                }
            }
            Ok(())
        };
        match random.below(6) {
            0 | 1 => send.await?,
            2 => move_on_after(secs(random.below(3) as u64), send).await.map(drop)?,
            3 => {
                // Dropped, at one time or another.
                let mut send = Box::pin(send);
                let mut done = false;
                for _ in 0..random.below(3) {
                    if poll!(&mut send).is_ready() {
                        done = true;
                        break;
                    }
                    if random.one_in(2) {
                        yield_now().await?;
                    }
                }
                drop(send);
                if !done {
                    ledger.unknown.borrow_mut().push(message);
                }
            }
            4 => match sender.try_send(message) {
                Ok(()) => ledger.sent.borrow_mut().push(message),
                Err(error) => ledger.given_back.borrow_mut().push(error.into_inner()),
            },
            _ => {
                let scope = CancelScope::new();
                nursery(async |n| {
                    drop(n.spawn(async {
                        for _ in 0..random.below(4) {
                            yield_now().await?;
                        }
                        scope.cancel();
                        Ok(())
                    }));
                    scope.enter(async |_| send.await).await.map(drop)
                })
                .await?;
            }
        }
        if random.one_in(3) {
            sleep(secs(random.below(2) as u64)).await?;
        }
    }
    Ok(())
}

async fn receiving(
    who: usize,
    drops: bool,
    receiver: Receiver<Message>,
    random: &Random,
    ledger: &Ledger,
) -> Result<()> {
    loop {
        let ended = Cell::new(false);
        let recv = async {
            match receiver.recv().await? {
                Some(message) => ledger.received.borrow_mut().push((who, message)),
                None => ended.set(true),
            }
            Ok(())
        };
        match random.below(5) {
            0 | 1 => recv.await?,
            2 => move_on_after(secs(random.below(3) as u64), recv).await.map(drop)?,
            3 if drops => {
                let mut recv = Box::pin(recv);
                for _ in 0..random.below(4) {
                    if poll!(&mut recv).is_ready() {
                        break;
                    }
                    if random.one_in(2) {
                        yield_now().await?;
                    }
                }
            }
            3 => match receiver.try_recv() {
                Ok(message) => ledger.received.borrow_mut().push((who, message)),
                Err(TryRecvError::Ended) => return Ok(()),
                Err(TryRecvError::Empty) => yield_now().await?,
            },
            _ => {
                let scope = CancelScope::new();
                nursery(async |n| {
                    drop(n.spawn(async {
                        for _ in 0..random.below(4) {
                            yield_now().await?;
                        }
                        scope.cancel();
                        Ok(())
                    }));
                    scope.enter(async |_| recv.await).await.map(drop)
                })
                .await?;
            }
        }
        if ended.get() {
            return Ok(());
        }
        if random.one_in(4) {
            sleep(secs(random.below(2) as u64)).await?;
        }
    }
}

/// Many tasks send, receive, give up, are cancelled and drop what they were doing. Every message
/// is received once or still with its sender, and each sender's arrive in order.
#[test]
fn c10_random_programs_lose_nothing() {
    for seed in 0..400 {
        let random = Random::new(seed);
        let (senders, receivers) = (1 + random.below(5), 1 + random.below(4));
        let (capacity, budget) = (random.below(4), [1, 2, 5, 128][random.below(4)]);
        let drops = receivers == 1 || random.one_in(2);
        let close_early = random.one_in(4);
        let ledger = Ledger::default();
        let counts: Vec<_> = (0..senders).map(|_| random.below(12)).collect();
        let mut builder = builder().budget(budget);
        if random.one_in(2) {
            builder = builder.seed(seed);
        }
        builder
            .run(async {
                let (sender, receiver) = channel(capacity);
                let closer = close_early.then(|| receiver.clone());
                nursery(async |n| {
                    for who in 0..receivers {
                        let receiver = receiver.clone();
                        drop(n.spawn(receiving(who, drops, receiver, &random, &ledger)));
                    }
                    for (who, &count) in counts.iter().enumerate() {
                        let sender = sender.clone();
                        drop(n.spawn(sending(who, count, sender, &random, &ledger)));
                    }
                    drop(sender);
                    if let Some(closer) = closer {
                        sleep(secs(random.below(10) as u64)).await?;
                        closer.close();
                    }
                    Ok(())
                })
                .await?;
                // What was put back after the last receiver had been told of the end.
                while let Ok(message) = receiver.try_recv() {
                    ledger.received.borrow_mut().push((usize::MAX, message));
                }
                Ok(())
            })
            .unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));

        let mut received: Vec<_> = ledger.received.borrow().iter().map(|&(_, m)| m).collect();
        received.sort();
        let mut once = received.clone();
        once.dedup();
        assert_eq!(received, once, "received twice, seed {seed}");
        for message in &*ledger.sent.borrow() {
            assert!(received.contains(message), "{message:?} was lost, seed {seed}");
        }
        for message in &*ledger.given_back.borrow() {
            assert!(!received.contains(message), "{message:?} came back as well, seed {seed}");
        }
        let known = ledger.sent.borrow().len() + ledger.given_back.borrow().len();
        assert_eq!(known + ledger.unknown.borrow().len(), counts.iter().sum::<usize>());
        // A message that is put back may come after one that another receiver has got already.
        // Otherwise each receiver gets each sender's messages in order.
        if receivers == 1 || !drops {
            let mut last = BTreeMap::new();
            for &(who, (sender, i)) in &*ledger.received.borrow() {
                let last = last.entry((who, sender)).or_insert(None);
                assert!(last.is_none_or(|last| last < i), "seed {seed}: {:?}", ledger.received);
                *last = Some(i);
            }
        }
    }
}

/// What a channel does, written down in the plainest way: single steps, each with its outcome.
#[derive(Default)]
struct Model {
    capacity: usize,
    /// What is in the channel; with what was put back it may be more than `capacity`.
    buffer: VecDeque<usize>,
    /// Sends that wait, by number, with their messages.
    sends: VecDeque<(usize, usize)>,
    /// Receives that wait.
    recvs: VecDeque<usize>,
    /// What has happened to those that did, which they have not seen yet.
    done: BTreeMap<usize, Outcome>,
    closed: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Outcome {
    Sent,
    Received(Option<usize>),
    Cancelled(Option<usize>),
    Closed(usize),
}

impl Model {
    fn send(&mut self, id: usize, message: usize) {
        if self.closed {
            self.done.insert(id, Outcome::Closed(message));
        } else if let Some(recv) = self.recvs.pop_front() {
            self.done.insert(recv, Outcome::Received(Some(message)));
            self.done.insert(id, Outcome::Sent);
        } else if self.buffer.len() < self.capacity {
            self.buffer.push_back(message);
            self.done.insert(id, Outcome::Sent);
        } else {
            self.sends.push_back((id, message));
        }
    }

    fn recv(&mut self, id: usize) {
        let mut message = self.buffer.pop_front();
        let room = message.is_none() || self.buffer.len() < self.capacity;
        if room && let Some((send, sent)) = self.sends.pop_front() {
            self.done.insert(send, Outcome::Sent);
            match message {
                Some(_) => self.buffer.push_back(sent),
                None => message = Some(sent),
            }
        }
        if message.is_some() || self.has_ended() {
            self.done.insert(id, Outcome::Received(message));
        } else {
            self.recvs.push_back(id);
        }
    }

    fn cancel(&mut self, id: usize) {
        if let Some(i) = self.sends.iter().position(|&(send, _)| send == id) {
            let (_, message) = self.sends.remove(i).unwrap();
            self.done.insert(id, Outcome::Cancelled(Some(message)));
        } else if let Some(i) = self.recvs.iter().position(|&recv| recv == id) {
            self.recvs.remove(i);
            self.done.insert(id, Outcome::Cancelled(None));
        }
    }

    fn drop(&mut self, id: usize) {
        self.sends.retain(|&(send, _)| send != id);
        self.recvs.retain(|&recv| recv != id);
        if let Some(Outcome::Received(Some(message))) = self.done.remove(&id) {
            match self.recvs.pop_front() {
                Some(recv) => drop(self.done.insert(recv, Outcome::Received(Some(message)))),
                // Messages are numbered in the order in which they are taken in.
                None => {
                    let i = self.buffer.partition_point(|&other| other < message);
                    self.buffer.insert(i, message);
                }
            }
        }
    }

    fn close(&mut self) {
        self.closed = true;
        for (send, message) in self.sends.drain(..) {
            self.done.insert(send, Outcome::Closed(message));
        }
        self.tell_end();
    }

    /// Whether no message can come any more. One that a receiver has not returned with yet may.
    fn has_ended(&self) -> bool {
        let under_way = |outcome: &Outcome| matches!(outcome, Outcome::Received(Some(_)));
        self.closed && self.buffer.is_empty() && !self.done.values().any(under_way)
    }

    /// If this is the end, those who wait are told.
    fn tell_end(&mut self) {
        if self.has_ended() {
            for recv in self.recvs.drain(..) {
                self.done.insert(recv, Outcome::Received(None));
            }
        }
    }

    /// What an operation has come to, which it sees now.
    fn take(&mut self, id: usize) -> Option<Outcome> {
        let outcome = self.done.remove(&id);
        self.tell_end();
        outcome
    }
}

type Step<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// Every single step of a channel against the model.
#[test]
fn c10_random_steps_on_a_channel_agree_with_a_model() {
    for seed in 0..500 {
        builder()
            .budget(1_000_000)
            .run(async {
                let random = Random::new(seed);
                let capacity = random.below(4);
                let mut model = Model { capacity, ..Model::default() };
                let (sender, receiver) = channel(capacity);
                let mut pending: BTreeMap<usize, (CancelScope, Step<'_>)> = BTreeMap::new();
                for id in 0..150 {
                    let kind = random.below(100);
                    let one = (!pending.is_empty())
                        .then(|| *pending.keys().nth(random.below(pending.len())).unwrap());
                    match (kind, one) {
                        (0..70, _) => {
                            let scope = CancelScope::new();
                            let (sender, receiver, inside) = (&sender, &receiver, scope.clone());
                            let mut step: Step<'_> = if kind < 35 {
                                model.send(id, id);
                                Box::pin(async move {
                                    let send = async |_: &CancelScope| Ok(sender.send(id).await);
                                    match inside.enter(send).await.unwrap().unwrap() {
                                        Ok(()) => Outcome::Sent,
                                        Err(error) if error.error().is_cancelled() => {
                                            Outcome::Cancelled(Some(error.into_inner()))
                                        }
                                        Err(error) => Outcome::Closed(error.into_inner()),
                                    }
                                })
                            } else {
                                model.recv(id);
                                Box::pin(async move {
                                    match inside.enter(async |_| receiver.recv().await).await {
                                        Ok(Some(message)) => Outcome::Received(message),
                                        Ok(None) => Outcome::Cancelled(None),
                                        Err(error) => panic!("{error:?}"),
                                    }
                                })
                            };
                            match poll!(&mut step) {
                                std::task::Poll::Ready(outcome) => {
                                    assert_eq!(Some(outcome), model.take(id), "{seed}");
                                }
                                std::task::Poll::Pending => {
                                    assert_eq!(model.done.get(&id), None, "seed {seed}");
                                    pending.insert(id, (scope, step));
                                }
                            }
                        }
                        (70..80, Some(one)) => {
                            pending[&one].0.cancel();
                            model.cancel(one);
                        }
                        (80..88, Some(one)) => {
                            pending.remove(&one);
                            model.drop(one);
                        }
                        (88..98, Some(one)) => {
                            let outcome = poll!(&mut pending.get_mut(&one).unwrap().1);
                            let expected = model.take(one);
                            match outcome {
                                std::task::Poll::Ready(outcome) => {
                                    assert_eq!(Some(outcome), expected, "seed {seed}");
                                    pending.remove(&one);
                                }
                                std::task::Poll::Pending => assert_eq!(expected, None, "{seed}"),
                            }
                        }
                        (98, _) if id > 75 => {
                            sender.close();
                            model.close();
                        }
                        _ => {}
                    }
                }
                sender.close();
                model.close();
                // Those that were given something go first: others may wait for that.
                let rest = std::mem::take(&mut pending);
                let (given, others): (Vec<_>, Vec<_>) =
                    rest.into_iter().partition(|(id, _)| model.done.contains_key(id));
                for (id, (_, step)) in given.into_iter().chain(others) {
                    assert_eq!(Some(step.await), model.take(id), "seed {seed}");
                }
                let rest: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
                assert_eq!(model.buffer, rest, "seed {seed}");
                Ok(())
            })
            .unwrap();
    }
}
