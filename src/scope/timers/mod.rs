//! The timers of a run: things that happen at a certain time.

pub(crate) mod alarm;
pub(crate) mod wheel;

use std::cell::RefCell;
use std::task::Waker;
use std::time::Instant;

use slab::Slab;

use crate::platform::clock::{CLOCK, Nanos};
use crate::platform::part::part;
use crate::schedule::ids::{RunId, RunTag, UnitId};
use crate::schedule::remote::away;
use crate::schedule::{wake, waker};
use crate::scope::timers::wheel::{TimerKey, Wheel};
use crate::scope::tree::pool::ScopeRef;

/// The time of the running clock: the system's, or the [virtual](crate::testing::VirtualClock) one.
/// Outside [`run`](crate::run), the system's.
#[must_use]
pub fn now() -> Instant {
    CLOCK.with(|clock| match clock {
        Some(clock) => clock.instant(),
        None => Instant::now(),
    })
}

/// What a timer does when it fires.
pub(crate) enum Target {
    Unit(UnitId),
    /// Wakes an operation that is polled with another library's waker.
    Foreign(Waker),
    Expire(ScopeRef),
}

impl Target {
    /// A target that wakes this waker.
    #[inline]
    pub(crate) fn wake(waker: &Waker) -> Target {
        match waker::unit_of(waker) {
            Some(unit) => Target::Unit(unit),
            None => Target::Foreign(waker.clone()),
        }
    }

    pub(crate) fn fire(self) {
        match self {
            Target::Unit(unit) => wake::wake(unit),
            Target::Foreign(waker) => waker.wake(),
            Target::Expire(scope) => scope.expire(),
        }
    }
}

/// All timers of a run.
pub(crate) struct Timers {
    wheel: Wheel<Stored>,
    foreign: Slab<Waker>,
}

/// The timers of one run.
pub(crate) struct TimersOfRun {
    run: RunTag,
    pub(crate) timers: RefCell<Timers>,
}

impl TimersOfRun {
    /// The same for a unit. Not inlined, so that its arguments come in registers.
    #[inline(never)]
    fn set_for(&self, deadline: Nanos, unit: UnitId) -> Timer {
        let key = self.timers.borrow_mut().insert(deadline, Target::Unit(unit));
        Timer { key, run: self.run }
    }

    /// Not inlined, so that its arguments come in registers.
    #[inline(never)]
    fn set(&self, deadline: Nanos, target: Target) -> Timer {
        let key = self.timers.borrow_mut().insert(deadline, target);
        Timer { key, run: self.run }
    }

    pub(crate) fn new(run: RunId) -> TimersOfRun {
        TimersOfRun { run: run.tag(), timers: RefCell::new(Timers::new()) }
    }
}

part! {
    /// The timers of the present run.
    pub(crate) const TIMERS: TimersOfRun;
}

/// A `Target` in 12 bytes: there may be millions.
enum Stored {
    Unit(Packed<UnitId>),
    Foreign(u32),
    Expire(Packed<ScopeRef>),
}

#[repr(Rust, packed(4))]
struct Packed<T>(T);

const _: () = assert!(size_of::<Option<Stored>>() <= 12);

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers { wheel: Wheel::new(), foreign: Slab::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.wheel.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wheel.is_empty()
    }

    /// The units that timers wake, and when, in no order.
    pub(crate) fn of_units(&self) -> impl Iterator<Item = (UnitId, Nanos)> {
        self.wheel.iter().filter_map(|(deadline, stored)| match stored {
            Stored::Unit(unit) => Some((unit.0, deadline)),
            Stored::Foreign(_) | Stored::Expire(_) => None,
        })
    }

    /// See [`Wheel::next_deadline`].
    pub(crate) fn next_deadline(&self) -> Option<Nanos> {
        self.wheel.next_deadline()
    }

    /// See [`Wheel::pop_expired`].
    pub(crate) fn pop_expired(&mut self, now: Nanos) -> Option<Target> {
        let (_, stored) = self.wheel.pop_expired(now)?;
        Some(self.unpack(stored))
    }

    /// See [`Wheel::pop_expired_nth`].
    pub(crate) fn pop_expired_nth(
        &mut self,
        now: Nanos,
        choose: impl FnOnce(usize) -> Option<usize>,
    ) -> Option<Target> {
        let (_, stored) = self.wheel.pop_expired_nth(now, choose)?;
        Some(self.unpack(stored))
    }

    #[inline(always)]
    fn insert(&mut self, deadline: Nanos, target: Target) -> TimerKey {
        let stored = self.pack(target);
        self.wheel.insert(deadline, stored)
    }

    #[inline]
    fn remove(&mut self, key: TimerKey) -> Option<Target> {
        let stored = self.wheel.remove(key)?;
        Some(self.unpack(stored))
    }

    /// Whether the timer wakes this waker.
    fn will_wake(&self, key: TimerKey, waker: &Waker) -> bool {
        match self.wheel.get(key) {
            Some(Stored::Unit(unit)) => waker::unit_of(waker) == Some(unit.0),
            Some(Stored::Foreign(at)) => self.foreign[*at as usize].will_wake(waker),
            Some(Stored::Expire(_)) | None => true,
        }
    }

    /// Changes the target of a timer that is set, and returns the former one.
    fn replace(&mut self, key: TimerKey, target: Target) -> Target {
        let new = self.pack(target);
        let old = match self.wheel.get_mut(key) {
            Some(stored) => std::mem::replace(stored, new),
            None => new,
        };
        self.unpack(old)
    }

    #[inline]
    fn pack(&mut self, target: Target) -> Stored {
        match target {
            Target::Unit(unit) => Stored::Unit(Packed(unit)),
            // There are no more foreign wakers than timers.
            Target::Foreign(waker) => Stored::Foreign(self.foreign.insert(waker) as u32),
            Target::Expire(scope) => Stored::Expire(Packed(scope)),
        }
    }

    #[inline]
    fn unpack(&mut self, stored: Stored) -> Target {
        match stored {
            Stored::Unit(unit) => Target::Unit(unit.0),
            Stored::Foreign(at) => Target::Foreign(self.foreign.remove(at as usize)),
            Stored::Expire(Packed(scope)) => Target::Expire(scope),
        }
    }
}

/// A timer that was set, with the number of its run: in a later run the key alone could name
/// another timer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timer {
    key: TimerKey,
    /// [`RunTag::NONE`] if there is no timer.
    run: RunTag,
}

impl Timer {
    pub(crate) const NONE: Timer = Timer { key: TimerKey::NONE, run: RunTag::NONE };

    /// Sets a timer in the present run.
    ///
    /// # Panics
    ///
    /// If no run is going on.
    #[inline]
    pub(crate) fn set(deadline: Nanos, target: Target) -> Timer {
        TIMERS.with(|here| here.expect("a timer is set in a run").set(deadline, target))
    }

    /// Sets a timer that wakes this waker. See [`set`](Self::set).
    #[inline(always)]
    pub(crate) fn wake(deadline: Nanos, waker: &Waker) -> Timer {
        match waker::unit_of(waker) {
            Some(unit) => {
                TIMERS.with(|here| here.expect("a timer is set in a run").set_for(deadline, unit))
            }
            None => Timer::set(deadline, Target::Foreign(waker.clone())),
        }
    }

    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self.run == RunTag::NONE
    }

    /// Clears the timer, if it has not fired and its run goes on.
    #[inline]
    pub(crate) fn clear(self) {
        if !self.is_none() {
            Timer::remove(self.key, self.run);
        }
    }

    /// Takes the two parts of a timer, as they come in registers.
    fn remove(key: TimerKey, run: RunTag) {
        let timer = Timer { key, run };
        if timer.remove_here().is_none() {
            timer.remove_elsewhere();
        }
    }

    #[cold]
    fn remove_elsewhere(self) {
        away::in_tagged_run(self.run, || self.remove_here());
    }

    #[inline(always)]
    fn remove_here(self) -> Option<()> {
        self.in_its_run(|timers| {
            let target = timers.borrow_mut().remove(self.key);
            drop(target); // foreign code, run when the wheel is no longer borrowed
        })
    }

    /// Calls `f` with the timers of the timer's run, if that is the present one.
    #[inline]
    fn in_its_run<R>(self, f: impl FnOnce(&RefCell<Timers>) -> R) -> Option<R> {
        TIMERS.with(|here| here.filter(|here| here.run == self.run).map(|here| f(&here.timers)))
    }

    /// Whether it is a timer of the present `run`.
    #[inline]
    pub(crate) fn is_current(self) -> bool {
        self.in_its_run(|_| ()).is_some()
    }

    /// Whether it is a timer of the present `run` and has fired.
    #[inline]
    pub(crate) fn has_fired(self) -> bool {
        self.in_its_run(|timers| !timers.borrow().wheel.is_set(self.key)).unwrap_or(false)
    }

    /// Makes the timer wake this waker instead, if it is another one.
    pub(crate) fn update(self, waker: &Waker) {
        self.in_its_run(|timers| {
            if timers.borrow().will_wake(self.key, waker) {
                return;
            }
            let target = Target::wake(waker); // foreign code, and so is dropping one
            let old = timers.borrow_mut().replace(self.key, target);
            drop(old);
        });
    }
}
