//! The wheel against a sorted map, and at its ends.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::*;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// Of any magnitude, up to `bits` bits; each is as likely.
    fn of_magnitude(&mut self, bits: u32) -> u64 {
        let bits = self.below(u64::from(bits) + 1) as u32;
        self.next().checked_shr(64 - bits).unwrap_or(0)
    }
}

impl<T> Wheel<T> {
    /// Checks the invariants, and returns how many slots have heaps.
    fn check(&self) -> usize {
        assert!(self.position <= self.now);
        let mut len = 0;
        let mut heaps = 0;
        for (place, slot) in self.slots.iter().enumerate() {
            let bit = self.used_slots[place / SLOTS] >> (place % SLOTS) & 1;
            assert_eq!(bit == 1, slot.head != NIL);
            let (mut prev, mut index, mut count) = (NIL, slot.head, 0);
            let mut earliest: Option<(u64, u32)> = None;
            let mut live = Vec::new();
            while index != NIL {
                let entry = &self.entries[index as usize];
                assert!(entry.payload.is_some() && entry.generation != RETIRED);
                assert_eq!(entry.prev, prev);
                assert_eq!(self.place(entry.deadline), place);
                if earliest.is_none_or(|(deadline, _)| entry.deadline < deadline) {
                    earliest = Some((entry.deadline, index));
                }
                live.push(self.key(index));
                count += 1;
                (prev, index) = (index, entry.next);
            }
            assert_eq!((slot.tail, slot.len), (prev, count));
            let known = slot.earliest.get();
            assert!(known == NIL || Some(known) == earliest.map(|(_, index)| index));
            let heap = slot.heap.take();
            if !heap.is_empty() {
                heaps += 1;
                let mut held: Vec<_> = heap.iter().map(|entry| entry.0.2).collect();
                held.sort_unstable();
                assert!(live.iter().all(|key| held.binary_search(key).is_ok()));
            }
            slot.heap.set(heap);
            len += count as usize;
        }
        for (level, slots) in self.used_slots.iter().enumerate() {
            assert_eq!(*slots != 0, self.used_levels >> level & 1 == 1);
        }
        assert_eq!(len, self.len);
        heaps
    }
}

/// A wheel, and what it should be like.
struct Pair {
    wheel: Wheel<u64>,
    model: BTreeMap<(u64, u64), TimerKey>,
    keys: Vec<(TimerKey, u64, u64)>,
    count: u64,
    now: u64,
}

impl Pair {
    fn new() -> Self {
        let (wheel, model) = (Wheel::new(), BTreeMap::new());
        Pair { wheel, model, keys: Vec::new(), count: 0, now: 0 }
    }

    fn insert(&mut self, deadline: u64) {
        self.count += 1;
        let key = self.wheel.insert(deadline, self.count);
        assert_ne!(key, TimerKey::NONE);
        self.model.insert((deadline, self.count), key);
        self.keys.push((key, deadline, self.count));
    }

    /// Removes a random timer, which may have gone before.
    fn remove(&mut self, random: &mut Random) {
        if self.keys.is_empty() {
            return;
        }
        let n = random.below(self.keys.len() as u64) as usize;
        let (key, deadline, id) = self.keys[n];
        if random.below(4) != 0 {
            self.keys.swap_remove(n);
        }
        let mut expected = self.model.remove(&(deadline, id)).map(|_| id);
        assert_eq!(self.wheel.get_mut(key), expected.as_mut());
        assert_eq!(self.wheel.remove(key), expected);
        assert_eq!(self.wheel.remove(key), None);
        assert_eq!(self.wheel.get_mut(key), None);
    }

    fn remove_first(&mut self) {
        if let Some(((_, id), key)) = self.model.pop_first() {
            assert_eq!(self.wheel.remove(key), Some(id));
        }
    }

    fn pop(&mut self, to: u64) -> bool {
        self.now = self.now.max(to);
        let first = self.model.first_entry().filter(|first| first.key().0 <= self.now);
        let expected = first.map(|first| first.remove_entry().0);
        assert_eq!(self.wheel.pop_expired(to), expected);
        assert_eq!(self.wheel.now(), self.now);
        assert!(expected.is_some() || self.wheel.position == self.now);
        expected.is_some()
    }

    fn compare(&self) {
        let first = self.model.keys().next().map(|(deadline, _)| *deadline);
        assert_eq!(self.wheel.next_deadline(), first);
        assert_eq!(self.wheel.len(), self.model.len());
        assert_eq!(self.wheel.is_empty(), self.model.is_empty());
    }
}

/// A million operations, in runs that differ in how far timers and steps in time reach, in
/// whether they crowd together, in how many there are, and in how often the next is asked for.
#[test]
fn agrees_with_a_sorted_map() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut heaps = 0;
    for run in 0..100 {
        let mut pair = Pair::new();
        let reach = 1 + random.below(64) as u32;
        let step = 1 + random.below(u64::from(reach)) as u32;
        let spread = random.below(2) == 0;
        let crowd = [0, 20, 300, 3000][run % 4];
        let lazy = 1 + random.below(20);
        if run % 3 != 0 {
            assert!(!pair.pop(random.of_magnitude(64)));
        }
        for operation in 0..10_000 {
            let now = pair.now;
            let few = pair.model.len() < crowd;
            let distance = match spread {
                true => random.of_magnitude(reach),
                false => random.next() >> (64 - reach),
            };
            match random.below(if few { 9 } else { 12 }) {
                0..4 => pair.insert(now.saturating_add(distance)),
                4 => pair.insert(now.saturating_sub(distance)),
                5 => {
                    let n = random.below(pair.keys.len() as u64 + 1) as usize;
                    let same = pair.keys.get(n).map_or(u64::MAX, |timer| timer.1);
                    pair.insert(same);
                }
                6 if few => pair.compare(),
                6 => drop(pair.pop(now.saturating_add(random.of_magnitude(step)))),
                // Back in time, which makes no difference.
                7 if few => drop(pair.pop(now.saturating_sub(distance))),
                7 => {
                    let next = pair.wheel.next_deadline().unwrap_or(now);
                    while pair.pop(next) {}
                }
                8 => pair.remove_first(),
                _ => pair.remove(&mut random),
            }
            if random.below(lazy) == 0 {
                pair.compare();
            }
            if operation % 200 == 0 {
                heaps += pair.wheel.check();
            }
        }
        while pair.pop(u64::MAX) {
            pair.compare();
        }
        assert!(pair.model.is_empty() && pair.wheel.check() == 0);
    }
    // There is a heap now and then, or else all this has not tried them.
    assert!(heaps > 100, "{heaps}");
}

/// The same few thousand timers all in one slot, whose earliest is moved to its end or to
/// anywhere in it, again and again.
#[test]
fn a_long_slot_whose_earliest_always_goes() {
    let mut random = Random(7);
    let mut pair = Pair::new();
    let slot = 1 << 36;
    for _ in 0..3000 {
        pair.insert(slot + random.below(1 << 30));
    }
    for turn in 0..60_000 {
        pair.remove_first();
        pair.compare();
        pair.insert(slot + random.below(1 << 30) + turn);
        if turn % 3 == 0 {
            pair.insert(1 + random.below(1000));
            pair.compare();
            pair.remove_first();
            pair.compare();
        }
        if turn % 1000 == 0 {
            pair.wheel.check();
        }
    }
    while pair.pop(slot * 2) {}
    assert!(pair.wheel.is_empty());
}

#[test]
fn a_heap_does_not_outgrow_its_slot() {
    let mut wheel = Wheel::new();
    let mut random = Random(11);
    for n in 1..=100 {
        wheel.insert((1 << 36) + (n << 20), ());
    }
    for _ in 0..10_000 {
        let key = wheel.insert((1 << 36) + 1, ());
        assert_eq!(wheel.next_deadline(), Some((1 << 36) + 1));
        wheel.remove(key);
        assert_eq!(wheel.next_deadline(), Some((1 << 36) + (1 << 20)));
        let key = wheel.insert((1 << 36) + random.below(1 << 30), ());
        wheel.remove(key);
    }
    wheel.check();
    assert!(wheel.slots.iter_mut().all(|slot| slot.heap.get_mut().len() < 300));
}

#[test]
fn equal_deadlines_fire_in_order_of_insertion() {
    for deadline in [0, 1, 63, 64, 4095, 1 << 36, (1 << 60) - 1, 1 << 60, u64::MAX] {
        let mut pair = Pair::new();
        // As time comes closer, they are inserted at every level.
        for step in (0..64).rev() {
            pair.insert(deadline);
            pair.insert(deadline);
            let to = deadline.saturating_sub(1 << step);
            while pair.pop(to) {}
        }
        pair.insert(deadline);
        pair.wheel.check();
        while pair.pop(deadline) {}
        assert!(pair.wheel.is_empty());
    }
}

#[test]
fn the_ends_of_time() {
    let mut pair = Pair::new();
    assert!(!pair.pop(0));
    pair.compare();
    for deadline in [u64::MAX, 0, u64::MAX - 1, 1, 1 << 63, (1 << 63) - 1, 1 << 60, 63, 64] {
        pair.insert(deadline);
        pair.compare();
    }
    pair.wheel.check();
    assert!(pair.pop(0) && !pair.pop(0));
    pair.insert(0);
    assert!(pair.pop(0) && !pair.pop(0));
    assert!(pair.pop(1) && !pair.pop(62));
    while pair.pop(u64::MAX - 1) {
        pair.compare();
    }
    assert_eq!(pair.wheel.next_deadline(), Some(u64::MAX));
    assert!(pair.pop(u64::MAX) && !pair.pop(u64::MAX));
    // The position is at the end now.
    for deadline in [u64::MAX, 0, u64::MAX - 1, u64::MAX, 0] {
        pair.insert(deadline);
        pair.compare();
    }
    pair.wheel.check();
    while pair.pop(0) {
        pair.compare();
    }
    assert!(pair.wheel.is_empty());
}

#[test]
fn timers_come_and_go_between_expired_ones() {
    let mut wheel = Wheel::new();
    let keys: Vec<_> = (1..=5).map(|n| wheel.insert(n * 100, n)).collect();
    assert_eq!(wheel.pop_expired(1000), Some((100, 1)));
    wheel.insert(50, 50);
    wheel.insert(20, 20);
    wheel.insert(100, 101);
    wheel.insert(300, 301);
    wheel.insert(1000, 1000);
    wheel.insert(1001, 1001);
    assert_eq!(wheel.remove(keys[1]), Some(2));
    assert_eq!(wheel.remove(keys[0]), None);
    let mut rest = Vec::new();
    while let Some((_, n)) = wheel.pop_expired(0) {
        rest.push(n);
    }
    assert_eq!(rest, [20, 50, 101, 3, 301, 4, 5, 1000]);
    assert_eq!((wheel.now(), wheel.next_deadline()), (1000, Some(1001)));
}

#[test]
fn stale_keys_are_ignored() {
    let mut wheel = Wheel::new();
    assert_eq!(TimerKey::default(), TimerKey::NONE);
    assert_eq!(wheel.remove(TimerKey::NONE), None);
    let fired = wheel.insert(1, 'a');
    assert_eq!(wheel.pop_expired(1), Some((1, 'a')));
    assert_eq!(wheel.remove(fired), None);
    let removed = wheel.insert(2, 'b');
    assert_eq!(removed.index, fired.index);
    assert_eq!(wheel.remove(fired), None);
    assert_eq!(wheel.remove(removed), Some('b'));
    let present = wheel.insert(3, 'c');
    for stale in [fired, removed, TimerKey::NONE] {
        assert_eq!(wheel.get_mut(stale), None);
        assert_eq!(wheel.remove(stale), None);
    }
    *wheel.get_mut(present).unwrap() = 'd';
    assert_eq!(wheel.remove(present), Some('d'));
}

#[test]
fn no_key_is_used_twice() {
    let mut wheel = Wheel::new();
    let first = wheel.insert(1, ());
    wheel.remove(first);
    wheel.entries[0].generation = RETIRED - 1;
    let last = wheel.insert(1, ());
    assert_eq!((last.index, last.generation), (0, RETIRED - 1));
    wheel.remove(last);
    let other = wheel.insert(1, ());
    assert_eq!((other.index, other.generation), (1, 0));
    assert_eq!(wheel.remove(TimerKey { index: 0, generation: RETIRED }), None);
    assert_eq!(wheel.len(), 1);
}

#[test]
fn entries_are_used_again() {
    let mut wheel = Wheel::new();
    let mut random = Random(3);
    for _ in 0..1000 {
        let now = wheel.now();
        let keys: Vec<_> =
            (0..100).map(|_| wheel.insert(now + random.below(1 << 20), ())).collect();
        for key in &keys[50..] {
            wheel.remove(*key);
        }
        while wheel.pop_expired(now + (1 << 20)).is_some() {}
    }
    assert!(wheel.entries.len() == 100);
}

#[test]
fn payloads_are_dropped_once() {
    let payload = Rc::new(());
    let mut wheel = Wheel::new();
    let key = wheel.insert(5, payload.clone());
    wheel.insert(6, payload.clone());
    wheel.insert(7, payload.clone());
    assert_eq!(Rc::strong_count(&payload), 4);
    drop(wheel.remove(key));
    drop(wheel.pop_expired(6));
    assert_eq!(Rc::strong_count(&payload), 2);
    drop(wheel);
    assert_eq!(Rc::strong_count(&payload), 1);
}

#[test]
fn the_last_index() {
    assert_eq!(new_index(u32::MAX as usize - 1), u32::MAX - 1);
}

#[test]
#[should_panic(expected = "too many timers")]
fn past_the_last_index() {
    new_index(u32::MAX as usize);
}

/// Of the timers with the earliest deadline any can be taken out, those that were late when they
/// were set among them, and none need be.
#[test]
fn the_nth_of_simultaneous_timers() {
    for (now, deadline) in [(0, 70), (100, 70)] {
        let mut wheel = Wheel::new();
        assert!(wheel.pop_expired(now).is_none());
        for payload in 0..4 {
            wheel.insert(deadline, payload);
            wheel.insert(deadline + 1, 10 + payload);
        }
        let mut seen = Vec::new();
        for (nth, of) in [(2, 4), (0, 3), (1, 2), (0, 1), (3, 4)] {
            let none = wheel.pop_expired_nth(200, |due| {
                assert_eq!(due, of);
                None
            });
            assert_eq!(none, None);
            seen.extend(wheel.pop_expired_nth(200, |_| Some(nth)));
        }
        let at = |payload| (deadline, payload);
        assert_eq!(seen, [at(2), at(0), at(3), at(1), (deadline + 1, 13)]);
        assert_eq!(wheel.pop_expired(200), Some((deadline + 1, 10)));
        assert_eq!(wheel.len(), 2);
    }
    let mut empty: Wheel<()> = Wheel::new();
    assert!(empty.pop_expired_nth(200, |_| unreachable!("none is due")).is_none());
}
