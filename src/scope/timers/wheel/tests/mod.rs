//! The wheel compared with a sorted map, and at its limits.

use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

mod invariants;

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
}

/// A wheel and its model.
struct Pair {
    wheel: Wheel<u64>,
    /// Timers by deadline and by number, which is the order in which they were set.
    model: BTreeMap<(u64, u64), (TimerKey, u64)>,
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
        self.model.insert((deadline, self.count), (key, self.count));
        self.keys.push((key, deadline, self.count));
    }

    /// The key of a timer, which may be gone already.
    fn any(&self, index: usize) -> Option<(TimerKey, u64, u64)> {
        let index = index.checked_rem(self.keys.len())?;
        Some(self.keys[index])
    }

    fn remove(&mut self, index: usize) {
        let Some((key, deadline, number)) = self.any(index) else { return };
        let mut expected = self.model.remove(&(deadline, number)).map(|(_, payload)| payload);
        assert_eq!(self.wheel.get_mut(key), expected.as_mut());
        assert_eq!(self.wheel.remove(key), expected);
        assert_eq!(self.wheel.remove(key), None);
        assert_eq!(self.wheel.get_mut(key), None);
    }

    fn remove_first(&mut self) {
        if let Some((_, (key, payload))) = self.model.pop_first() {
            assert_eq!(self.wheel.remove(key), Some(payload));
        }
    }

    fn update(&mut self, index: usize) {
        let Some((key, deadline, number)) = self.any(index) else { return };
        let expected = self.model.get_mut(&(deadline, number));
        let got = self.wheel.get_mut(key);
        assert_eq!(got.is_some(), expected.is_some());
        if let (Some(got), Some((_, expected))) = (got, expected) {
            *expected += 1 << 32;
            *got += 1 << 32;
        }
    }

    fn pop(&mut self, to: u64) -> bool {
        self.now = self.now.max(to);
        let first = self.model.first_entry().filter(|first| first.key().0 <= self.now);
        let expected = first.map(|first| (first.key().0, first.remove().1));
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

    fn step(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Insert(distance) => self.insert(now.saturating_add(distance)),
            Step::InsertLate(distance) => self.insert(now.saturating_sub(distance)),
            Step::InsertSame(index) => {
                self.insert(self.any(index).map_or(u64::MAX, |(_, deadline, _)| deadline));
            }
            Step::Crowd { count, distance, apart } => {
                let first = now.saturating_add(distance);
                // Not in order, because 7 and 64 have no common factor.
                (0..count).for_each(|n| self.insert(first.saturating_add(n * 7 % 64 * apart)));
            }
            Step::Remove(index) => self.remove(index),
            Step::RemoveFirst => self.remove_first(),
            Step::RemoveFirsts(count) => {
                for _ in 0..count {
                    self.remove_first();
                    self.compare();
                }
            }
            Step::Update(index) => self.update(index),
            Step::Pop(distance) => drop(self.pop(now.saturating_add(distance))),
            Step::PopAll(distance) => while self.pop(now.saturating_add(distance)) {},
            Step::PopNext => {
                let next = self.wheel.next_deadline().unwrap_or(now);
                while self.pop(next) {}
            }
            // This makes no difference.
            Step::Back(distance) => drop(self.pop(now.saturating_sub(distance))),
            Step::Compare => self.compare(),
        }
    }
}

/// A step performed on a wheel. Distances are from its present time.
#[derive(Clone, Copy, Debug)]
enum Step {
    Insert(u64),
    InsertLate(u64),
    InsertSame(usize),
    Crowd { count: u64, distance: u64, apart: u64 },
    Remove(usize),
    RemoveFirst,
    RemoveFirsts(u64),
    Update(usize),
    Pop(u64),
    PopAll(u64),
    PopNext,
    Back(u64),
    Compare,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Any order of magnitude, each equally likely.
    let far =
        (any::<u64>(), 0..=64_u32).prop_map(|(n, bits)| n.checked_shr(64 - bits).unwrap_or(0));
    let near = 0..5000_u64;
    let distance = prop_oneof![far.clone(), near];
    let index = 0..10_000_usize;
    let crowd = (17..200_u64, far, 1..100_000_u64);
    let step = prop_oneof![
        8 => distance.clone().prop_map(Step::Insert),
        1 => distance.clone().prop_map(Step::InsertLate),
        2 => index.clone().prop_map(Step::InsertSame),
        1 => crowd.prop_map(|(count, distance, apart)| Step::Crowd { count, distance, apart }),
        4 => index.clone().prop_map(Step::Remove),
        2 => Just(Step::RemoveFirst),
        1 => (1..50_u64).prop_map(Step::RemoveFirsts),
        2 => index.prop_map(Step::Update),
        2 => distance.clone().prop_map(Step::Pop),
        1 => distance.clone().prop_map(Step::PopAll),
        3 => Just(Step::PopNext),
        1 => distance.prop_map(Step::Back),
        4 => Just(Step::Compare),
    ];
    prop::collection::vec(step, 1..200)
}

/// Whatever is done to the wheel. `PROPTEST_CASES=100000` tries more cases.
#[test]
fn agrees_with_a_sorted_map() {
    let heaps = Cell::new(0);
    let config =
        Config { rng_seed: RngSeed::Fixed(0), failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        let mut pair = Pair::new();
        for (n, step) in steps.into_iter().enumerate() {
            pair.step(step);
            if n % 16 == 0 {
                heaps.set(heaps.get() + pair.wheel.check());
            }
        }
        heaps.set(heaps.get() + pair.wheel.check());
        while pair.pop(u64::MAX) {
            pair.compare();
        }
        assert!(pair.model.is_empty() && pair.wheel.check() == 0);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    // There has to be a heap now and then, or this has not tested heaps.
    assert!(heaps.get() > 100, "{}", heaps.get());
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

/// Timers set for a time among those that were already sorted are merged.
#[test]
fn timers_among_those_that_were_sorted() {
    let mut random = Random(5);
    let mut pair = Pair::new();
    let slot = 1 << 36;
    for _ in 0..5000 {
        pair.insert(slot + random.below(1 << 20) * (1 << 10));
    }
    for turn in 0..4000 {
        let next = pair.wheel.next_deadline().expect("there are more");
        while pair.pop(next) {}
        let near = 1 << random.below(31);
        pair.insert(next + random.below(near));
        pair.insert(slot + random.below(1 << 20) * (1 << 10));
        pair.remove(random.below(pair.keys.len() as u64) as usize);
        pair.compare();
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
    assert!(wheel.heaps.get_mut().values().all(|heap| heap.len() < 300));
}

#[test]
fn equal_deadlines_fire_in_order_of_insertion() {
    for deadline in [0, 1, 63, 64, 4095, 1 << 36, (1 << 60) - 1, 1 << 60, u64::MAX] {
        let mut pair = Pair::new();
        // As the time comes closer, they are inserted at every level.
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
    assert_eq!(new_index(IN_RUN as usize - 1), IN_RUN - 1);
}

#[test]
#[should_panic(expected = "too many timers")]
fn past_the_last_index() {
    new_index(IN_RUN as usize);
}

/// Any of the timers with the earliest deadline can be taken out, including those that were late
/// when they were set, and none has to be.
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
