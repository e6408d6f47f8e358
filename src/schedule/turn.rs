//! How much is done before others have their turn: by one unit before it lets others run, and by
//! all units together before the run looks at the network, the clock, other threads and Ctrl-C.
//!
//! | what | counts | bound, besides time |
//! |---|---|---|
//! | budget | operations of one unit that finish at once, in one poll | [`Builder::budget`](crate::Builder::budget), by default [`DEFAULT_BUDGET`] |
//! | turn | [`OPERATION`] for each operation, [`POLL`] for each poll | [`TURN`] |
//!
//! An operation counts down one integer, `allowance`. Mostly this covers only a few operations and
//! not the whole budget. When they are used up, the rest of the budget is checked, the turn is
//! charged, and the time is read. So fairness costs an operation no more than a budget alone would.

use std::cell::Cell;

use crate::platform::clock::{CLOCK, Clock};
#[cfg(not(loom))]
use crate::platform::counter;
use crate::schedule::budget::{ASIDE, DEFAULT_BUDGET, POLL_TIME};
use crate::schedule::order::Order;

/// The work of a turn: between two looks a task that is always ready has the default budget once,
/// or yields twice as often.
pub(crate) const TURN: i32 = DEFAULT_BUDGET as i32 * OPERATION;

/// The work of an operation that finishes at once. Going on without letting others run is charged
/// more than letting them run.
const OPERATION: i32 = 2;

/// The work of a poll.
const POLL: i32 = 1;

/// How many milliseconds a turn may last.
const TURN_TIME: u64 = 5;

/// How many operations or polls there are between two readings of the processor's counter.
const READ_EVERY: u32 = 4;

/// The most operations between two readings in one poll. While operations are quick there are as
/// many until the next reading as there have been since the poll began. For what takes as little
/// time as a generator's item, a reading every few would cost more than the item.
const READ_SELDOM: u32 = 16;

/// Operations are quick if between two readings less than a millisecond divided by this has gone by.
const QUICK: u64 = 64;

/// The same if the counter is not trusted and the system's clock has to be asked.
const ASK_EVERY: u32 = 8;

/// How far the counter is assumed to advance in a millisecond, until that has been measured.
/// Whether a task has the thread for one millisecond or for two matters little.
const ASSUMED_SPEED: u64 = 2_000_000;

/// The first reading in a poll comes after this many operations, because slow ones may follow fast
/// ones. A task that sends a message and waits for the next one does not pay for a reading.
const READ_FIRST: u32 = 3;

/// Operations are slow if a millisecond divided by this has gone by between two readings. Then each
/// of the next ones is followed by a reading.
const SLOW: u64 = 8;

/// After this many readings in a row between which operations were fast, they are taken to be fast.
const CALM: u32 = 16;

/// The bounds of the work on this thread, in the present run.
pub(crate) struct Turn {
    /// How many operations the present unit may still finish at once before the rest is checked.
    allowance: Cell<u32>,
    /// How many it may finish after those. If operations that are not checkpoints have a count of
    /// their own, this is that count.
    rest: Cell<u32>,
    /// At this allowance or less, more has to be done than to count: 1, unless a test decides at
    /// each operation whether the unit lets others run.
    asks: Cell<u32>,
    /// The allowance and the rest that a unit begins with.
    first: Cell<u32>,
    first_rest: Cell<u32>,
    /// How many operations or polls there are between two readings, after the first.
    stride: Cell<u32>,
    /// After how many readings in a row the operations since the previous one were fast.
    calm: Cell<u32>,
    /// Whether those were enough, and time is read from the processor's counter.
    is_calm: Cell<bool>,
    budget: Cell<u32>,
    how: Cell<How>,

    /// How much work is left in the turn. Below 0 a look is overdue.
    work: Cell<i32>,
    /// When no more than this is left, it has to be found out whether the turn is over.
    check: Cell<i32>,

    /// A millisecond, in the unit of the readings.
    millisecond: Cell<u64>,
    /// Whether the processor's counter is read, rather than the system's clock.
    by_counter: Cell<bool>,
    is_speed_known: Cell<bool>,
    /// The latest reading, and the readings at which the present poll and the turn began.
    read: Cell<u64>,
    poll_began: Cell<u64>,
    turn_began: Cell<u64>,
}

/// How the turns of a run are bounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    /// Work and time. The world may be looked at between any two polls.
    Timed,
    /// Work alone, because time does not pass while anything runs.
    Counted,
    /// Work alone, and the world is looked at only between two rounds, because the schedule is
    /// guaranteed. Operations that are not checkpoints must not affect it, and have a count of
    /// their own.
    Exact,
    /// Like `Exact`, for runs whose schedule is decided by a seed, except that everything counts
    /// against the same budget.
    Seeded,
}

/// How much a unit may still do.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    allowance: u32,
    rest: u32,
    poll_began: u64,
}

/// Whether a unit goes on after an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Share {
    Left,
    /// The unit has used up its budget, and must let others run first.
    UsedUp,
}

impl Turn {
    pub(crate) const fn new() -> Turn {
        Turn {
            allowance: Cell::new(0),
            rest: Cell::new(0),
            asks: Cell::new(1),
            first: Cell::new(0),
            first_rest: Cell::new(0),
            stride: Cell::new(1),
            calm: Cell::new(0),
            is_calm: Cell::new(false),
            budget: Cell::new(0),
            how: Cell::new(How::Counted),
            work: Cell::new(0),
            check: Cell::new(0),
            millisecond: Cell::new(0),
            by_counter: Cell::new(false),
            is_speed_known: Cell::new(false),
            read: Cell::new(0),
            poll_began: Cell::new(0),
            turn_began: Cell::new(0),
        }
    }

    /// A run begins.
    pub(crate) fn begin_run(&self, budget: u32, order: &Order, clock: &Clock) {
        let exploring = order.is_decided();
        self.how.set(match order {
            _ if exploring || budget == 1 => How::Exact,
            Order::FirstInFirstOut if clock.is_virtual() => How::Counted,
            Order::FirstInFirstOut => How::Timed,
            _ => How::Seeded,
        });
        self.asks.set(if exploring { u32::MAX } else { 1 });
        self.budget.set(budget);
        #[cfg(not(loom))]
        self.by_counter.set(counter::is_steady());
        if !self.by_counter.get() {
            self.millisecond.set(1_000_000);
        } else if !self.is_speed_known.get() {
            self.millisecond.set(ASSUMED_SPEED);
        }
        // Operations are taken to be slow until they are known to be fast.
        self.calm.set(0);
        self.set_strides();
        self.begin_poll();
    }

    // Operations.

    /// Counts an operation that finishes at once, if counting is all that is needed. Otherwise
    /// returns false and counts nothing: the unit may have to let others run.
    #[inline(always)]
    pub(crate) fn pass(&self) -> bool {
        self.count() || self.pass_closely()
    }

    #[cold]
    #[inline(never)]
    fn pass_closely(&self) -> bool {
        self.go_on_calmly() || self.pass_slowly()
    }

    #[cold]
    #[inline(never)]
    fn pass_slowly(&self) -> bool {
        self.how.get() != How::Exact && self.go_on()
    }

    /// Counts an operation, if that is all.
    #[inline(always)]
    fn count(&self) -> bool {
        let allowance = self.allowance.get();
        let is_all = allowance > self.asks.get();
        if is_all {
            self.allowance.set(allowance - 1);
        }
        is_all
    }

    /// Counts an operation that finishes at once. If something decides whether the unit lets others
    /// run, `interrupts` asks it.
    #[inline]
    pub(crate) fn spend(&self, interrupts: fn() -> bool) -> Share {
        if self.count() { Share::Left } else { self.spend_closely(interrupts) }
    }

    #[cold]
    #[inline(never)]
    fn spend_closely(&self, interrupts: fn() -> bool) -> Share {
        let goes_on = if self.asks.get() > 1 {
            self.charge(1);
            let left = self.allowance.get().saturating_sub(1);
            self.allowance.set(left);
            left > 0 && !interrupts()
        } else {
            self.go_on_calmly() || self.go_on()
        };
        if goes_on { Share::Left } else { Share::UsedUp }
    }

    /// Counts something that finishes at once and is not a checkpoint. False if the unit has to let
    /// others run first.
    #[inline(always)]
    pub(crate) fn pass_aside(&self) -> bool {
        self.count() || self.pass_aside_closely()
    }

    #[cold]
    #[inline(never)]
    fn pass_aside_closely(&self) -> bool {
        self.go_on_calmly() || self.pass_aside_slowly()
    }

    #[cold]
    #[inline(never)]
    fn pass_aside_slowly(&self) -> bool {
        if self.how.get() != How::Exact {
            return self.go_on();
        }
        self.charge(1);
        let left = self.rest.get().saturating_sub(1);
        self.rest.set(left);
        if left == 0 {
            self.allowance.set(0);
        }
        left > 0
    }

    /// Whether something that is not a checkpoint may begin without letting others run first.
    #[inline(always)]
    pub(crate) fn has_left(&self) -> bool {
        self.allowance.get() >= self.asks.get() || self.has_left_aside()
    }

    #[cold]
    #[inline(never)]
    fn has_left_aside(&self) -> bool {
        self.how.get() == How::Exact && self.rest.get() > 0
    }

    /// The same as [`go_on`](Self::go_on), if operations have been fast and still are. Otherwise
    /// does nothing and returns false.
    #[inline(always)]
    fn go_on_calmly(&self) -> bool {
        let (rest, stride) = (self.rest.get(), self.stride.get());
        if !self.is_calm.get() || rest < stride {
            return false;
        }
        #[cfg(not(loom))]
        let now = counter::ticks();
        #[cfg(loom)]
        let now = self.now();
        // A counter that has gone backwards makes these large.
        let since_reading = now.wrapping_sub(self.read.get());
        let since_poll = now.wrapping_sub(self.poll_began.get());
        let millisecond = self.millisecond.get();
        if since_reading >= millisecond / SLOW || since_poll >= POLL_TIME * millisecond {
            return false;
        }
        let Some(work) = self.work.get().checked_sub(OPERATION * stride as i32) else {
            return false;
        };
        self.work.set(work);
        self.read.set(now);
        self.allowance.set(stride);
        self.rest.set(rest - stride);
        true
    }

    /// To be called when the allowance is used up. Returns whether there is another one.
    fn go_on(&self) -> bool {
        self.allowance.set(0);
        let how = self.how.get();
        let rest = self.rest.get();
        // With `Exact` it is polled again for each operation, and polls count.
        if how == How::Exact || rest == 0 {
            return false;
        }
        let mut next = self.stride.get();
        if how == How::Timed {
            let before = self.read.get();
            if self.lasts(self.poll_began.get(), POLL_TIME) {
                self.rest.set(0);
                return false;
            }
            next = self.stride.get();
            if next > 1 && self.read.get() < before + self.millisecond.get() / QUICK {
                next = next.max(self.budget.get().saturating_sub(rest).min(READ_SELDOM));
            }
        }
        let next = next.min(rest);
        self.charge(next);
        self.allowance.set(next);
        self.rest.set(rest - next);
        true
    }

    fn charge(&self, operations: u32) {
        self.work.set(self.work.get().saturating_sub_unsigned(OPERATION as u32 * operations));
    }

    /// Runs `f`, up to so many operations of which neither let others run nor count, because nobody
    /// would poll `f` again.
    #[inline]
    pub(crate) fn with_budget<R>(&self, operations: u32, f: impl FnOnce() -> R) -> R {
        struct Restore<'a>(&'a Turn, Budget, u32);
        impl Drop for Restore<'_> {
            #[inline]
            fn drop(&mut self) {
                self.0.set_budget(self.1);
                self.0.asks.set(self.2);
            }
        }
        let _restore = Restore(self, self.budget(), self.asks.replace(1));
        self.allowance.set(operations);
        self.rest.set(if self.how.get() == How::Exact { ASIDE } else { 0 });
        f()
    }

    // Polls.

    /// Begins a poll that has a budget of its own.
    #[inline(always)]
    pub(crate) fn begin_poll(&self) {
        self.allowance.set(self.first.get());
        self.rest.set(self.first_rest.get());
        self.poll_began.set(self.read.get());
    }

    /// To be called when a poll has ended. True if it has to be found out whether the [turn is
    /// over](Self::is_over).
    #[inline(always)]
    pub(crate) fn end_poll(&self) -> bool {
        let work = self.work.get().wrapping_sub(POLL);
        self.work.set(work);
        work <= self.check.get()
    }

    /// The rest of the budget of the unit that is being polled.
    #[inline]
    pub(crate) fn budget(&self) -> Budget {
        Budget {
            allowance: self.allowance.get(),
            rest: self.rest.get(),
            poll_began: self.poll_began.get(),
        }
    }

    #[inline]
    pub(crate) fn set_budget(&self, budget: Budget) {
        self.allowance.set(budget.allowance);
        self.rest.set(budget.rest);
        self.poll_began.set(budget.poll_began);
    }

    // Turns.

    /// Begins a turn, with this much work. To be called when the world has been looked at.
    pub(crate) fn begin(&self, work: i32) {
        self.work.set(work);
        match self.how.get() {
            How::Timed => {
                if self.by_counter.get() && !self.is_speed_known.get() {
                    self.look_for_speed();
                }
                let now = self.now();
                self.read.set(now);
                self.turn_began.set(now);
                self.check.set(work.wrapping_sub_unsigned(self.stride.get()));
            }
            How::Counted => self.check.set(0),
            How::Exact | How::Seeded => self.check.set(i32::MIN),
        }
    }

    /// Whether the turn's work is done.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.work.get() <= 0
    }

    /// Between two polls: whether the turn is over.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        let work = self.work.get();
        if self.how.get() == How::Timed && self.lasts(self.turn_began.get(), TURN_TIME) {
            self.work.set(work.min(0));
            return true;
        }
        self.check.set(work.wrapping_sub_unsigned(self.stride.get()));
        work <= 0
    }

    /// Ends the turn. This is noticed after the present poll.
    pub(crate) fn end_now(&self) {
        self.work.set(0);
        self.check.set(i32::MAX);
    }

    // Time.

    /// Whether time is read.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        self.how.get() == How::Timed
    }

    /// When the turn began.
    pub(crate) fn began(&self) -> u64 {
        self.turn_began.get()
    }

    /// The time of the latest reading.
    pub(crate) fn time(&self) -> u64 {
        self.read.get()
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
    fn lasts(&self, began: u64, milliseconds: u64) -> bool {
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
    fn now(&self) -> u64 {
        #[cfg(not(loom))]
        if self.by_counter.get() {
            return counter::ticks();
        }
        ask_clock()
    }

    /// Finds out whether the counter's speed is known by now.
    #[cold]
    fn look_for_speed(&self) {
        #[cfg(not(loom))]
        if let Some(ticks) = CLOCK.with(|clock| clock?.ticks_in_a_millisecond()) {
            self.millisecond.set(ticks);
            self.is_speed_known.set(true);
        }
    }

    /// Decides how much happens between two readings.
    fn set_strides(&self) {
        let budget = self.budget.get();
        let (first, stride) = match (self.how.get(), self.by_counter.get()) {
            (How::Exact, _) => (budget, budget),
            (How::Timed, _) if self.calm.get() < CALM => (1, 1),
            (How::Timed, false) => (READ_FIRST, ASK_EVERY),
            _ => (READ_FIRST, READ_EVERY),
        };
        let first = first.min(budget);
        self.first.set(first);
        self.first_rest.set(if self.how.get() == How::Exact { ASIDE } else { budget - first });
        self.stride.set(stride);
        let is_calm = self.how.get() == How::Timed && self.calm.get() == CALM;
        self.is_calm.set(is_calm && self.by_counter.get());
    }
}

/// The time of the run's clock, in nanoseconds.
#[cold]
fn ask_clock() -> u64 {
    CLOCK.with(|clock| clock.map_or(0, Clock::now))
}
