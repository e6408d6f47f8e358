//! The timers of a run: a hierarchical timing wheel with exact deadlines.
//!
//! Nearly every timer is a timeout that is cancelled long before it is due. So setting and
//! cancelling one has to be cheap however many there are, and only those that live long enough
//! to need it should be put in order. That is what a wheel does: arithmetic finds a slot for the
//! timer, it is linked there to its neighbours, and most are taken out of that slot again without
//! ever having been compared to more than one other. Nothing is allocated for it but room for as
//! many timers as there are at a time.
//!
//! Wheels usually round deadlines to a tick. This one does not, as a virtual clock jumps from
//! deadline to deadline and has to stop at each of them, in order; and it need not, as 11 levels
//! of 64 slots do for all the 2^64 nanoseconds. A deadline is read as a number of 11 digits of 6
//! bits. The highest digit that differs from the wheel's position is the timer's level, and the
//! value of that digit its slot. When the position comes to a slot, the slot's timers are dealt
//! out to lower levels. On the lowest, all the timers of a slot have the same deadline.
//!
//! The next deadline is in the first slot in use. A slot knows its earliest timer until that one
//! goes, and then looks for the next when asked. There may be a million timers in a slot, and the
//! earliest may be the one that goes each time (connections that put off their idle timeouts in
//! turn), so a long slot is looked through once, and then has a heap.
//!
//! # Invariants
//!
//! 1. `position <= now`, and an entry whose deadline is not before `position` is in the slot that
//!    `place` gives. The position only moves to where dealing out one slot keeps this true. An
//!    entry set for a time before the position is in the slot `LATE`.
//! 2. So equal deadlines are always in the same slot; and a slot is in order of insertion, as
//!    entries are only put at its end, and dealt out from its beginning.
//! 3. `Slot::earliest` is the first of the slot's earliest entries, or `NIL`: not known.
//!    `Slot::heap` is empty, or has all the slot's entries, and some that have gone.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;
/// The slot of the entries that were late when they were inserted. It stands above the levels.
const LATE: usize = LEVELS * SLOTS;

const NIL: u32 = u32::MAX;

/// Up to this many entries it is cheaper to look through a slot each time than to keep a heap.
const SHORT: u32 = 16;

/// Names a timer from its insertion until it fires or is removed, and nothing after that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct TimerKey {
    index: u32,
    generation: u32,
}

impl TimerKey {
    /// The key of no timer.
    pub(crate) const NONE: TimerKey = TimerKey { index: NIL, generation: RETIRED };
}

impl Default for TimerKey {
    fn default() -> Self {
        TimerKey::NONE
    }
}

const _: () = assert!(size_of::<TimerKey>() == 8);

/// The generation of an entry that has had all the others. It is not used again, so that no two
/// timers ever have the same key.
const RETIRED: u32 = u32::MAX;

struct Entry<T> {
    deadline: u64,
    prev: u32,
    /// In a free entry, the next free one.
    next: u32,
    /// Counts the timers the entry has held. A free entry has that of its next timer already.
    generation: u32,
    payload: Option<T>,
}

/// The entries of a slot by deadline, then in order of insertion. One that goes stays in here until
/// it comes to the top, where its key gives it away.
type Heap = BinaryHeap<Reverse<(u64, u64, TimerKey)>>;

struct Slot {
    head: u32,
    tail: u32,
    len: u32,
    earliest: Cell<u32>,
    heap: Cell<Heap>,
}

impl Slot {
    fn new() -> Self {
        let (earliest, heap) = (Cell::new(NIL), Cell::default());
        Slot { head: NIL, tail: NIL, len: 0, earliest, heap }
    }
}

/// Timers with a payload each, in order of their deadlines.
pub(crate) struct Wheel<T> {
    now: u64,
    /// What levels and slots are reckoned from. It falls behind `now` while there are expired
    /// timers to hand out.
    position: u64,
    entries: Vec<Entry<T>>,
    free: u32,
    len: usize,
    /// How many timers there have been, which numbers them for the heaps.
    inserted: u64,
    slots: Box<[Slot]>,
    /// A bit for each slot that is not empty, for each level and for `LATE`.
    used_slots: [u64; LEVELS + 1],
    /// A bit for each of `used_slots` that is not 0.
    used_levels: u32,
}

impl<T> Wheel<T> {
    /// An empty wheel, at time 0.
    pub(crate) fn new() -> Self {
        Wheel {
            now: 0,
            position: 0,
            entries: Vec::new(),
            free: NIL,
            len: 0,
            inserted: 0,
            slots: (0..=LATE).map(|_| Slot::new()).collect(),
            used_slots: [0; LEVELS + 1],
            used_levels: 0,
        }
    }

    /// How many timers there are, expired ones that were not handed out yet among them.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The latest time that was given to [`pop_expired`](Self::pop_expired).
    #[cfg(test)]
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Sets a timer. If the deadline has passed already, the next
    /// [`pop_expired`](Self::pop_expired) hands it out, in its place in the order.
    ///
    /// # Panics
    ///
    /// If there are 2^32 - 1 timers.
    pub(crate) fn insert(&mut self, deadline: u64, payload: T) -> TimerKey {
        let mut index = self.free;
        if let Some(entry) = self.entries.get_mut(index as usize) {
            self.free = entry.next;
            entry.deadline = deadline;
            entry.payload = Some(payload);
        } else {
            index = new_index(self.entries.len());
            self.entries.push(Entry {
                deadline,
                prev: NIL,
                next: NIL,
                generation: 0,
                payload: Some(payload),
            });
        }
        self.len += 1;
        self.inserted += 1;
        self.link(index);
        self.key(index)
    }

    /// Takes a timer out, unless it has fired or was removed before.
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<T> {
        self.get_mut(key)?;
        self.take(key.index).1
    }

    /// The payload of a timer, unless it has fired or was removed.
    pub(crate) fn get_mut(&mut self, key: TimerKey) -> Option<&mut T> {
        let entry = self.entries.get_mut(key.index as usize)?;
        let payload = entry.payload.as_mut();
        payload.filter(|_| entry.generation == key.generation)
    }

    /// The earliest deadline of all; it may have passed.
    ///
    /// It is known, unless the earliest timer of a slot was removed. Finding another takes
    /// logarithmic time, if looking through a slot is counted as part of the insertions into it.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        let place = self.first_place()?;
        if place < SLOTS {
            return Some(self.start(place));
        }
        Some(self.entries[self.earliest(place) as usize].deadline)
    }

    /// Moves the time forward to `now`, and takes out the earliest timer if it has expired. Timers
    /// come in order of deadline, and those of equal deadline in order of insertion.
    ///
    /// To be called until it returns `None`. Timers may be inserted and removed in between, and
    /// what is inserted then takes its place among what is left to be handed out.
    pub(crate) fn pop_expired(&mut self, now: u64) -> Option<(u64, T)> {
        let index = self.find_expired(now)?;
        self.fire(index)
    }

    /// As [`pop_expired`](Self::pop_expired), but of the timers that share the earliest deadline
    /// it takes out the one that `choose` picks, given how many they are, or none.
    pub(crate) fn pop_expired_nth(
        &mut self,
        now: u64,
        choose: impl FnOnce(usize) -> Option<usize>,
    ) -> Option<(u64, T)> {
        let first = self.find_expired(now)?;
        let nth = choose(self.simultaneous(first).count())?;
        let index = self.simultaneous(first).nth(nth)?;
        self.fire(index)
    }

    /// An entry and those after it in its slot that have the same deadline.
    fn simultaneous(&self, first: u32) -> impl Iterator<Item = u32> {
        let entry = |index: u32| self.entries.get(index as usize).map(|entry| (index, entry));
        let deadline = self.entries[first as usize].deadline;
        std::iter::successors(entry(first), move |(_, last)| entry(last.next))
            .filter(move |(_, entry)| entry.deadline == deadline)
            .map(|(index, _)| index)
    }

    /// Moves the time forward to `now`, and finds the earliest entry if it has expired.
    fn find_expired(&mut self, now: u64) -> Option<u32> {
        self.now = self.now.max(now);
        loop {
            let place = self.first_place();
            let Some(place) = place.filter(|&p| p == LATE || self.start(p) <= self.now) else {
                // No slot in use begins on the way there, so nothing has to be dealt out.
                self.position = self.now;
                return None;
            };
            if place == LATE {
                return Some(self.earliest(LATE));
            }
            if place < SLOTS {
                self.position = self.start(place);
                return Some(self.slots[place].head);
            }
            // As far as possible without passing a timer, so that the earliest skips the levels
            // between; but looking for it would cost more than that saves.
            let earliest = self.slots[place].earliest.get();
            self.position = match self.entries.get(earliest as usize) {
                Some(entry) => entry.deadline.min(self.now),
                None => self.start(place),
            };
            self.deal_out(place);
        }
    }

    fn fire(&mut self, index: u32) -> Option<(u64, T)> {
        let (deadline, payload) = self.take(index);
        payload.map(|payload| (deadline, payload))
    }

    fn key(&self, index: u32) -> TimerKey {
        let generation = self.entries[index as usize].generation;
        TimerKey { index, generation }
    }

    /// The slot for a deadline.
    fn place(&self, deadline: u64) -> usize {
        if deadline < self.position {
            return LATE;
        }
        let level = ((deadline ^ self.position) | 1).ilog2() / DIGIT_BITS;
        let digit = (deadline >> (level * DIGIT_BITS)) as usize % SLOTS;
        level as usize * SLOTS + digit
    }

    /// The first slot in use. What is late is before the position, and everything else is not.
    /// The entries of a level agree with the position in all the higher digits, so they are
    /// before those of the next level.
    fn first_place(&self) -> Option<usize> {
        if self.slots[LATE].len > 0 {
            return Some(LATE);
        }
        let level = self.used_levels.trailing_zeros() as usize;
        let digit = self.used_slots.get(level)?.trailing_zeros() as usize;
        Some(level * SLOTS + digit)
    }

    /// The earliest time that belongs in a slot, which is not `LATE`.
    fn start(&self, place: usize) -> u64 {
        let shift = (place / SLOTS) as u32 * DIGIT_BITS;
        let digit = (place % SLOTS) as u64;
        self.position & (!0 << shift << DIGIT_BITS) | digit << shift
    }

    /// The earliest entry of a slot that is not empty.
    fn earliest(&self, place: usize) -> u32 {
        let slot = &self.slots[place];
        if slot.earliest.get() == NIL {
            slot.earliest.set(self.find_earliest(slot));
        }
        slot.earliest.get()
    }

    #[cold]
    fn find_earliest(&self, slot: &Slot) -> u32 {
        let entry = |index: u32| self.entries.get(index as usize).map(|entry| (index, entry));
        let list = std::iter::successors(entry(slot.head), |(_, last)| entry(last.next));
        let mut heap = slot.heap.take();
        if heap.is_empty() {
            if slot.len <= SHORT {
                let earliest = list.min_by_key(|(_, entry)| entry.deadline);
                return earliest.map_or(NIL, |(index, _)| index);
            }
            // These numbers are lower than those of timers that are yet to come.
            let mut entries = Vec::with_capacity(slot.len as usize);
            entries.extend((0..).zip(list).map(|(number, (index, entry))| {
                Reverse((entry.deadline, number, self.key(index)))
            }));
            heap = entries.into();
        }
        while let Some(Reverse((.., key))) = heap.peek()
            && self.key(key.index) != *key
        {
            heap.pop();
        }
        let earliest = heap.peek().map_or(NIL, |top| top.0.2.index);
        slot.heap.set(heap);
        earliest
    }

    /// Puts an entry at the end of its slot.
    fn link(&mut self, index: u32) {
        let deadline = self.entries[index as usize].deadline;
        let place = self.place(deadline);
        let slot = &mut self.slots[place];
        let tail = slot.tail;
        if let Some(last) = self.entries.get_mut(tail as usize) {
            last.next = index;
            let earliest = self.entries.get(slot.earliest.get() as usize);
            if earliest.is_some_and(|earliest| deadline < earliest.deadline) {
                slot.earliest.set(index);
            }
        } else {
            slot.head = index;
            slot.earliest.set(index);
            self.used_slots[place / SLOTS] |= 1 << (place % SLOTS);
            self.used_levels |= 1 << (place / SLOTS);
        }
        slot.tail = index;
        slot.len += 1;
        let entry = &mut self.entries[index as usize];
        (entry.prev, entry.next) = (tail, NIL);
        let generation = entry.generation;
        let heap = slot.heap.get_mut();
        if !heap.is_empty() {
            let key = TimerKey { index, generation };
            heap.push(Reverse((deadline, self.inserted, key)));
            // When most of it has gone, another can be made, should one be needed.
            if heap.len() / 2 > slot.len as usize + SHORT as usize {
                *heap = Heap::new();
            }
        }
    }

    /// Takes an entry out of its slot and frees it.
    fn take(&mut self, index: u32) -> (u64, Option<T>) {
        let entry = &mut self.entries[index as usize];
        let (deadline, prev, next) = (entry.deadline, entry.prev, entry.next);
        let payload = entry.payload.take();
        entry.generation += 1;
        if entry.generation != RETIRED {
            entry.next = self.free;
            self.free = index;
        }
        self.len -= 1;

        let place = self.place(deadline);
        let slot = &mut self.slots[place];
        match self.entries.get_mut(prev as usize) {
            Some(prev) => prev.next = next,
            None => slot.head = next,
        }
        match self.entries.get_mut(next as usize) {
            Some(next) => next.prev = prev,
            None => slot.tail = prev,
        }
        slot.len -= 1;
        if slot.earliest.get() == index {
            slot.earliest.set(NIL);
        }
        if slot.len == 0 {
            self.clear(place);
        }
        (deadline, payload)
    }

    /// Distributes the entries of a slot that the position has come to.
    fn deal_out(&mut self, place: usize) {
        let mut index = self.slots[place].head;
        self.clear(place);
        while let Some(entry) = self.entries.get(index as usize) {
            let next = entry.next;
            self.link(index);
            index = next;
        }
    }

    fn clear(&mut self, place: usize) {
        self.slots[place] = Slot::new();
        let level = place / SLOTS;
        self.used_slots[level] &= !(1 << (place % SLOTS));
        if self.used_slots[level] == 0 {
            self.used_levels &= !(1 << level);
        }
    }
}

fn new_index(len: usize) -> u32 {
    match u32::try_from(len) {
        Ok(index) if index != NIL => index,
        _ => panic!("too many timers: there can be 2^32 - 1 at a time"),
    }
}

#[cfg(test)]
mod tests;
