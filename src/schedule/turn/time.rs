//! Reading the time: how often it is read, and how long something lasts.

use std::time::Duration;

use super::operations::{ASKS, plain};
use super::{How, TURN_TIME, Turn};
use crate::platform::clock::{CLOCK, Clock};
#[cfg(not(loom))]
use crate::platform::counter;
use crate::schedule::budget::ASIDE;

/// How many operations or polls there are between two readings of the processor's counter.
pub(super) const READ_EVERY: u32 = 4;

/// The same if the counter is not trusted and the system's clock has to be asked.
const ASK_EVERY: u32 = 8;

/// How far the counter is assumed to advance in a millisecond, until that has been measured.
/// Whether a task has the thread for one millisecond or for two matters little.
pub(super) const ASSUMED_SPEED: u64 = 2_000_000;

/// The first reading in a poll comes after this many operations, because slow ones may follow fast
/// ones. A task that sends a message and waits for the next one does not pay for a reading.
const READ_FIRST: u32 = 3;

/// Operations are slow if a millisecond divided by this has gone by between two readings. Then each
/// of the next ones is followed by a reading.
const SLOW: u64 = 8;

/// After this many readings in a row between which operations were fast, they are taken to be fast.
const CALM: u32 = 16;

impl Turn {
    /// Whether time is read.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        self.how.get() == How::Timed
    }

    /// When the turn began.
    pub(crate) fn began(&self) -> u64 {
        self.turn_began.get()
    }

    /// How long a millisecond is.
    pub(crate) fn millisecond(&self) -> u64 {
        self.millisecond.get()
    }

    /// The time of the latest reading.
    pub(crate) fn time(&self) -> u64 {
        self.read.get()
    }

    /// How long ago the poll of the present unit began; `None` if time is not read, or its unit is not
    /// known yet.
    pub(crate) fn poll_has_lasted(&self) -> Option<Duration> {
        if !self.is_timed() || self.by_counter.get() && !self.is_speed_known.get() {
            return None;
        }
        let passed = self.now().saturating_sub(self.poll_began.get());
        let milliseconds = passed as f64 / self.millisecond.get() as f64;
        Duration::try_from_secs_f64(milliseconds / 1000.0).ok()
    }

    /// Whether this time had come at the latest reading.
    pub(crate) fn has_come(&self, time: u64) -> bool {
        self.read.get() >= time
    }

    /// Whether something that became ready at this time has waited for too long: for half a turn,
    /// because before that it may have waited for the look that found it.
    pub(crate) fn has_waited(&self, since: u64) -> bool {
        let time = self.read.get().saturating_sub(since);
        2 * time >= TURN_TIME * self.millisecond.get()
    }

    /// Whether so many milliseconds had gone by since then at the latest reading. False if time is
    /// not read.
    pub(crate) fn is_past(&self, since: u64, milliseconds: u64) -> bool {
        let time = self.read.get().saturating_sub(since);
        self.is_timed() && time >= milliseconds * self.millisecond.get()
    }

    /// Whether a turn's time has gone by since then.
    pub(crate) fn has_lasted(&self, since: u64) -> bool {
        self.lasts(since, TURN_TIME)
    }

    /// Whether so many milliseconds have gone by since then. Reads the time, and finds out how slow
    /// operations are.
    #[inline]
    pub(super) fn lasts(&self, began: u64, milliseconds: u64) -> bool {
        let now = self.now();
        let before = self.read.replace(now);
        let calm = self.calm.get();
        if now.saturating_sub(before) >= self.millisecond.get() / SLOW {
            self.set_calm(0);
        } else if calm < CALM {
            self.set_calm(calm + 1);
        }
        now.saturating_sub(began) >= milliseconds * self.millisecond.get()
    }

    fn set_calm(&self, readings: u32) {
        let before = self.calm.replace(readings);
        if (before < CALM) != (readings < CALM) {
            self.set_strides();
        }
    }

    #[inline]
    pub(super) fn now(&self) -> u64 {
        #[cfg(not(loom))]
        if self.by_counter.get() {
            return counter::ticks();
        }
        ask_clock()
    }

    /// Finds out whether the counter's speed is known by now.
    #[cold]
    pub(super) fn look_for_speed(&self) {
        #[cfg(not(loom))]
        if let Some(ticks) = CLOCK.with(|clock| clock?.ticks_in_a_millisecond()) {
            self.millisecond.set(ticks);
            self.is_speed_known.set(true);
        }
    }

    /// Decides how much happens between two readings.
    pub(super) fn set_strides(&self) {
        let budget = self.budget.get();
        let (first, stride) = match (self.how.get(), self.by_counter.get()) {
            (How::Exact, _) => (budget, budget),
            (How::Timed, _) if self.calm.get() < CALM => (1, 1),
            (How::Timed, false) => (READ_FIRST, ASK_EVERY),
            _ => (READ_FIRST, READ_EVERY),
        };
        let first = first.min(budget);
        let decided = self.is_decided.get();
        self.first.set(if decided { ASKS + plain(first) + 1 } else { plain(first) });
        self.first_rest.set(if self.how.get() == How::Exact { ASIDE } else { budget - first });
        self.stride.set(stride);
        let is_calm = self.how.get() == How::Timed && self.calm.get() == CALM;
        let is_calm = is_calm && self.by_counter.get();
        self.calm_stride.set(if is_calm { stride } else { u32::MAX });
    }
}

/// The time of the run's clock, in nanoseconds.
#[cold]
fn ask_clock() -> u64 {
    CLOCK.with(|clock| clock.map_or(0, Clock::now))
}
