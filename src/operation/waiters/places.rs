//! The places of a queue, and the order of the waiters in them.
//!
//! Nearly always one operation waits, or none. So the first place is in the queue itself, and until
//! another one is needed there is no order to keep: the queue consists of whoever has the first
//! place and [queues](State::queues) there.

use std::mem;

use crate::operation::handed::Takes;
use crate::operation::waiters::Given;
use crate::operation::waiters::waiting::Waiting;

/// Stands for no place.
pub(super) const NONE: u32 = u32::MAX;

/// The number of the place that is in the queue itself.
const FIRST: u32 = 0;

pub(super) struct Places<T: Given> {
    /// A place with a waiter in it does not move; it is changed in place.
    first: Slot<T>,
    /// The others, and the order of all, as soon as a second one was needed.
    several: Option<Box<Several<T>>>,
}

struct Several<T: Given> {
    others: Vec<(Slot<T>, Links)>,
    /// The links of the first place.
    first: Links,
    free: u32,
    head: u32,
    /// The last in the queue, unless it is empty.
    tail: u32,
}

#[derive(Clone, Copy)]
struct Links {
    /// The previous one in the queue. Meaningless for the first.
    prev: u32,
    /// The next one in the queue, or in the list of free places.
    next: u32,
}

pub(super) struct Slot<T: Given> {
    pub(super) value: T,
    pub(super) waiting: Waiting,
    /// For a waiter that waits for something that only one can have.
    pub(super) taker: T::Taker,
    pub(super) state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Free,
    Waiting,
    #[cfg(not(loom))]
    /// It waits, but nobody is going to check what becomes of it.
    Abandoned,
    /// It was removed from the queue because it was cancelled; the operation has not looked yet.
    PassedOver,
    /// It was served and removed from the queue; the operation has not looked yet.
    Handed,
}

impl State {
    /// Whether the waiter is in the queue.
    fn queues(self) -> bool {
        match self {
            State::Waiting => true,
            #[cfg(not(loom))]
            State::Abandoned => true,
            State::Free | State::PassedOver | State::Handed => false,
        }
    }
}

impl<T: Given> Slot<T> {
    const FREE: Slot<T> = Slot {
        value: T::NOTHING,
        waiting: Waiting::NONE,
        taker: <T::Taker as Takes>::NONE,
        state: State::Free,
    };
}

impl<T: Given> Places<T> {
    pub(super) const fn new() -> Self {
        Places { first: Slot::FREE, several: None }
    }

    #[inline(always)]
    pub(super) fn slot(&mut self, place: u32) -> &mut Slot<T> {
        match (place, &mut self.several) {
            (FIRST, _) => &mut self.first,
            (_, Some(several)) => &mut several.others[place as usize - 1].0,
            (_, None) => unreachable!("there is a place with each number"),
        }
    }

    /// The place of the first in the queue, or [`NONE`].
    #[inline(always)]
    pub(super) fn head(&self) -> u32 {
        match &self.several {
            None if self.first.state.queues() => FIRST,
            None => NONE,
            Some(several) => several.head,
        }
    }

    /// The place of the first in the queue that was not cancelled, or [`NONE`]. Those before it
    /// leave the queue.
    #[inline(always)]
    pub(super) fn first_not_cancelled(&mut self) -> u32 {
        loop {
            let head = self.head();
            if head == NONE || !self.slot(head).waiting.is_cancelled() {
                return head;
            }
            self.unlink(head);
            // It was woken when it was cancelled, and will look.
            self.slot(head).state = State::PassedOver;
        }
    }

    /// The place of the next in the queue, or [`NONE`].
    #[inline]
    pub(super) fn after(&mut self, place: u32) -> u32 {
        self.several.as_mut().map_or(NONE, |several| several.links(place).next)
    }

    /// Adds a free place to the end of the queue, for a waiter that is about to be put there.
    #[inline(always)]
    pub(super) fn join(&mut self) -> u32 {
        match &self.several {
            None if self.first.state == State::Free => FIRST,
            _ => self.join_several(),
        }
    }

    #[inline(never)]
    fn join_several(&mut self) -> u32 {
        let queues = self.first.state.queues();
        let several = self.several.get_or_insert_with(|| Box::new(Several::after_first(queues)));
        if several.free == NONE {
            several.grow();
        }
        several.join()
    }

    /// Removes a waiter from the queue. Its state has to follow.
    #[inline(always)]
    pub(super) fn unlink(&mut self, place: u32) {
        if let Some(several) = &mut self.several {
            several.unlink(place);
        }
    }

    /// Frees a place that is not in the queue and from which `waiting` has been taken. Returns the
    /// value in it.
    #[inline(always)] // on the way of each hand-over, and too often used to be inlined unasked
    pub(super) fn release(&mut self, place: u32) -> T {
        let slot = self.slot(place);
        debug_assert_ne!(slot.state, State::Free, "a ticket is good for as long as its operation");
        slot.state = State::Free;
        slot.taker.fetch();
        let value = mem::replace(&mut slot.value, T::NOTHING);
        if let Some(several) = &mut self.several {
            several.links(place).next = mem::replace(&mut several.free, place);
        }
        value
    }

    /// How many places there are.
    #[cfg(all(test, not(loom)))]
    pub(super) fn count(&self) -> usize {
        1 + self.several.as_ref().map_or(0, |several| several.others.len())
    }
}

impl<T: Given> Several<T> {
    const NO_LINKS: Links = Links { prev: NONE, next: NONE };

    /// For a first place that is taken, and whose waiter may queue.
    #[cold]
    fn after_first(queues: bool) -> Several<T> {
        let head = if queues { FIRST } else { NONE };
        Several { others: Vec::new(), first: Self::NO_LINKS, free: NONE, head, tail: head }
    }

    #[inline(always)]
    fn links(&mut self, place: u32) -> &mut Links {
        match place {
            FIRST => &mut self.first,
            _ => &mut self.others[place as usize - 1].1,
        }
    }

    /// Adds a free place.
    #[cold]
    fn grow(&mut self) {
        self.others.push((Slot::FREE, Self::NO_LINKS));
        self.free = u32::try_from(self.others.len()).expect("more than 4 billion waiters");
    }

    /// Adds a free place, of which there is one, to the end of the queue.
    fn join(&mut self) -> u32 {
        let (place, tail) = (self.free, self.tail);
        let links = self.links(place);
        let free = mem::replace(links, Links { prev: tail, next: NONE }).next;
        self.free = free;
        match self.head {
            NONE => self.head = place,
            _ => self.links(tail).next = place,
        }
        self.tail = place;
        place
    }

    #[inline]
    fn unlink(&mut self, place: u32) {
        let Links { prev, next } = *self.links(place);
        if self.head == place {
            self.head = next;
        } else {
            self.links(prev).next = next;
        }
        match next {
            NONE => self.tail = prev,
            next => self.links(next).prev = prev,
        }
    }
}
