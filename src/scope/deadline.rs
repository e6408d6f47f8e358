//! Deadlines of scopes.

use std::time::Instant;

use crate::error::Reason;
use crate::platform::clock::{self, CLOCK, Clock, NEVER, Nanos};
use crate::scope::timers::{Target, Timer};
use crate::scope::tree::pool::ScopeRef;
use crate::scope::tree::{Level, Scope};

/// When a scope is cancelled.
///
/// `repr(u8)`, because the kind is checked whenever a scope is entered or left, and decoding it
/// from the spare values of an `Instant` would take longer.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Deadline {
    Never,
    /// At this time of the run's clock, which is not [`NEVER`].
    At(Nanos),
    /// At this instant. The scope is not open yet, so there may be no clock to ask.
    Instant(Instant),
    /// This long after it is entered.
    AfterEntry(Nanos),
    /// This long after the scope was entered, at this stamp of the clock. Most scopes are left
    /// before anything in them waits, so the time is never read and no timer is set.
    Since(u64, Nanos),
    /// Like `Since`, but the time has been worked out because somebody asked.
    Unarmed(Nanos),
    /// At this instant, or this long after the scope is entered, whichever comes first.
    EarlierOf(Instant, Nanos),
}

impl Deadline {
    fn at(time: Nanos) -> Deadline {
        if time == NEVER { Deadline::Never } else { Deadline::At(time) }
    }

    /// The time of the deadline on the given clock, if the scope is entered now.
    fn resolve(self, clock: &Clock) -> Nanos {
        match self {
            Deadline::Never => NEVER,
            Deadline::At(time) | Deadline::Unarmed(time) => time,
            Deadline::Instant(instant) => clock::nanos_of(clock, instant),
            Deadline::AfterEntry(time) => clock.now().saturating_add(time),
            Deadline::Since(stamp, time) => clock.when(stamp).saturating_add(time),
            Deadline::EarlierOf(instant, time) => {
                let instant = Deadline::Instant(instant).resolve(clock);
                instant.min(Deadline::AfterEntry(time).resolve(clock))
            }
        }
    }
}

impl ScopeRef {
    /// Moves the deadline. If the new one has passed, an open scope is cancelled at once.
    pub(crate) fn set_deadline(&self, deadline: Deadline) {
        if self.has_left() {
            return;
        }
        self.deadline.set(deadline);
        self.clear_timer();
        if self.is_entered() {
            self.start_deadline();
        }
    }

    /// To be called when the scope has been entered. The deadline counts from now, and takes effect
    /// with [`arm_deadline`](Self::arm_deadline), before anything waits.
    #[inline(never)]
    pub(super) fn begin_deadline(&self) {
        match self.deadline.get() {
            Deadline::AfterEntry(time @ 1..) => {
                let stamp = CLOCK.with(|clock| clock.map(Clock::stamp));
                self.deadline.set(Deadline::Since(stamp.unwrap_or(0), time));
            }
            _ => self.start_deadline(),
        }
    }

    /// To be called when something in the scope is about to wait.
    #[inline]
    pub(super) fn arm_deadline(&self) {
        if let Deadline::Since(..) | Deadline::Unarmed(_) = self.deadline.get() {
            self.start_deadline();
        }
    }

    /// Sets the timer for the deadline of an open scope, or cancels the scope if the deadline has
    /// passed.
    pub(crate) fn start_deadline(&self) {
        if !self.has_deadline() {
            return;
        }
        let passed = CLOCK.with(|clock| {
            let Some(clock) = clock else { return false };
            let deadline = self.deadline.get().resolve(clock);
            self.deadline.set(Deadline::at(deadline));
            if deadline == NEVER || self.is_fully_cancelled() {
                return false;
            }
            // Usually it has not, and the slower clock need not be read.
            if deadline <= clock.now_or_later() && deadline <= clock.now() {
                return true;
            }
            self.timer.set(Timer::set(deadline, Target::Expire(self.clone())));
            false
        });
        if passed {
            self.expire();
        }
    }
}

impl Scope {
    #[inline]
    pub(crate) fn has_deadline(&self) -> bool {
        !matches!(self.deadline.get(), Deadline::Never)
    }

    #[inline]
    pub(crate) fn clear_timer(&self) {
        if !self.timer.get().is_none() {
            self.timer.replace(Timer::NONE).clear();
        }
    }

    /// To be called when the deadline has passed.
    pub(crate) fn expire(&self) {
        self.timer.set(Timer::NONE);
        // If the scope was cancelled gracefully, the deadline is the end of the grace.
        let (reason, by) = match self.why() {
            Some(why) => (Reason::GraceOver, why.cancelled_by()),
            None => (Reason::Deadline, None),
        };
        self.cancel(Level::Full, reason, by);
    }

    /// Works out when the deadline is. From now on it stays the same.
    fn settle_deadline(&self) {
        if let since @ Deadline::Since(..) = self.deadline.get() {
            CLOCK.with(|clock| {
                if let Some(clock) = clock {
                    self.deadline.set(Deadline::Unarmed(since.resolve(clock)));
                }
            });
        }
    }

    /// Forgets, when the scope is left, a deadline that never took effect and that nobody has asked
    /// about. If the deadline is of another kind, does nothing and returns false.
    #[inline]
    pub(super) fn forget_deadline(&self) -> bool {
        match self.deadline.get() {
            Deadline::Never => true,
            Deadline::Since(..) => {
                self.deadline.set(Deadline::Never);
                true
            }
            _ => false,
        }
    }

    /// Ends a deadline of any kind, when the scope is left.
    pub(super) fn end_deadline(&self) {
        match self.deadline.get() {
            Deadline::Never => {}
            Deadline::Since(..) => self.deadline.set(Deadline::Never),
            Deadline::Unarmed(time) => self.deadline.set(Deadline::at(time)),
            _ => self.clear_timer(),
        }
    }

    /// When the deadline of an open scope is. This changes nothing.
    pub(crate) fn deadline_to_show(&self) -> Option<Nanos> {
        if !self.has_deadline() {
            return None;
        }
        let at = CLOCK.with(|clock| clock.map(|clock| self.deadline.get().resolve(clock)));
        at.filter(|&at| at != NEVER)
    }

    /// The deadline as an instant, if it is known.
    pub(crate) fn deadline_instant(&self) -> Option<Instant> {
        self.settle_deadline();
        match self.deadline.get() {
            Deadline::Never | Deadline::AfterEntry(_) => None,
            Deadline::Instant(instant) | Deadline::EarlierOf(instant, _) => Some(instant),
            known => CLOCK.with(|clock| {
                let clock = clock?;
                match known.resolve(clock) {
                    NEVER => None,
                    time => clock::instant_of(clock, time),
                }
            }),
        }
    }

    /// The earliest deadline of the open scopes up to the nearest shield, or a time that has passed
    /// if the scope is cancelled.
    pub(crate) fn effective_deadline(&self) -> Nanos {
        if self.is_cancelled() {
            return 0;
        }
        let mut earliest = NEVER;
        let mut scope = self;
        loop {
            scope.settle_deadline();
            if let Deadline::At(deadline) | Deadline::Unarmed(deadline) = scope.deadline.get() {
                earliest = earliest.min(deadline);
            }
            match scope.parent() {
                Some(parent) if !scope.shield() => scope = parent,
                _ => return earliest,
            }
        }
    }
}
