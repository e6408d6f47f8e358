//! The invariants of the wheel, checked after each step.

use super::*;

impl<T> Wheel<T> {
    /// Checks the invariants, and returns how many slots have heaps.
    pub(super) fn check(&self) -> usize {
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
            if known != NIL {
                assert_eq!(slot.deadline.get(), self.entries[known as usize].deadline);
            }
            if let Some(heap) = self.heaps.borrow().get(&place) {
                heaps += 1;
                let mut held: Vec<_> = heap.iter().map(|entry| entry.0.2).collect();
                held.sort_unstable();
                assert!(live.iter().all(|key| held.binary_search(key).is_ok()));
            }
            len += count as usize;
        }
        assert!(self.run.is_sorted_by(|a, b| a.deadline >= b.deadline));
        assert!(self.run.last().is_none_or(|last| self.is_set(last.key)));
        let in_run = self.run.iter().filter(|due| self.is_set(due.key));
        len += in_run.inspect(|due| assert!(self.is_in_run(due))).count();
        for (level, slots) in self.used_slots.iter().enumerate() {
            assert_eq!(*slots != 0, self.used_levels >> level & 1 == 1);
        }
        assert_eq!(len, self.len);
        heaps
    }

    fn is_in_run(&self, due: &Due) -> bool {
        let entry = &self.entries[due.key.index as usize];
        (entry.prev, entry.deadline) == (IN_RUN, due.deadline)
    }
}
