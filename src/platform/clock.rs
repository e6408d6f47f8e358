//! Clocks: where the time comes from, and what happens when there is nothing to do.
//!
//! Internally, a time is the number of nanoseconds since the clock began, which lasts for 584
//! years.

#[cfg(not(loom))]
use std::cell::Cell;
use std::time::{Duration, Instant};

#[cfg(not(loom))]
use crate::platform::counter::{self, Counter};
use crate::platform::part::part;
use crate::platform::virtual_clock::VirtualClock;

/// Nanoseconds since the clock began.
pub(crate) type Nanos = u64;

/// A deadline that never comes.
pub(crate) const NEVER: Nanos = Nanos::MAX;

/// What the run loop does if nothing can run until a deadline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Idle {
    /// It sleeps until something happens, but no longer than this.
    Sleep(Option<Duration>),
    /// It goes on at once, because the clock has moved.
    Jumped,
}

/// The clock of a run.
pub(crate) enum Clock {
    #[cfg(not(loom))]
    System(SystemClock),
    Virtual(VirtualClock),
}

part! {
    /// The clock of the present run.
    pub(crate) const CLOCK: Clock;
}

/// Does the same with either clock.
macro_rules! either {
    ($self:expr, $clock:ident => $value:expr) => {
        match $self {
            #[cfg(not(loom))]
            Clock::System($clock) => $value,
            Clock::Virtual($clock) => $value,
        }
    };
}

impl Clock {
    /// The clock of a run that was given none.
    pub(crate) fn default_of_run() -> Clock {
        #[cfg(not(loom))]
        return Clock::System(SystemClock::new());
        #[cfg(loom)]
        return Clock::Virtual(VirtualClock::new());
    }

    /// When the clock began.
    pub(crate) fn base(&self) -> Instant {
        either!(self, clock => clock.base())
    }

    pub(crate) fn now(&self) -> Nanos {
        either!(self, clock => clock.now())
    }

    /// The present time as an instant. It is not the sum of the other two: a sum that nobody needs
    /// costs more than a look at the system's clock.
    pub(crate) fn instant(&self) -> Instant {
        match self {
            #[cfg(not(loom))]
            Clock::System(_) => Instant::now(),
            Clock::Virtual(clock) => clock.base() + Duration::from_nanos(clock.now()),
        }
    }

    /// The present time, or up to microseconds later, which takes less time to find out.
    #[inline]
    pub(crate) fn now_or_later(&self) -> Nanos {
        either!(self, clock => clock.now_or_later())
    }

    /// A stamp of the present time, which takes even less time to make.
    #[inline]
    pub(crate) fn stamp(&self) -> u64 {
        either!(self, clock => clock.stamp())
    }

    /// The time at which a stamp was made, or a later one up to now. The older the stamp, the less
    /// exact it is.
    #[inline]
    pub(crate) fn when(&self, stamp: u64) -> Nanos {
        either!(self, clock => clock.when(stamp))
    }

    /// How far the processor's counter goes in a millisecond, if the counter is trusted and that is
    /// known.
    #[cfg(not(loom))]
    pub(crate) fn ticks_in_a_millisecond(&self) -> Option<u64> {
        match self {
            Clock::System(clock) => clock.counter.ticks_in_a_millisecond(),
            Clock::Virtual(_) => None,
        }
    }

    /// Whether the clock moves by jumping to the next deadline.
    pub(crate) fn is_virtual(&self) -> bool {
        matches!(self, Clock::Virtual(_))
    }

    /// How long the clock still waits for input, in real time, before it jumps, if it has waited
    /// since this moment. `None` if it no longer waits.
    pub(crate) fn wait_for_io(&self, since: impl FnOnce() -> Instant) -> Option<Duration> {
        match self {
            #[cfg(not(loom))]
            Clock::System(_) => None,
            Clock::Virtual(clock) => clock.waits_for_io(since),
        }
    }

    /// Called when nothing can run until `next`, or until something happens outside.
    pub(crate) fn idle(&self, next: Option<Nanos>) -> Idle {
        either!(self, clock => clock.idle(next))
    }
}

/// The instant in nanoseconds since the clock began; earlier ones are 0.
pub(crate) fn nanos_of(clock: &Clock, instant: Instant) -> Nanos {
    nanos(instant.saturating_duration_since(clock.base()))
}

/// The instant this many nanoseconds after the clock began; `None` if that is beyond what an
/// `Instant` can represent.
pub(crate) fn instant_of(clock: &Clock, nanos: Nanos) -> Option<Instant> {
    clock.base().checked_add(Duration::from_nanos(nanos))
}

/// The duration in nanoseconds; too long a duration is [`NEVER`].
pub(crate) fn nanos(duration: Duration) -> Nanos {
    duration.as_nanos().try_into().unwrap_or(NEVER)
}

/// The machine's monotonic clock.
#[cfg(not(loom))]
pub(crate) struct SystemClock {
    base: Instant,
    counter: Counter,
    /// The latest time that `now_or_later` has returned. A time read later must not be earlier.
    told: Cell<Nanos>,
}

#[cfg(not(loom))]
impl SystemClock {
    pub(crate) fn new() -> Self {
        let counter = Counter::new(counter::ticks(), counter::is_steady());
        SystemClock { base: Instant::now(), counter, told: Cell::new(0) }
    }

    /// Reads the counter and then the time.
    #[inline(never)]
    fn read(&self) -> (u64, Nanos) {
        let ticks = counter::ticks();
        let now = nanos(self.base.elapsed());
        self.counter.read(ticks, now);
        (ticks, now)
    }

    fn base(&self) -> Instant {
        self.base
    }

    fn now(&self) -> Nanos {
        self.read().1
    }

    #[inline]
    fn now_or_later(&self) -> Nanos {
        let known = self.counter.time_at(counter::ticks());
        let now = known.unwrap_or_else(
            #[cold]
            || self.now(),
        );
        let told = now.max(self.told.get());
        self.told.set(told);
        told
    }

    #[inline]
    fn stamp(&self) -> u64 {
        counter::ticks()
    }

    #[inline]
    fn when(&self, stamp: u64) -> Nanos {
        self.counter.time_at(stamp).unwrap_or_else(
            #[cold]
            || {
                let (ticks, now) = self.read();
                self.counter.time_before(stamp, ticks, now)
            },
        )
    }

    fn idle(&self, next: Option<Nanos>) -> Idle {
        Idle::Sleep(next.map(|next| Duration::from_nanos(next.saturating_sub(self.now()))))
    }
}
