//! Counting operations: what a unit may finish at once, in one poll, before it lets others run.

use super::time::READ_EVERY;
use super::{Budget, How, OPERATION, Share, Turn};
#[cfg(not(loom))]
use crate::platform::counter;
use crate::schedule::budget::{ASIDE, POLL_TIME};

/// The most operations between two readings in one poll. While operations are quick there are as
/// many until the next reading as there have been since the poll began. For what takes as little
/// time as a generator's item, a reading every few would cost more than the item.
const READ_SELDOM: u32 = 16;

/// Operations are quick if between two readings less than a millisecond divided by this has gone by.
const QUICK: u64 = 64;

/// An allowance of nothing.
pub(super) const USED_UP: i32 = -1;

/// In place of the rest of a budget: what runs must not let others run.
pub(super) const UNINTERRUPTED: u32 = u32::MAX;

/// Added to the allowance where a test decides at each operation, so that it is below 0.
pub(super) const ASKS: i32 = i32::MIN / 2;

/// The allowance of so many operations, after the last of which the rest is checked.
#[inline(always)]
pub(super) fn plain(operations: u32) -> i32 {
    i32::try_from(operations).unwrap_or(i32::MAX) - 1
}

impl Turn {
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
        self.uncount();
        self.is_uninterrupted() || self.how.get() != How::Exact && self.go_on()
    }

    #[inline]
    fn is_uninterrupted(&self) -> bool {
        self.rest.get() == UNINTERRUPTED
    }

    /// Counts an operation. True if that is all. If not, it has to be [taken back](Self::uncount),
    /// unless there is a new allowance.
    #[inline(always)]
    fn count(&self) -> bool {
        let left = self.allowance.get().wrapping_sub(1);
        self.allowance.set(left);
        left >= 0
    }

    #[inline]
    fn uncount(&self) {
        self.allowance.set(self.allowance.get().wrapping_add(1));
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
        if self.go_on_calmly() { Share::Left } else { self.spend_slowly(interrupts) }
    }

    #[cold]
    #[inline(never)]
    fn spend_slowly(&self, interrupts: fn() -> bool) -> Share {
        self.uncount();
        let allowance = self.allowance.get();
        let goes_on = if self.is_uninterrupted() {
            true
        } else if allowance < ASKS / 2 {
            self.charge(1);
            let left = (allowance - ASKS - 1).max(0);
            self.allowance.set(ASKS + left);
            left > 0 && !interrupts()
        } else {
            self.go_on()
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
        self.uncount();
        if self.is_uninterrupted() {
            return true;
        }
        if self.how.get() != How::Exact {
            return self.go_on();
        }
        self.charge(1);
        let left = self.rest.get().saturating_sub(1);
        self.rest.set(left);
        if left == 0 {
            let asks = self.allowance.get() < ASKS / 2;
            self.allowance.set(if asks { ASKS } else { USED_UP });
        }
        left > 0
    }

    /// Whether something that is not a checkpoint may begin without letting others run first.
    #[inline(always)]
    pub(crate) fn has_left(&self) -> bool {
        self.allowance.get() >= 0 || self.has_left_aside()
    }

    #[cold]
    #[inline(never)]
    fn has_left_aside(&self) -> bool {
        self.how.get() == How::Exact && self.rest.get() > 0
    }

    /// The same as [`go_on`](Self::go_on), if operations have been fast and now are quick. Otherwise
    /// does nothing and returns false.
    #[inline(always)]
    fn go_on_calmly(&self) -> bool {
        let rest = self.rest.get();
        if rest < self.calm_stride.get() || rest == UNINTERRUPTED {
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
        if since_reading >= millisecond / QUICK || since_poll >= POLL_TIME * millisecond {
            return false;
        }
        let next = self.quick(rest);
        let Some(work) = self.work.get().checked_sub(OPERATION * next as i32) else {
            return false;
        };
        self.work.set(work);
        self.read.set(now);
        self.allow(next, rest);
        true
    }

    /// To be called when the allowance is used up. Returns whether there is another one.
    fn go_on(&self) -> bool {
        self.allowance.set(USED_UP);
        let how = self.how.get();
        let rest = self.rest.get();
        // With `Exact` it is polled again for each operation, and polls count.
        if how == How::Exact || rest == 0 {
            return false;
        }
        let mut next = self.stride.get().min(rest);
        if how == How::Timed {
            let before = self.read.get();
            if self.lasts(self.poll_began.get(), POLL_TIME) {
                self.rest.set(0);
                return false;
            }
            next = self.stride.get().min(rest);
            let since_reading = self.read.get().saturating_sub(before);
            if next > 1 && since_reading < self.millisecond.get() / QUICK {
                next = next.max(self.quick(rest));
            }
        }
        self.charge(next);
        self.allow(next, rest);
        true
    }

    /// How many operations there are until the next reading if they are quick, of this rest of the
    /// budget.
    #[inline(always)]
    fn quick(&self, rest: u32) -> u32 {
        let done = self.budget.get().saturating_sub(rest);
        done.clamp(READ_EVERY, READ_SELDOM).min(rest)
    }

    /// Takes so many operations from the rest of the budget. One of them has just been counted.
    #[inline(always)]
    fn allow(&self, operations: u32, rest: u32) {
        self.allowance.set(plain(operations));
        self.rest.set(rest - operations);
    }

    fn charge(&self, operations: u32) {
        self.work.set(self.work.get().saturating_sub_unsigned(OPERATION as u32 * operations));
    }

    /// Runs `f`, whose operations do not let others run, because nobody would poll `f` again. They
    /// count as far as the allowance goes.
    #[inline(always)]
    pub(crate) fn uninterrupted<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Restore<'a>(&'a Turn, u32);
        impl Drop for Restore<'_> {
            #[inline(always)]
            fn drop(&mut self) {
                self.0.rest.set(self.1);
            }
        }
        let _restore = Restore(self, self.rest.replace(UNINTERRUPTED));
        f()
    }

    /// Runs `f`, up to so many operations of which neither let others run nor count, because nobody
    /// would poll `f` again.
    #[inline]
    pub(crate) fn with_budget<R>(&self, operations: u32, f: impl FnOnce() -> R) -> R {
        struct Restore<'a>(&'a Turn, Budget);
        impl Drop for Restore<'_> {
            #[inline]
            fn drop(&mut self) {
                self.0.set_budget(self.1);
            }
        }
        let _restore = Restore(self, self.budget());
        self.allowance.set(plain(operations));
        self.rest.set(if self.how.get() == How::Exact { ASIDE } else { 0 });
        f()
    }
}
