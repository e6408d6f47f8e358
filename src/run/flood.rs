//! A flood of wakes from other threads, which a run with nothing else to do lets gather a little.
//!
//! Each look into the inbox takes a cache line away from the thread that wakes, and that line's way
//! between two processors costs more than a dozen wakes. A run that always looks again as soon as
//! it has polled what was woken therefore slows down the very thread that it is waiting for. So
//! while look after look finds something, one right after the other, each is preceded by a pause,
//! which grows from nothing to about a microsecond. That is less than a sixth of what a sleep costs
//! that another thread ends.
//!
//! If turns begin far apart, there is no flood but a conversation: the thread wakes once, and waits
//! for the answer. On the same processor the run never sees an empty inbox then.

use std::cell::Cell;
use std::hint;

/// The longest pause, in processors' own pauses of some 10 to 50 nanoseconds.
const LONGEST: u32 = 32;

/// Turns are close to each other if they begin within a millisecond divided by this. A turn in a
/// flood takes a fraction of a microsecond, besides the pause.
const CLOSE: u64 = 400;

/// What a look into the inbox found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    Nothing,
    /// Wakes or calls.
    Something,
}

/// A run's looks into its inbox while nothing was ready.
#[derive(Default)]
pub(super) struct Flood {
    /// How many in a row have found something, at most [`LONGEST`].
    looks: Cell<u32>,
    /// When the turn before the latest of them began.
    turn_began: Cell<u64>,
}

impl Flood {
    /// Looks into the inbox when nothing is ready. `turn_began` is when the turn before this began,
    /// and `millisecond` is how long one is; both are 0 if time is not read.
    #[inline]
    pub(super) fn pause_and_look(
        &self,
        turn_began: u64,
        millisecond: u64,
        look: impl FnOnce() -> Found,
    ) {
        let between = turn_began.saturating_sub(self.turn_began.replace(turn_began));
        let looks = if between <= millisecond / CLOSE { self.looks.get() } else { 0 };
        for _ in 0..looks {
            hint::spin_loop();
        }
        self.looks.set(match look() {
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
            assert_eq!(flood.looks.get(), looks.min(LONGEST));
            flood.pause_and_look(0, 0, || Found::Something);
        }
        flood.pause_and_look(0, 0, || Found::Nothing);
        assert_eq!(flood.looks.get(), 0, "the next wake is taken at once");
    }

    #[test]
    fn r02_there_is_no_pause_if_turns_begin_far_apart() {
        let millisecond = 1_000_000;
        let flood = Flood::default();
        for turn in 1..100 {
            flood.pause_and_look(turn * 4_000, millisecond, || Found::Something);
            assert_eq!(flood.looks.get(), 1);
        }
        for turn in 1..10 {
            flood.pause_and_look(400_000 + turn * 1_000, millisecond, || Found::Something);
        }
        assert_eq!(flood.looks.get(), 9);
    }
}
