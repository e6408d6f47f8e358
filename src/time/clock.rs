//! Clocks: where the time comes from, and what happens when there is nothing to do.
//!
//! Inside, time is nanoseconds since the clock began, which lasts for 584 years.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Nanoseconds since the clock began.
pub(crate) type Nanos = u64;

/// A deadline that never comes.
pub(crate) const NEVER: Nanos = Nanos::MAX;

/// What the run loop does when nothing can run until a deadline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Idle {
    /// Sleeps until there is an event, for this long at the most.
    Sleep(Option<Duration>),
    /// Goes on at once: the clock has moved.
    Jumped,
}

/// A source of time.
pub(crate) trait Clock {
    /// When the clock began.
    fn base(&self) -> Instant;

    fn now(&self) -> Nanos;

    /// A note of the present time, which takes less time to make than `now`.
    fn stamp(&self) -> u64;

    /// The time at which a stamp was made, or a later one up to now; the earlier it was made, the
    /// less exact.
    fn when(&self, stamp: u64) -> Nanos;

    /// Whether it moves by jumping to the next deadline.
    fn is_virtual(&self) -> bool {
        false
    }

    /// Nothing can run until `next`, or until something happens outside.
    fn idle(&self, next: Option<Nanos>) -> Idle;
}

/// The instant as nanoseconds since the clock's beginning; what lies before it is 0.
pub(crate) fn nanos_of(clock: &dyn Clock, instant: Instant) -> Nanos {
    nanos(instant.saturating_duration_since(clock.base()))
}

/// The instant this many nanoseconds after the clock's beginning; `None` where `Instant` does not
/// reach that far.
pub(crate) fn instant_of(clock: &dyn Clock, nanos: Nanos) -> Option<Instant> {
    clock.base().checked_add(Duration::from_nanos(nanos))
}

/// The length in nanoseconds; more than there are is [`NEVER`].
pub(crate) fn nanos(duration: Duration) -> Nanos {
    duration.as_nanos().try_into().unwrap_or(NEVER)
}

/// The machine's monotonic clock.
///
/// A stamp becomes a time by the speed that the counter has had since both were read together.
#[cfg(not(loom))]
pub(crate) struct SystemClock {
    base: Instant,
    /// When time and counter were read together, and what the counter said.
    read: Cell<(Nanos, u64)>,
    /// The latest stamp.
    stamped: Cell<u64>,
}

#[cfg(not(loom))]
impl SystemClock {
    pub(crate) fn new() -> Self {
        // In this order, as in `when`: a thread that is interrupted in between makes a stamp later
        // than it was, and what counts from it too long. No timeout may come early.
        let ticks = ticks();
        let base = Instant::now();
        SystemClock { base, read: Cell::new((0, ticks)), stamped: Cell::new(ticks) }
    }

    /// A stamp of this state of the counter. One that has gone backwards, as it does where the
    /// machine was asleep, has nothing to do with what it was before.
    #[inline]
    fn stamp_of(&self, ticks: u64) -> u64 {
        if ticks < self.stamped.replace(ticks) {
            self.read.set((self.now(), ticks));
        }
        ticks
    }
}

#[cfg(not(loom))]
impl Clock for SystemClock {
    fn base(&self) -> Instant {
        self.base
    }

    fn now(&self) -> Nanos {
        nanos(self.base.elapsed())
    }

    fn stamp(&self) -> u64 {
        self.stamp_of(ticks())
    }

    fn when(&self, stamp: u64) -> Nanos {
        let ticks = ticks();
        let now = self.now();
        let (read_at, read) = self.read.get();
        // A counter that has gone backwards since, or stood still, counts as no time at all.
        let (Some(run @ 1..), Some(since)) = (ticks.checked_sub(read), ticks.checked_sub(stamp))
        else {
            return now;
        };
        let time = now - read_at;
        now - (u128::from(time) * u128::from(since.min(run)) / u128::from(run)) as Nanos
    }

    fn idle(&self, next: Option<Nanos>) -> Idle {
        Idle::Sleep(next.map(|next| Duration::from_nanos(next.saturating_sub(self.now()))))
    }
}

/// The processor's counter of time, of unknown speed: a tenth of what asking for the time costs.
#[cfg(all(not(loom), target_arch = "x86_64"))]
#[inline]
fn ticks() -> u64 {
    // SAFETY: every processor of this kind has it.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Where there is none that is known to be good, nanoseconds.
#[cfg(all(not(loom), not(target_arch = "x86_64")))]
fn ticks() -> u64 {
    static BASE: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    nanos(BASE.get_or_init(Instant::now).elapsed())
}

/// A clock that stands still while anything can run and jumps to the next deadline when nothing
/// can: an hour's sleep takes no time, and the same program runs the same way every time. It is
/// Trio's `MockClock(autojump_threshold=0)`.
///
/// While a thread is at work in [`to_thread`](crate::to_thread()), unless that was abandoned, it
/// stands still, too, where Trio's jumps: a thread takes real time, in which this clock would run
/// away from it. If that thread waits for what a task does after a sleep, neither goes on until
/// somebody calls [`advance`](Self::advance).
///
/// Clones are handles to the same clock. Give one to [`Builder::clock`](crate::Builder::clock):
///
/// ```
/// use seedbed::testing::VirtualClock;
/// use std::time::Duration;
///
/// let clock = VirtualClock::new();
/// seedbed::Builder::new().clock(&clock).run(async {
///     seedbed::sleep(Duration::from_secs(3600)).await
/// })?;
/// assert_eq!(clock.elapsed(), Duration::from_secs(3600));
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct VirtualClock {
    inner: Rc<Virtual>,
}

#[derive(Debug)]
struct Virtual {
    base: Instant,
    now: Cell<Nanos>,
}

impl VirtualClock {
    /// A clock that begins now and moves only as its documentation says.
    #[must_use]
    pub fn new() -> Self {
        VirtualClock { inner: Rc::new(Virtual { base: Instant::now(), now: Cell::new(0) }) }
    }

    /// How far the clock has moved since it was made.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.inner.now.get())
    }

    /// Moves the clock forward. What this makes due happens when the run loop looks at the clock
    /// next.
    pub fn advance(&self, by: Duration) {
        self.inner.now.set(self.inner.now.get().saturating_add(nanos(by)).min(NEVER - 1));
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for VirtualClock {
    fn base(&self) -> Instant {
        self.inner.base
    }

    fn now(&self) -> Nanos {
        self.inner.now.get()
    }

    fn stamp(&self) -> u64 {
        self.now()
    }

    fn when(&self, stamp: u64) -> Nanos {
        stamp
    }

    fn is_virtual(&self) -> bool {
        true
    }

    fn idle(&self, next: Option<Nanos>) -> Idle {
        match next {
            Some(next) => {
                self.inner.now.set(self.inner.now.get().max(next));
                Idle::Jumped
            }
            None => Idle::Sleep(None),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn an_hour_old() -> SystemClock {
        let clock = SystemClock::new();
        let base = clock.base.checked_sub(Duration::from_secs(3600)).expect("it has been up");
        SystemClock { base, ..clock }
    }

    const MINUTE: Nanos = 60_000_000_000;

    /// As it does on many machines while they sleep.
    #[test]
    fn a_counter_that_begins_again_makes_no_stamp_old() {
        let clock = an_hour_old();
        clock.read.set((0, u64::MAX / 2));
        clock.stamped.set(u64::MAX / 2);
        let stamp = clock.stamp();
        assert!(clock.when(stamp) > 59 * MINUTE, "{}", clock.when(stamp));
    }

    #[test]
    fn a_stamp_of_before_the_counter_began_again_is_one_of_now() {
        let clock = an_hour_old();
        let (stamp, before) = (u64::MAX / 2, clock.now());
        assert!(clock.when(stamp) >= before);
    }
}
