//! What both ends of a channel share, behind one lock.
//!
//! A message is always somewhere: with its sender, in the buffer, or given to a receiver. It is
//! given to the receiver that has waited longest, under the lock, so there is one order of all
//! that happens; a receiver that does not want it any more puts it back where it was.
//!
//! No foreign code runs while the channel is locked: wakers are cloned before, and woken and
//! dropped afterwards, and so are messages.

use std::collections::VecDeque;
use std::mem;

use crate::operation::sync::channel::TrySendError;
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
    /// Each has its message, which is taken when it is served, unless the channel was closed.
    pub(super) senders: Queue<Option<T>>,
    /// Each is given a message, or nothing at the end.
    pub(super) receivers: Queue<Option<Numbered<T>>>,
    open_senders: usize,
    open_receivers: usize,
    pub(super) closed: bool,
    accepted: u64,
    /// How many messages were given to receivers that may still put them back.
    under_way: usize,
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
        self.closed && self.under_way == 0 && self.buffer.is_empty()
    }

    /// Whether [`put`](Self::put) would not give the message back for lack of room.
    pub(super) fn can_send(&self) -> bool {
        self.closed || !self.receivers.is_empty() || self.buffer.len() < self.capacity
    }

    /// Whether there is a message to [take](Self::take), or there will be none.
    pub(super) fn can_receive(&self) -> bool {
        !self.buffer.is_empty() || !self.senders.is_empty() || self.has_ended()
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
        } else if self.buffer.len() < self.capacity {
            let accepted = self.accept(message);
            self.buffer.push_back(accepted);
        } else {
            return Err(TrySendError::Full(message));
        }
        Ok(())
    }

    /// Takes the next message, from the buffer or from a sender that waits.
    pub(super) fn take(&mut self, wakes: &mut Wakes) -> Option<Numbered<T>> {
        let first = self.buffer.pop_front();
        // There may be more in the buffer than its capacity, if some were put back.
        let is_full = first.is_some() && self.buffer.len() >= self.capacity;
        if is_full || self.senders.is_empty() {
            return first;
        }
        let sent = self.senders.serve(None, wakes);
        let sent = self.accept(sent.expect("who waits to send has a message"));
        match first {
            Some(first) => {
                self.buffer.push_back(sent);
                Some(first)
            }
            None => Some(sent),
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
