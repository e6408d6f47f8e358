//! The timers of a run: a hierarchical timing wheel with exact deadlines.
//!
//! Nearly every timer is a timeout that is cancelled long before it is due. So setting and
//! cancelling one has to be cheap however many there are, and only those that live long enough to
//! need it should be put in order. That is what a wheel does: arithmetic finds a slot for the
//! timer, where it is linked to its neighbours, and most timers are taken out of that slot again
//! without ever having been compared to more than one other. The only memory allocated is room for
//! as many timers as there are at one time.
//!
//! Wheels usually round deadlines to a tick. This one does not, because a virtual clock jumps from
//! deadline to deadline and has to stop at each of them, in order. Nor does it need to: 11 levels
//! of 64 slots are enough for all the 2^64 nanoseconds. A deadline is read as a number of 11 digits
//! of 6 bits. The highest digit that differs from the wheel's position is the timer's level, and
//! the value of that digit its slot. On the lowest level, all the timers of a slot have the same
//! deadline.
//!
//! When the position comes to a slot of a higher level, wheels deal the slot's timers out to the
//! levels below. That touches each timer once for every level, and where there are many, every
//! touch is a cache miss. Here they are sorted at once, into the *run*: an array of deadlines and
//! keys that is looked at together with the wheel. Timers set for the same range later are merged
//! into it when the position comes to their slot, at most once for each level.
//!
//! The next deadline is in the run, or in the first slot in use. A slot knows its earliest timer
//! until that one is removed, and then looks for the next when asked. There may be a million timers
//! in a slot, and each time the earliest may be the one to go (when connections postpone their idle
//! timeouts in turn). So a long slot is searched only once, and then has a heap.
//!
//! # Invariants
//!
//! 1. `position <= now`, and an entry of the wheel whose deadline is not before `position` is in
//!    the slot that `place` gives. The position moves only to places where emptying one slot keeps
//!    this true. An entry set for a time before the position is in the slot `LATE`.
//! 2. So equal deadlines are always in the same slot, and a slot is in order of insertion, because
//!    entries are added only at its end.
//! 3. `Slot::earliest` is the first of the slot's earliest entries, with the deadline beside it, or
//!    `NIL`: not known. A slot's heap has all its entries, and some that have gone.
//! 4. An entry is in a slot, or in the run, and then its `prev` is `IN_RUN`. The run is in reverse
//!    order, and its last entry has not gone, though others may have. Entries in the wheel were set
//!    after those in the run with the same deadline.

mod heaps;

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BTreeMap;

use self::heaps::Heap;

const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;
/// The slot of the entries that were late when they were inserted. It comes after all the levels.
const LATE: usize = LEVELS * SLOTS;

const NIL: u32 = u32::MAX;

/// Stands in place of an entry's predecessor: the entry is in the run.
const IN_RUN: u32 = u32::MAX - 1;

/// Identifies a timer from its insertion until it fires or is removed, and nothing after that.
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

/// The generation of an entry that has used up all the others. The entry is not used again, so no
/// two timers ever have the same key.
const RETIRED: u32 = u32::MAX;

struct Entry<T> {
    deadline: u64,
    /// The previous entry of the slot, or `IN_RUN`.
    prev: u32,
    /// In a free entry, the next free one.
    next: u32,
    /// Counts the timers the entry has held. A free entry already has the generation of its next
    /// timer.
    generation: u32,
    payload: Option<T>,
}

/// An entry of the run. If its timer is removed, it stays until the run gets to it.
#[derive(Clone, Copy)]
struct Due {
    deadline: u64,
    key: TimerKey,
}

struct Slot {
    head: u32,
    tail: u32,
    len: u32,
    earliest: Cell<u32>,
    /// The deadline of `earliest`.
    deadline: Cell<u64>,
}

impl Slot {
    const fn empty() -> Slot {
        Slot { head: NIL, tail: NIL, len: 0, earliest: Cell::new(NIL), deadline: Cell::new(0) }
    }
}

/// Timers with a payload each, in order of their deadlines.
pub(crate) struct Wheel<T> {
    now: u64,
    /// The time from which levels and slots are counted. It is behind `now` while there are expired
    /// timers to return.
    position: u64,
    entries: Vec<Entry<T>>,
    free: u32,
    len: usize,
    /// How many timers there have been. This numbers them for the heaps.
    inserted: u64,
    slots: Box<[Slot; LATE + 1]>,
    /// The heaps, by slot. Few slots need one.
    heaps: RefCell<BTreeMap<usize, Heap>>,
    run: Vec<Due>,
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
            slots: Box::new([const { Slot::empty() }; LATE + 1]),
            heaps: RefCell::default(),
            run: Vec::new(),
            used_slots: [0; LEVELS + 1],
            used_levels: 0,
        }
    }

    /// How many timers there are, including expired ones that have not been returned yet.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The latest time that was passed to [`pop_expired`](Self::pop_expired).
    #[cfg(test)]
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Sets a timer. If the deadline has already passed, the next
    /// [`pop_expired`](Self::pop_expired) returns it, in its place in the order.
    ///
    /// # Panics
    ///
    /// If there are 2^32 - 2 timers.
    #[inline]
    pub(crate) fn insert(&mut self, deadline: u64, payload: T) -> TimerKey {
        let place = self.place(deadline);
        let tail = self.slots[place].tail;
        let mut index = self.free;
        let generation = if let Some(entry) = self.entries.get_mut(index as usize) {
            self.free = entry.next;
            entry.deadline = deadline;
            (entry.prev, entry.next) = (tail, NIL);
            // There is nothing to drop, because the entry was free.
            std::mem::forget(entry.payload.replace(payload));
            entry.generation
        } else {
            index = self.add(deadline, tail, payload);
            0
        };
        self.len += 1;
        self.inserted += 1;
        self.link(index, deadline, place);
        TimerKey { index, generation }
    }

    /// Makes room for one more.
    #[inline(never)]
    fn add(&mut self, deadline: u64, prev: u32, payload: T) -> u32 {
        let index = new_index(self.entries.len());
        let payload = Some(payload);
        self.entries.push(Entry { deadline, prev, next: NIL, generation: 0, payload });
        index
    }

    /// Takes a timer out, unless it has fired or been removed.
    #[inline]
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<T> {
        if !self.is_set(key) {
            return None;
        }
        self.take(key.index).1
    }

    /// Whether a timer has neither fired nor been removed.
    #[inline]
    pub(crate) fn is_set(&self, key: TimerKey) -> bool {
        // A free entry has the generation of its next timer, whose key nobody has.
        self.entries
            .get(key.index as usize)
            .is_some_and(|entry| entry.generation == key.generation && key.generation != RETIRED)
    }

    /// The timers, in no order, with their deadlines.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.entries.iter().filter_map(|entry| Some((entry.deadline, entry.payload.as_ref()?)))
    }

    /// The payload of a timer, unless it has fired or been removed.
    pub(crate) fn get(&self, key: TimerKey) -> Option<&T> {
        let entry = self.entries.get(key.index as usize)?;
        entry.payload.as_ref().filter(|_| entry.generation == key.generation)
    }

    /// See [`get`](Self::get).
    pub(crate) fn get_mut(&mut self, key: TimerKey) -> Option<&mut T> {
        let entry = self.entries.get_mut(key.index as usize)?;
        entry.payload.as_mut().filter(|_| entry.generation == key.generation)
    }

    /// The earliest deadline of all; it may have passed.
    ///
    /// It is known, unless the earliest timer of a slot was removed. Finding another takes
    /// logarithmic time, if searching a slot is counted as part of the insertions into it.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        let run = self.run.last().map(|due| due.deadline);
        let Some(place) = self.first_place() else { return run };
        let first = if place < SLOTS {
            self.start(place)
        } else {
            self.earliest(place);
            self.slots[place].deadline.get()
        };
        Some(run.map_or(first, |run| run.min(first)))
    }

    /// Moves the time forward to `now`, and takes out the earliest timer if it has expired. Timers
    /// come in order of deadline, and those of equal deadline in order of insertion.
    ///
    /// To be called until it returns `None`. Timers may be inserted and removed in between, and
    /// those inserted take their place among the ones that are still to be returned.
    pub(crate) fn pop_expired(&mut self, now: u64) -> Option<(u64, T)> {
        let index = self.find_expired(now)?;
        self.fire(index)
    }

    /// Like [`pop_expired`](Self::pop_expired), but among the timers that share the earliest
    /// deadline this takes out the one that `choose`, given their number, picks, or none.
    pub(crate) fn pop_expired_nth(
        &mut self,
        now: u64,
        choose: impl FnOnce(usize) -> Option<usize>,
    ) -> Option<(u64, T)> {
        let first = self.find_expired(now)?;
        let deadline = self.entries[first as usize].deadline;
        let nth = choose(self.simultaneous(deadline).count())?;
        let index = self.simultaneous(deadline).nth(nth)?;
        self.fire(index)
    }

    /// The entries with this deadline, in the order in which they were set.
    fn simultaneous(&self, deadline: u64) -> impl Iterator<Item = u32> {
        let run = self.run.iter().rev().take_while(move |due| due.deadline == deadline);
        let run = run.filter(|due| self.is_set(due.key)).map(|due| due.key.index);
        let slot = self.list(&self.slots[self.place(deadline)]);
        run.chain(slot.filter(move |(_, entry)| entry.deadline == deadline).map(|(index, _)| index))
    }

    /// The entries of a slot.
    fn list(&self, slot: &Slot) -> impl Iterator<Item = (u32, &Entry<T>)> {
        let entry = |index: u32| self.entries.get(index as usize).map(|entry| (index, entry));
        std::iter::successors(entry(slot.head), move |(_, last)| entry(last.next))
    }

    /// Moves the time forward to `now`, and finds the earliest entry if it has expired.
    fn find_expired(&mut self, now: u64) -> Option<u32> {
        self.now = self.now.max(now);
        loop {
            let run = self.run.last().map(|due| (due.deadline, due.key.index));
            // An entry of the wheel matters if it is due and comes before the run.
            let before = |deadline: u64| run.is_none_or(|(first, _)| deadline < first);
            match self.first_place() {
                Some(LATE) => {
                    let earliest = self.earliest(LATE);
                    if before(self.slots[LATE].deadline.get()) {
                        return Some(earliest);
                    }
                }
                Some(place) if self.start(place) <= self.now && before(self.start(place)) => {
                    self.position = self.start(place);
                    if place < SLOTS {
                        return Some(self.slots[place].head);
                    }
                    self.sort(place);
                    continue;
                }
                _ if run.is_none_or(|(first, _)| first > self.now) => {
                    // No slot in use begins before that, so nothing has to be sorted.
                    self.position = self.now;
                    return None;
                }
                _ => {}
            }
            return run.map(|(_, index)| index);
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

    /// The first slot in use. Late entries are before the position, and all others are not. The
    /// entries of a level agree with the position in all the higher digits, so they are before
    /// those of the next level.
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

    /// Puts an entry, which knows its predecessor, at the end of its slot.
    fn link(&mut self, index: u32, deadline: u64, place: usize) {
        let slot = &mut self.slots[place];
        let tail = slot.tail;
        slot.tail = index;
        slot.len += 1;
        if let Some(last) = self.entries.get_mut(tail as usize) {
            last.next = index;
            if deadline < slot.deadline.get() && slot.earliest.get() != NIL {
                slot.earliest.set(index);
                slot.deadline.set(deadline);
            }
        } else {
            slot.head = index;
            slot.earliest.set(index);
            slot.deadline.set(deadline);
            self.used_slots[place / SLOTS] |= 1 << (place % SLOTS);
            self.used_levels |= 1 << (place / SLOTS);
        }
        if !self.heaps.get_mut().is_empty() {
            self.add_to_heap(index, place);
        }
    }

    /// Takes an entry out of its slot or the run, and frees it. Inlined, because nearly every timer
    /// ends this way, and then the returned value is not used.
    #[inline(always)]
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
        if prev == IN_RUN {
            while let Some(last) = self.run.last()
                && !self.is_set(last.key)
            {
                self.run.pop();
            }
            return (deadline, payload);
        }

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
            self.not_in_use(place);
        }
        (deadline, payload)
    }

    /// Moves the entries of a slot that the position has come to into the run.
    fn sort(&mut self, place: usize) {
        let last = self.start(place) | ((1 << ((place / SLOTS) as u32 * DIGIT_BITS)) - 1);
        let among = self.run.partition_point(|due| due.deadline > last);
        let run = self.run.split_off(among);
        self.run.reserve(self.slots[place].len as usize + run.len());
        // Of those with the same deadline, the last to be set comes first.
        let mut index = self.slots[place].tail;
        self.clear(place);
        while let Some(entry) = self.entries.get_mut(index as usize) {
            let key = TimerKey { index, generation: entry.generation };
            self.run.push(Due { deadline: entry.deadline, key });
            index = std::mem::replace(&mut entry.prev, IN_RUN);
        }
        self.run.extend(run);
        self.run[among..].sort_by_key(|due| Reverse(due.deadline));
    }

    fn clear(&mut self, place: usize) {
        self.slots[place] = Slot::empty();
        self.not_in_use(place);
    }

    /// To be called when a slot has no entries any more.
    #[inline]
    fn not_in_use(&mut self, place: usize) {
        if !self.heaps.get_mut().is_empty() {
            self.remove_heap(place);
        }
        let level = place / SLOTS;
        self.used_slots[level] &= !(1 << (place % SLOTS));
        if self.used_slots[level] == 0 {
            self.used_levels &= !(1 << level);
        }
    }
}

fn new_index(len: usize) -> u32 {
    match u32::try_from(len) {
        Ok(index) if index < IN_RUN => index,
        _ => panic!("too many timers: there can be 2^32 - 2 at a time"),
    }
}

#[cfg(test)]
mod tests;
