//! `broadcast`: each receiver receives the messages that were sent while it existed, in their
//! order. The model keeps a list for each. The first byte says how large the channel is and what
//! happens when it is full; each further byte is a step.

use std::collections::VecDeque;
use std::mem;

use seedbed::TrySendError;
use seedbed::sync::broadcast::{self, TryRecvError, WhenFull};

use super::Operation;

const RECEIVERS: usize = 3;
const SENDERS: usize = 2;

type Receiver = broadcast::Receiver<u64>;

/// A receiver, and what it has yet to receive.
struct Reader {
    /// With its operation while that waits.
    place: Place,
    unread: VecDeque<u64>,
    missed: u64,
    /// Whether it waits and was told that there is something.
    served: bool,
}

enum Place {
    Idle(Receiver),
    /// The second one has the same place, for when the operation ends without a result.
    Waits(Operation<'static, Received>, Receiver),
    Gone,
}

type Received = (Result<Option<u64>, u64>, Receiver);

/// A sender that waits with its message.
struct Writer {
    operation: Operation<'static, bool>,
    message: u64,
    /// Whether its message was sent, or came back.
    served: Option<bool>,
}

struct Model {
    sender: Option<broadcast::Sender<u64>>,
    when_full: WhenFull,
    capacity: usize,
    readers: Vec<Reader>,
    writers: [Option<Writer>; SENDERS],
    queue: VecDeque<usize>,
    /// What is stored.
    stored: VecDeque<u64>,
    next: u64,
}

impl Model {
    fn receivers(&self) -> usize {
        self.readers.iter().filter(|reader| !matches!(reader.place, Place::Gone)).count()
    }

    /// Drops what all have received, and lets those send that wait.
    fn tidy(&mut self) {
        loop {
            let oldest = self.readers.iter().filter_map(|reader| reader.unread.front()).min();
            let oldest = oldest.copied().unwrap_or(u64::MAX);
            self.stored.retain(|message| *message >= oldest);
            if self.stored.len() >= self.capacity {
                return;
            }
            let Some(at) = self.queue.pop_front() else { return };
            let Some(writer) = &mut self.writers[at] else { continue };
            if writer.operation.is_cancelled() {
                continue;
            }
            let (message, sends) = (writer.message, self.receivers() > 0);
            self.writers[at].as_mut().expect("it is there").served = Some(sends);
            if sends {
                self.store(message);
            }
        }
    }

    fn waits_to_send(&self) -> bool {
        let waits = |at: &usize| {
            let writer = self.writers[*at].as_ref();
            writer.is_some_and(|writer| !writer.operation.is_cancelled())
        };
        self.queue.iter().any(waits)
    }

    fn store(&mut self, message: u64) {
        if self.stored.len() >= self.capacity {
            let oldest = self.stored.pop_front();
            for reader in &mut self.readers {
                if reader.unread.front().copied() == oldest {
                    reader.unread.pop_front();
                    reader.missed += 1;
                }
            }
        }
        self.stored.push_back(message);
        for reader in &mut self.readers {
            let waits = matches!(&reader.place, Place::Waits(waits, _) if !waits.is_cancelled());
            reader.served |= waits;
            if !matches!(reader.place, Place::Gone) {
                reader.unread.push_back(message);
            }
        }
    }

    fn try_send(&mut self) {
        let Some(sender) = &self.sender else { return };
        let message = self.next;
        self.next += 1;
        let outcome = sender.try_send(message);
        if self.receivers() == 0 {
            assert!(matches!(outcome, Err(TrySendError::Closed(back)) if back == message));
        } else if self.when_full == WhenFull::Wait
            && (self.stored.len() >= self.capacity || self.waits_to_send())
        {
            assert!(matches!(outcome, Err(TrySendError::Full(back)) if back == message));
        } else {
            assert!(outcome.is_ok());
            self.store(message);
        }
    }

    fn send(&mut self, at: usize) {
        let (Some(sender), None) = (&self.sender, &self.writers[at]) else { return };
        let (message, sender) = (self.next, sender.clone());
        self.next += 1;
        let mut operation = Operation::new(async move {
            match sender.send(message).await {
                Ok(()) => Ok(true),
                Err(error) if error.error().is_cancelled() => {
                    assert_eq!(error.into_inner(), message);
                    Err(seedbed::checkpoint().await.unwrap_err())
                }
                Err(error) => {
                    assert_eq!(error.into_inner(), message);
                    Ok(false)
                }
            }
        });
        match operation.poll() {
            Some(sent) => {
                let sent = sent.expect("not cancelled");
                assert_eq!(sent, self.receivers() > 0);
                if sent {
                    let room = self.stored.len() < self.capacity && !self.waits_to_send();
                    assert!(room || self.when_full == WhenFull::DropOldest);
                    self.store(message);
                }
            }
            None => {
                assert_eq!(self.when_full, WhenFull::Wait);
                assert!(self.stored.len() >= self.capacity || self.waits_to_send());
                self.queue.push_back(at);
                self.writers[at] = Some(Writer { operation, message, served: None });
            }
        }
    }

    fn poll_writer(&mut self, at: usize) {
        let Some(mut writer) = self.writers[at].take() else { return };
        match writer.operation.poll() {
            Some(Some(sent)) => assert_eq!(writer.served, Some(sent)),
            Some(None) => {
                assert!(writer.operation.is_cancelled() && writer.served.is_none());
                self.queue.retain(|other| *other != at);
            }
            None if writer.operation.is_cancelled() && writer.served.is_none() => {
                // It lets others run once more before it fails.
                self.writers[at] = Some(writer);
            }
            None => {
                assert!(writer.served.is_none());
                self.writers[at] = Some(writer);
            }
        }
    }

    fn drop_writer(&mut self, at: usize) {
        if self.writers[at].take().is_some() {
            self.queue.retain(|other| *other != at);
            self.tidy();
        }
    }

    /// What its next call is to give.
    fn expected(reader: &mut Reader) -> Result<Option<u64>, u64> {
        match mem::take(&mut reader.missed) {
            0 => Ok(reader.unread.pop_front()),
            missed => Err(missed),
        }
    }

    fn receive(&mut self, at: usize) {
        let reader = &mut self.readers[at];
        let Place::Idle(receiver) = mem::replace(&mut reader.place, Place::Gone) else {
            unreachable!("it is idle")
        };
        let copy = receiver.clone();
        let mut receiver = receiver;
        let mut operation = Operation::new(async move {
            let received = match receiver.recv().await {
                Ok(received) => Ok(received),
                Err(error) => match error.downcast_ref::<broadcast::Lagged>() {
                    Some(lagged) => Err(lagged.missed()),
                    None => return Err(error),
                },
            };
            Ok((received, receiver))
        });
        match operation.poll() {
            Some(outcome) => {
                let (received, receiver) = outcome.expect("not cancelled");
                drop(copy);
                reader.place = Place::Idle(receiver);
                assert_eq!(received, Model::expected(reader));
                assert!(received != Ok(None) || self.sender.is_none());
            }
            None => {
                assert!(reader.unread.is_empty() && reader.missed == 0 && self.sender.is_some());
                // The copy counts as a receiver of its own, so it must have nothing to receive.
                reader.place = Place::Waits(operation, copy);
                reader.served = false;
            }
        }
        self.tidy();
    }

    fn poll_reader(&mut self, at: usize) {
        let reader = &mut self.readers[at];
        match mem::replace(&mut reader.place, Place::Gone) {
            Place::Waits(mut operation, copy) => match operation.poll() {
                None => {
                    assert!(!reader.served && !operation.is_cancelled());
                    reader.place = Place::Waits(operation, copy);
                }
                Some(Some((received, receiver))) => {
                    assert!(reader.served);
                    drop(copy);
                    reader.place = Place::Idle(receiver);
                    assert_eq!(received, Model::expected(reader));
                    assert!(received != Ok(None) || self.sender.is_none());
                }
                Some(None) => {
                    assert!(operation.is_cancelled() && !reader.served);
                    drop(operation);
                    reader.place = Place::Idle(copy);
                }
            },
            place => reader.place = place,
        }
        self.tidy();
    }

    /// The operation is dropped: nothing was received.
    fn drop_operation(&mut self, at: usize) {
        let reader = &mut self.readers[at];
        match mem::replace(&mut reader.place, Place::Gone) {
            Place::Waits(operation, copy) => {
                drop(operation);
                reader.place = Place::Idle(copy);
            }
            place => reader.place = place,
        }
        self.tidy();
    }

    fn try_receive(&mut self, at: usize) {
        let reader = &mut self.readers[at];
        let Place::Idle(receiver) = &mut reader.place else { return };
        assert_eq!(receiver.len(), reader.unread.len());
        let received = receiver.try_recv();
        match (Model::expected(reader), received) {
            (Ok(Some(expected)), Ok(received)) => assert_eq!(received, expected),
            (Err(missed), Err(TryRecvError::Lagged(lagged))) => {
                assert_eq!(lagged.missed(), missed);
            }
            (Ok(None), Err(TryRecvError::Empty)) => assert!(self.sender.is_some()),
            (Ok(None), Err(TryRecvError::Ended)) => assert!(self.sender.is_none()),
            (expected, received) => panic!("{expected:?} was expected, not {received:?}"),
        }
        self.tidy();
    }

    fn go(&mut self, at: usize) {
        let reader = &mut self.readers[at];
        drop(mem::replace(&mut reader.place, Place::Gone));
        reader.unread.clear();
        reader.missed = 0;
        self.tidy();
    }

    fn subscribe(&mut self, at: usize) {
        let Some(sender) = &self.sender else { return };
        self.readers[at].place = Place::Idle(sender.subscribe());
    }

    fn step(&mut self, step: u8) {
        let (at, what) = (usize::from(step) % RECEIVERS, usize::from(step) / RECEIVERS % 17);
        match (what, &self.readers[at].place) {
            (0..4, Place::Idle(_)) => self.receive(at),
            (0..4, Place::Waits(..)) => self.poll_reader(at),
            (0..4, Place::Gone) => self.subscribe(at),
            (4, Place::Waits(operation, _)) => operation.scope.cancel(),
            (5, Place::Waits(..)) => self.drop_operation(at),
            (6 | 7, _) => self.try_receive(at),
            (8, _) if step > 128 => self.go(at),
            (9..12, _) => self.try_send(),
            (12 | 13, _) => self.send(at % SENDERS),
            (14, _) => self.poll_writer(at % SENDERS),
            (15, _) if step > 128 => {
                if let Some(writer) = &self.writers[at % SENDERS] {
                    writer.operation.scope.cancel();
                }
            }
            (15, _) => self.drop_writer(at % SENDERS),
            // The writers have senders of their own.
            (16, _) if step > 200 && self.writers.iter().all(Option::is_none) => {
                self.sender = None;
                for reader in &mut self.readers {
                    let Place::Waits(operation, _) = &reader.place else { continue };
                    reader.served |= !operation.is_cancelled();
                }
            }
            _ => {}
        }
        for reader in &self.readers {
            if let Place::Waits(operation, _) = &reader.place {
                assert!(operation.is_woken() || !(reader.served || operation.is_cancelled()));
            }
        }
        for writer in self.writers.iter().flatten() {
            let due = writer.served.is_some() || writer.operation.is_cancelled();
            assert!(writer.operation.is_woken() || !due);
        }
        if let Some(sender) = &self.sender {
            assert_eq!(sender.len(), self.stored.len());
        }
    }
}

pub fn run(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let when_full = if first % 2 == 0 { WhenFull::DropOldest } else { WhenFull::Wait };
    let capacity = usize::from(first / 2) % 3 + 1;
    super::steps(|| {
        let (sender, _) = broadcast::channel(capacity, when_full);
        let reader = || Reader {
            place: Place::Idle(sender.subscribe()),
            unread: VecDeque::new(),
            missed: 0,
            served: false,
        };
        let mut model = Model {
            readers: (0..RECEIVERS).map(|_| reader()).collect(),
            sender: Some(sender),
            when_full,
            capacity,
            writers: [None, None],
            queue: VecDeque::new(),
            stored: VecDeque::new(),
            next: 0,
        };
        bytes.iter().for_each(|step| model.step(*step));
    });
}
