//! A set of small numbers, of which the lowest is wanted. It takes a bit for each number up to the
//! highest that was ever in it, and so no more memory after many changes than before.

pub(super) struct Numbers {
    words: Vec<u64>,
    /// The words before this one are 0.
    first: usize,
    count: usize,
}

impl Numbers {
    pub(super) const fn new() -> Numbers {
        Numbers { words: Vec::new(), first: 0, count: 0 }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn insert(&mut self, number: u32) {
        let (nth, bit) = Self::place(number);
        if nth >= self.words.len() {
            self.words.resize(nth + 1, 0);
        }
        self.count += usize::from(self.words[nth] & bit == 0);
        self.words[nth] |= bit;
        self.first = self.first.min(nth);
    }

    pub(super) fn remove(&mut self, number: u32) {
        let (nth, bit) = Self::place(number);
        if let Some(word) = self.words.get_mut(nth) {
            self.count -= usize::from(*word & bit != 0);
            *word &= !bit;
        }
    }

    pub(super) fn lowest(&mut self) -> Option<u32> {
        if self.count == 0 {
            return None;
        }
        while self.words[self.first] == 0 {
            self.first += 1;
        }
        Some(self.first as u32 * u64::BITS + self.words[self.first].trailing_zeros())
    }

    /// The word with the bit for a number, and that bit.
    fn place(number: u32) -> (usize, u64) {
        ((number / u64::BITS) as usize, 1 << (number % u64::BITS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_comes_first() {
        let mut numbers = Numbers::new();
        assert_eq!(numbers.lowest(), None);
        for number in [700, 3, 64, 3, 63] {
            numbers.insert(number);
        }
        assert_eq!(numbers.count(), 4);
        for number in [3, 63, 64] {
            assert_eq!(numbers.lowest(), Some(number));
            numbers.remove(number);
            numbers.remove(number);
        }
        numbers.insert(65);
        assert_eq!(numbers.lowest(), Some(65));
        numbers.remove(65);
        numbers.remove(9_999);
        assert_eq!((numbers.lowest(), numbers.count()), (Some(700), 1));
    }
}
