//! The messages that some have yet to receive.

use std::collections::VecDeque;
use std::rc::Rc;

/// Messages in the order in which they were sent. They are numbered, and the numbers go on.
pub(super) struct Stored<T> {
    messages: VecDeque<Message<T>>,
    /// The number of the first.
    first: u64,
}

struct Message<T> {
    /// Cloned by those who receive it when nothing is borrowed.
    message: Rc<T>,
    /// How many have yet to receive it. It is never 0, and never less than for an older one.
    unread: usize,
}

/// What there is for a receiver.
pub(super) enum Next<T> {
    Message(Rc<T>),
    /// This many messages were dropped before it has received them. It goes on with the first.
    Missed(u64),
    Nothing,
}

impl<T> Stored<T> {
    pub(super) fn new() -> Self {
        Stored { messages: VecDeque::new(), first: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// The number of the next one that is sent.
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    /// How many there are from this number on.
    pub(super) fn len_from(&self, number: u64) -> usize {
        (self.end() - number.max(self.first)) as usize
    }

    /// Stores a message for so many receivers, of whom there is at least one.
    pub(super) fn push(&mut self, message: T, receivers: usize) {
        self.messages.push_back(Message { message: Rc::new(message), unread: receivers });
    }

    /// Drops the oldest, whether or not all have received it. Returns what has to be dropped.
    pub(super) fn drop_oldest(&mut self) -> Option<Rc<T>> {
        let oldest = self.messages.pop_front()?;
        self.first += 1;
        Some(oldest.message)
    }

    /// Takes the message with this number for one of its receivers, and moves the number on.
    #[inline]
    pub(super) fn take(&mut self, number: &mut u64) -> Next<T> {
        let missed = self.first.saturating_sub(*number);
        if missed > 0 {
            *number = self.first;
            return Next::Missed(missed);
        }
        let index = (*number - self.first) as usize;
        let Some(Message { message, unread }) = self.messages.get_mut(index) else {
            return Next::Nothing;
        };
        *number += 1;
        *unread -= 1;
        if *unread > 0 {
            return Next::Message(message.clone());
        }
        // The oldest: whoever has yet to receive an older one has yet to receive this one, too.
        debug_assert_eq!(index, 0);
        Next::Message(self.drop_oldest().expect("it is there"))
    }

    /// A receiver is added that is to receive everything from this number on.
    pub(super) fn join(&mut self, number: u64) {
        self.from(number).for_each(|message| message.unread += 1);
    }

    /// A receiver is gone that had everything from this number on to receive. Returns what has to
    /// be dropped.
    pub(super) fn leave(&mut self, number: u64) -> Vec<Rc<T>> {
        self.from(number).for_each(|message| message.unread -= 1);
        let mut dropped = Vec::new();
        while self.messages.front().is_some_and(|oldest| oldest.unread == 0) {
            dropped.extend(self.drop_oldest());
        }
        dropped
    }

    fn from(&mut self, number: u64) -> impl Iterator<Item = &mut Message<T>> {
        let index = number.saturating_sub(self.first) as usize;
        self.messages.iter_mut().skip(index)
    }
}
