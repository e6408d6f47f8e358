//! What both ends of a channel share, behind one lock.
//!
//! A message is always somewhere: with its sender, in the buffer, or given to a receiver. It is
//! given to the receiver that has waited longest, under the lock, so there is one order of all
//! that happens; a receiver that does not want it any more puts it back where it was.
//!
//! A sink reserves a place before it has a message, by the rules of channels between tasks (see
//! `operation/sync/channel/reserve`).
//!
//! No foreign code runs while the channel is locked: wakers are cloned before, and woken and
//! dropped afterwards, and so are messages.

use std::collections::VecDeque;
use std::mem;

use crate::operation::sync::channel::{Closed, Offered, TrySendError};
use crate::platform::{Arc, Condvar, Mutex, MutexGuard};
use crate::threads::channel::queue::{Queue, Sleeper, Wakes};

pub(super) struct Shared<T> {
    pub(super) capacity: usize,
    state: Mutex<State<T>>,
}

/// A message, with its number in the order in which the channel accepted the messages.
pub(super) struct Numbered<T> {
    number: u64,
    pub(super) message: T,
}

pub(super) struct State<T> {
    capacity: usize,
    /// Sorted by number. If messages were put back there may be more than `capacity`.
    pub(super) buffer: VecDeque<Numbered<T>>,
    /// Each has its message, which is taken when it is served, or wants a place, which it is given
    /// then; unless the channel was closed.
    pub(super) senders: Queue<Offered<T>>,
    /// Each is given a message, or nothing at the end.
    pub(super) receivers: Queue<Option<Numbered<T>>>,
    open_senders: usize,
    open_receivers: usize,
    pub(super) closed: bool,
    accepted: u64,
    /// How many messages were given to receivers that may still put them back.
    under_way: usize,
    /// How many places are reserved for messages that have not been sent.
    reserved: usize,
}

impl<T> Shared<T> {
    pub(super) fn new(capacity: usize) -> Self {
        let state = State {
            capacity,
            buffer: VecDeque::new(),
            senders: Queue::new(),
            receivers: Queue::new(),
            open_senders: 1,
            open_receivers: 1,
            closed: false,
            accepted: 0,
            under_way: 0,
            reserved: 0,
        };
        Shared { capacity, state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock()
    }

    /// Does something to the state, and wakes those that were served.
    pub(super) fn with<R>(&self, change: impl FnOnce(&mut State<T>, &mut Wakes) -> R) -> R {
        let mut wakes = Wakes::new();
        let mut state = self.lock();
        let result = change(&mut state, &mut wakes);
        drop(state);
        wakes.wake();
        result
    }

    pub(super) fn close(&self) {
        self.with(State::close);
    }

    pub(super) fn add_sender(&self) {
        self.lock().open_senders += 1;
    }

    pub(super) fn remove_sender(&self) {
        self.with(|state, wakes| {
            state.open_senders -= 1;
            if state.open_senders == 0 {
                state.close(wakes);
            }
        });
    }

    pub(super) fn add_receiver(&self) {
        self.lock().open_receivers += 1;
    }

    pub(super) fn remove_receiver(&self) {
        let unread = self.with(|state, wakes| {
            state.open_receivers -= 1;
            if state.open_receivers > 0 {
                return VecDeque::new();
            }
            state.close(wakes);
            mem::take(&mut state.buffer)
        });
        drop(unread); // foreign code
    }
}

/// Which of the two queues a thread waits in.
pub(super) type Side<T, V> = fn(&mut State<T>) -> &mut Queue<V>;

/// Makes this thread wait in a queue. Returns what it is given there.
pub(super) fn block_in<'a, T, V>(
    mut state: MutexGuard<'a, State<T>>,
    side: Side<T, V>,
    brought: V,
) -> (MutexGuard<'a, State<T>>, V) {
    let here = Arc::new(Condvar::new());
    let key = side(&mut state).join(brought, Sleeper::Thread(here.clone()));
    loop {
        state = here.wait(state);
        if let Some(given) = side(&mut state).fetch(key) {
            return (state, given);
        }
    }
}

impl<T> State<T> {
    /// Whether no more messages can come.
    pub(super) fn has_ended(&self) -> bool {
        self.closed && self.under_way == 0 && self.reserved == 0 && self.buffer.is_empty()
    }

    /// How many messages are stored, or will be.
    fn used(&self) -> usize {
        self.buffer.len() + self.reserved
    }

    /// How many messages may be stored or reserved when a place is reserved: a rendezvous has one
    /// place, for that alone.
    fn places(&self) -> usize {
        self.capacity.max(1)
    }

    /// Whether [`send`](Self::send) would not have to wait.
    pub(super) fn can_send(&self, offered: &Offered<T>) -> bool {
        if offered.is_message() {
            self.closed || !self.receivers.is_empty() || self.used() < self.capacity
        } else {
            self.closed || self.used() < self.places()
        }
    }

    /// Sends a message or reserves a place, if that is possible now. What is left in `offered` says
    /// what it was.
    pub(super) fn send(
        &mut self,
        offered: &mut Offered<T>,
        wakes: &mut Wakes,
    ) -> Option<Result<(), Closed>> {
        if let Some(message) = offered.take() {
            let (message, outcome) = match self.put(message, wakes) {
                Ok(()) => return Some(Ok(())),
                Err(TrySendError::Closed(message)) => (message, Some(Err(Closed))),
                Err(TrySendError::Full(message)) => (message, None),
            };
            *offered = Offered::Message(message);
            return outcome;
        }
        *offered = Offered::Reservation;
        if self.closed {
            return Some(Err(Closed));
        }
        self.can_send(offered).then(|| {
            self.reserved += 1;
            *offered = Offered::Reserved;
            Ok(())
        })
    }

    /// Whether there is a message to [take](Self::take), or there will be none.
    pub(super) fn can_receive(&self) -> bool {
        !self.buffer.is_empty() || self.senders.has_like(Offered::is_message) || self.has_ended()
    }

    fn accept(&mut self, message: T) -> Numbered<T> {
        let number = self.accepted;
        self.accepted += 1;
        Numbered { number, message }
    }

    /// Gives a message to a receiver or to the buffer, or gives it back.
    pub(super) fn put(&mut self, message: T, wakes: &mut Wakes) -> Result<(), TrySendError<T>> {
        if self.closed {
            return Err(TrySendError::Closed(message));
        }
        if !self.receivers.is_empty() {
            let accepted = self.accept(message);
            self.sets_out();
            self.receivers.serve(Some(accepted), wakes);
        } else if self.used() < self.capacity {
            let accepted = self.accept(message);
            self.buffer.push_back(accepted);
        } else {
            return Err(TrySendError::Full(message));
        }
        Ok(())
    }

    /// Takes the next message, from the buffer or from a sender that waits.
    pub(super) fn take(&mut self, wakes: &mut Wakes) -> Option<Numbered<T>> {
        if let Some(first) = self.buffer.pop_front() {
            self.serve_room(wakes);
            return Some(first);
        }
        // It needs no place, so those that wait for one are passed over.
        let sent = self.senders.serve_like(Offered::is_message, wakes)?.take()?;
        Some(self.accept(sent))
    }

    /// Gives the room there is to those that have waited longest for it.
    fn serve_room(&mut self, wakes: &mut Wakes) {
        // There may be more in the buffer than its capacity, if some were put back.
        while self.used() < self.places() {
            let for_messages = self.used() < self.capacity;
            let fits = |offered: &Offered<T>| for_messages || !offered.is_message();
            let Some(served) = self.senders.serve_like(fits, wakes) else { return };
            if let Some(message) = served.take() {
                let accepted = self.accept(message);
                self.buffer.push_back(accepted);
            } else {
                *served = Offered::Reserved;
                self.reserved += 1;
            }
        }
    }

    /// Sends a message for which a place was reserved. It comes back only if no receiver is left.
    pub(super) fn send_reserved(&mut self, message: T, wakes: &mut Wakes) -> Result<(), T> {
        self.reserved -= 1;
        if self.open_receivers == 0 {
            return Err(message);
        }
        let accepted = self.accept(message);
        if self.receivers.is_empty() {
            self.buffer.push_back(accepted);
        } else {
            self.sets_out();
            self.receivers.serve(Some(accepted), wakes);
            self.serve_room(wakes); // it was not stored, so its place is free
        }
        Ok(())
    }

    /// Gives up a place that was reserved.
    pub(super) fn release(&mut self, wakes: &mut Wakes) {
        self.reserved -= 1;
        if self.closed {
            self.tell_end(wakes);
        } else {
            self.serve_room(wakes);
        }
    }

    /// A message is being given to a receiver that may still put it back.
    pub(super) fn sets_out(&mut self) {
        self.under_way += 1;
    }

    /// The receiver has returned with the message.
    pub(super) fn arrives(&mut self, wakes: &mut Wakes) {
        self.under_way -= 1;
        self.tell_end(wakes);
    }

    /// Puts back a message that was under way, or gives it to the next receiver.
    pub(super) fn put_back(&mut self, message: Numbered<T>, wakes: &mut Wakes) {
        if self.receivers.is_empty() {
            let place = self.buffer.partition_point(|other| other.number < message.number);
            self.buffer.insert(place, message);
            self.under_way -= 1;
        } else {
            self.receivers.serve(Some(message), wakes);
        }
    }

    /// Takes no more messages. Those in the buffer can still be received.
    pub(super) fn close(&mut self, wakes: &mut Wakes) {
        self.closed = true;
        self.senders.serve_all(wakes);
        self.tell_end(wakes);
    }

    fn tell_end(&mut self, wakes: &mut Wakes) {
        if self.has_ended() {
            self.receivers.serve_all(wakes);
        }
    }
}
