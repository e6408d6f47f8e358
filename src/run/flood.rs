//! A flood of wakes from other threads, which a run with nothing else to do lets gather a little.
//!
//! Each look into the inbox takes a cache line away from the thread that wakes, and that line's way
//! between two processors costs more than a dozen wakes. A run that always looks again as soon as
//! it has polled what was woken therefore slows down the very thread that it is waiting for. So
//! while look after look finds something, each is preceded by a pause, which grows from nothing to
//! about a microsecond. That is less than a sixth of what a sleep costs that another thread ends.

use std::cell::Cell;
use std::hint;

/// The longest pause, in processors' own pauses of some 10 to 50 nanoseconds.
const LONGEST: u32 = 32;

/// What a look into the inbox found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    Nothing,
    /// Wakes or calls.
    Something,
}

/// How many looks in a row have found something while nothing else was ready, at most [`LONGEST`].
#[derive(Default)]
pub(super) struct Flood(Cell<u32>);

impl Flood {
    /// Looks into the inbox when nothing is ready.
    #[inline]
    pub(super) fn pause_and_look(&self, look: impl FnOnce() -> Found) {
        let looks = self.0.get();
        for _ in 0..looks {
            hint::spin_loop();
        }
        self.0.set(match look() {
            Found::Nothing => 0,
            Found::Something => LONGEST.min(looks + 1),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r02_the_pause_grows_to_a_bound_and_ends_when_nothing_is_found() {
        let flood = Flood::default();
        for looks in 0..3 * LONGEST {
            assert_eq!(flood.0.get(), looks.min(LONGEST));
            flood.pause_and_look(|| Found::Something);
        }
        flood.pause_and_look(|| Found::Nothing);
        assert_eq!(flood.0.get(), 0, "the next wake is taken at once");
    }
}
