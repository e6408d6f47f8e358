//! How much is done before others have their turn: by one unit before it lets others run, and by
//! all units together before the run looks at the network, the clock, other threads and Ctrl-C.
//!
//! | what | counts | bound, besides time |
//! |---|---|---|
//! | budget | operations of one unit that finish at once, in one poll | [`Builder::budget`](crate::Builder::budget), by default [`DEFAULT_BUDGET`] |
//! | turn | [`OPERATION`] for each operation, [`POLL`] for each poll | [`TURN`] |
//!
//! | file | concept |
//! |---|---|
//! | `operations` | counting an operation: the allowance and the rest of the budget |
//! | `time` | reading the time: how often, and how long something lasts |
//! | `history` | when the rounds of a run were |
//!
//! An operation counts down one integer, `allowance`. Mostly this covers only a few operations and
//! not the whole budget. When they are used up, the rest of the budget is checked, the turn is
//! charged, and the time is read. So fairness costs an operation no more than a budget alone would.

pub(crate) mod history;
mod operations;
mod time;

use std::cell::Cell;

use operations::UNINTERRUPTED;
use time::ASSUMED_SPEED;

use crate::platform::clock::Clock;
#[cfg(not(loom))]
use crate::platform::counter;
use crate::platform::swap_cells::swap_cells;
use crate::schedule::budget::DEFAULT_BUDGET;
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
pub(super) const TURN_TIME: u64 = 5;

/// The same for a run that is a guest: its host's timers wait for the end of the turn.
pub(super) const TURN_TIME_OF_GUEST: u64 = 1;

/// The bounds of the work on this thread, in the present run.
pub(crate) struct Turn {
    /// How many operations the present unit may still finish at once and only count: at the one
    /// after them, the rest is checked. Where a test decides at each operation whether the unit
    /// lets others run, the number of operations until it has to, plus [`ASKS`](operations::ASKS).
    allowance: Cell<i32>,
    /// How many it may finish after those, or [`UNINTERRUPTED`]. If operations that are not
    /// checkpoints have a count of their own, this is that count.
    rest: Cell<u32>,
    /// The allowance and the rest that a unit begins with.
    first: Cell<i32>,
    first_rest: Cell<u32>,
    /// How many operations or polls there are between two readings, after the first.
    stride: Cell<u32>,
    /// After how many readings in a row the operations since the previous one were fast.
    calm: Cell<u32>,
    /// The stride if those were enough and time is read from the processor's counter, and otherwise
    /// more than there ever is left of a budget.
    calm_stride: Cell<u32>,
    budget: Cell<u32>,
    how: Cell<How>,
    /// Whether a test decides at each operation.
    is_decided: Cell<bool>,

    /// How many milliseconds of a turn's time are taken to have gone by when it begins.
    head_start: Cell<u64>,
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
    allowance: i32,
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
            // Before the first run on this thread there is nobody to let run.
            allowance: Cell::new(i32::MAX),
            rest: Cell::new(UNINTERRUPTED),
            is_decided: Cell::new(false),
            first: Cell::new(0),
            first_rest: Cell::new(0),
            stride: Cell::new(1),
            calm: Cell::new(0),
            calm_stride: Cell::new(u32::MAX),
            budget: Cell::new(0),
            how: Cell::new(How::Counted),
            head_start: Cell::new(0),
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

    /// A run begins, whose turns may last for so many milliseconds.
    pub(crate) fn begin_run(&self, budget: u32, longest: u64, order: &Order, clock: &Clock) {
        self.head_start.set(TURN_TIME - longest);
        let exploring = order.is_decided();
        self.how.set(match order {
            _ if exploring || budget == 1 => How::Exact,
            Order::FirstInFirstOut if clock.is_virtual() => How::Counted,
            Order::FirstInFirstOut => How::Timed,
            _ => How::Seeded,
        });
        self.is_decided.set(exploring);
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
        // The first poll begins here, with the budget of whoever called `run`. What was read last
        // is from an earlier run.
        if self.is_timed() {
            self.read.set(self.now());
        }
        self.begin_poll();
    }

    /// Exchanges these bounds for those of another run. What is known about the processor's counter
    /// stays with the thread.
    pub(crate) fn swap(&self, other: &Turn) {
        swap_cells!(self, other:
            allowance, rest, first, first_rest, stride, calm, calm_stride, budget, how, is_decided,
            head_start, work, check, read, poll_began, turn_began;
            millisecond, by_counter, is_speed_known
        );
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
                let head_start = self.head_start.get() * self.millisecond.get();
                self.turn_began.set(now.saturating_sub(head_start));
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
        if self.how.get() == How::Timed {
            if self.lasts(self.turn_began.get(), TURN_TIME) {
                self.work.set(work.min(0));
                return true;
            }
        } else if self.how.get() != How::Counted {
            // Somebody has asked for another reason: the world is looked at only between rounds.
            self.check.set(i32::MIN);
            return false;
        }
        self.check.set(work.wrapping_sub_unsigned(self.stride.get()));
        work <= 0
    }

    /// Has it found out after the present poll whether the turn is over.
    pub(crate) fn look_soon(&self) {
        self.check.set(i32::MAX);
    }

    /// Ends the turn. This is noticed after the present poll.
    pub(crate) fn end_now(&self) {
        self.work.set(0);
        self.look_soon();
    }
}
