//! The earliest entry of a slot. A short slot is searched each time; a long one is searched once,
//! and has a heap from then on.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::{NIL, TimerKey, Wheel};

/// The entries of a slot by deadline, then in order of insertion. An entry whose timer is gone
/// stays in here until it comes to the top, where its key gives it away.
pub(super) type Heap = BinaryHeap<Reverse<(u64, u64, TimerKey)>>;

/// Up to this many entries it is cheaper to search a slot each time than to keep a heap.
const SHORT: u32 = 16;

impl<T> Wheel<T> {
    /// The earliest entry of a slot that is not empty.
    pub(super) fn earliest(&self, place: usize) -> u32 {
        let slot = &self.slots[place];
        if slot.earliest.get() == NIL {
            let earliest = self.find_earliest(place);
            slot.earliest.set(earliest);
            slot.deadline.set(self.entries[earliest as usize].deadline);
        }
        slot.earliest.get()
    }

    #[cold]
    fn find_earliest(&self, place: usize) -> u32 {
        let slot = &self.slots[place];
        let mut heaps = self.heaps.borrow_mut();
        if slot.len <= SHORT && !heaps.contains_key(&place) {
            let earliest = self.list(slot).min_by_key(|(_, entry)| entry.deadline);
            return earliest.map_or(NIL, |(index, _)| index);
        }
        let heap = heaps.entry(place).or_insert_with(|| {
            // These numbers are lower than those of timers that are yet to come.
            let mut entries = Vec::with_capacity(slot.len as usize);
            entries.extend((0..).zip(self.list(slot)).map(|(number, (index, entry))| {
                Reverse((entry.deadline, number, self.key(index)))
            }));
            entries.into()
        });
        while let Some(Reverse((.., key))) = heap.peek()
            && self.key(key.index) != *key
        {
            heap.pop();
        }
        heap.peek().map_or(NIL, |top| top.0.2.index)
    }

    /// Adds the newest entry of a slot to the slot's heap, if it has one.
    #[cold]
    pub(super) fn add_to_heap(&mut self, index: u32, place: usize) {
        let key = self.key(index);
        let heaps = self.heaps.get_mut();
        if let Some(heap) = heaps.get_mut(&place) {
            heap.push(Reverse((self.entries[index as usize].deadline, self.inserted, key)));
            // When most of its entries are gone, it is dropped, and rebuilt if it is needed again.
            if heap.len() / 2 > self.slots[place].len as usize + SHORT as usize {
                self.remove_heap(place);
            }
        }
    }

    /// Drops the heap of a slot that no longer needs one.
    #[cold]
    pub(super) fn remove_heap(&mut self, place: usize) {
        let heaps = self.heaps.get_mut();
        heaps.remove(&place);
        if heaps.is_empty() {
            *heaps = BTreeMap::new(); // an empty one may have memory
        }
    }
}
