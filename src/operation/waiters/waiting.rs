//! A waiter: the watch over it, and the waker to wake.

use std::mem;
use std::task::{Context, Waker};

use crate::error::Result;
use crate::schedule::foreign::Foreign;
use crate::schedule::ids::UnitId;
use crate::schedule::wake::KeptWaker;
use crate::schedule::waker;
use crate::scope::watch::{self, Watch};

/// The part of an operation that is left with the source of what it waits for. Dropping it runs
/// foreign code.
pub(crate) struct Waiting {
    watch: Watch,
    waker: KeptWaker,
}

impl Waiting {
    /// Nobody waits.
    pub(crate) const NONE: Waiting =
        Waiting { watch: Watch::new(), waker: KeptWaker::Unit(UnitId::NONE) };

    /// For a waker whose operation learns of a cancellation in another way. This runs foreign code.
    pub(crate) fn unwatched(waker: &Waker) -> Self {
        let waker = match waker::unit_of(waker) {
            Some(unit) => KeptWaker::Unit(unit),
            None => KeptWaker::Foreign(Foreign::keep(waker)),
        };
        Waiting { watch: Watch::new(), waker }
    }

    /// Whether this wakes the same as `waker`. Runs no foreign code.
    pub(crate) fn will_wake(&self, waker: &Waker) -> bool {
        match &self.waker {
            KeptWaker::Unit(unit) => waker::unit_of(waker) == Some(*unit),
            KeptWaker::Foreign(kept) => kept.will_wake(waker),
        }
    }

    /// For a wait that begins now, in the unit that is being polled.
    #[inline(always)]
    pub(crate) fn of_unit(unit: UnitId) -> Self {
        Waiting { waker: KeptWaker::Unit(unit), watch: Watch::of_unit() }
    }

    /// For a wait that begins now, with a foreign waker.
    pub(crate) fn of_foreign(waker: Foreign) -> Self {
        Waiting { waker: KeptWaker::Foreign(waker.clone()), watch: Watch::armed_with(waker) }
    }

    /// Whether a foreign waker has to be kept before the operation [goes on](Self::go_on).
    pub(crate) fn is_new(&self, waker: &Waker) -> bool {
        let is_kept = matches!(&self.waker, KeptWaker::Foreign(kept) if kept.will_wake(waker));
        let is_known = waker::is_of_current_unit(waker) || is_kept && self.watch.is_left(waker);
        !is_known
    }

    /// To be called whenever the operation goes on waiting. `new` is its waker, if it [is
    /// new](Self::is_new). Dropping the returned value runs foreign code.
    #[must_use]
    pub(crate) fn go_on(&mut self, cx: &Context<'_>, new: Option<Foreign>) -> Stale {
        let waker = match (waker::current_unit(cx.waker()), &new) {
            (Some(unit), _) => Some(KeptWaker::Unit(unit)),
            (None, Some(new)) => Some(KeptWaker::Foreign(new.clone())),
            (None, None) => None,
        };
        let watch = self.watch.arm_with(new);
        let waker = waker.map(|waker| mem::replace(&mut self.waker, waker));
        Stale { _watch: watch, _waker: waker }
    }

    /// See [`Watch::is_cancelled`].
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.watch.is_cancelled()
    }

    /// See [`Watch::check`].
    pub(crate) fn check(&mut self) -> Result<()> {
        self.watch.check()
    }

    /// The waiting unit, if the waker is that unit's own.
    #[inline]
    pub(crate) fn unit(&self) -> Option<UnitId> {
        match self.waker {
            KeptWaker::Unit(unit) => Some(unit),
            KeptWaker::Foreign(_) => None,
        }
    }

    /// Called when what it waited for has come. Returns the waker to wake.
    #[must_use]
    #[inline(always)]
    pub(crate) fn hand(self) -> KeptWaker {
        self.watch.handed();
        self.waker
    }
}

/// Things that an operation which goes on waiting no longer needs.
pub(crate) struct Stale {
    _watch: watch::Stale,
    _waker: Option<KeptWaker>,
}

/// Nobody waits.
impl Default for Waiting {
    #[inline]
    fn default() -> Self {
        Waiting::NONE
    }
}
