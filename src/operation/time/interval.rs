//! Ticks at equal intervals.

use std::panic::Location;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::operation::time::now;
use crate::operation::time::sleep::{Sleep, Until};

/// Ticks every `period`, the first time at once.
///
/// If a tick is late because its task was busy, the later ones stay where they are. Ticks that were
/// missed altogether are left out. [`missed_ticks`](Interval::missed_ticks) sets other policies.
///
/// # Panics
///
/// If `period` is zero.
///
/// ```
/// use seedbed::interval;
/// use std::time::Duration;
///
/// # let clock = seedbed::testing::VirtualClock::new();
/// # seedbed::Builder::new().clock(&clock).run(async {
/// let mut ticks = interval(Duration::from_secs(1));
/// for _ in 0..3 {
///     ticks.tick().await?; // now, in one second, in two
/// }
/// # assert_eq!(clock.elapsed(), Duration::from_secs(2));
/// # Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    Interval::new(period, Next::First, Location::caller())
}

/// Ticks every `period`, the first time at `start`, or at once if that has passed.
///
/// In all else this is [`interval`]. A `start` that has passed counts as a tick that is late.
///
/// # Panics
///
/// If `period` is zero.
///
/// ```
/// use seedbed::{interval_at, now};
/// use std::time::Duration;
///
/// # let clock = seedbed::testing::VirtualClock::new();
/// # seedbed::Builder::new().clock(&clock).run(async {
/// let second = Duration::from_secs(1);
/// let mut ticks = interval_at(now() + second, second);
/// ticks.tick().await?; // in one second
/// # assert_eq!(clock.elapsed(), second);
/// # Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    Interval::new(period, Next::At(start), Location::caller())
}

/// The ticks of [`interval`] and [`interval_at`].
#[derive(Debug)]
pub struct Interval {
    period: Duration,
    next: Next,
    missed: MissedTicks,
    place: &'static Location<'static>,
}

/// What becomes of the ticks that an [`Interval`] has missed, because it was not asked for them in
/// time. These are tokio's `MissedTickBehavior`s; there, the default is to catch up.
///
/// With a period of 10 seconds, for a task that was busy until second 35 since the tick at 0:
///
/// | policy | the next ticks return at |
/// |---|---|
/// | `Skip` | 35, 40, 50 |
/// | `CatchUp` | 35, 35, 35, 40, 50 |
/// | `Delay` | 35, 45, 55 |
///
/// ```
/// use seedbed::{MissedTicks, interval};
/// use std::time::Duration;
///
/// let ticks = interval(Duration::from_secs(10)).missed_ticks(MissedTicks::Delay);
/// assert_eq!(ticks.period(), Duration::from_secs(10));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissedTicks {
    /// The first that was missed comes at once, and the others never. Those after it come when they
    /// are due.
    #[default]
    Skip,
    /// All that were missed come at once, one after the other, so that none is lost. In tokio this
    /// is `Burst`.
    CatchUp,
    /// The first that was missed comes at once. Each is due one period after the one before it has
    /// come, so two are never closer than a period, and the ticks drift with every delay.
    Delay,
}

/// When the next tick is due.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// As soon as it is asked for.
    First,
    At(Instant),
    /// At a time that an `Instant` cannot represent.
    Never,
}

impl Next {
    fn at(instant: Option<Instant>) -> Next {
        instant.map_or(Next::Never, Next::At)
    }
}

impl Interval {
    #[track_caller]
    fn new(period: Duration, next: Next, place: &'static Location<'static>) -> Interval {
        assert!(!period.is_zero(), "the period of an interval must not be zero");
        Interval { period, next, missed: MissedTicks::default(), place }
    }

    /// Says what becomes of the ticks that are missed.
    #[must_use]
    pub fn missed_ticks(mut self, policy: MissedTicks) -> Interval {
        self.missed = policy;
        self
    }

    /// The time between two ticks.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Lets the next tick be due one period from now.
    ///
    /// ```
    /// use seedbed::{interval, sleep};
    /// use std::time::Duration;
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let mut idle = interval(Duration::from_secs(30));
    /// idle.tick().await?; // the first, at once
    /// sleep(Duration::from_secs(20)).await?;
    /// idle.reset(); // something has happened
    /// idle.tick().await?;
    /// # assert_eq!(clock.elapsed(), Duration::from_secs(50));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn reset(&mut self) {
        self.next = Next::at(now().checked_add(self.period));
    }

    /// Lets the next tick be due at this time. Those after it follow from there.
    pub fn reset_at(&mut self, next: Instant) {
        self.next = Next::At(next);
    }

    /// Waits for the next tick, and returns the time at which it was due. A tick whose wait is
    /// cancelled is not lost: the next call waits for the same one.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    pub async fn tick(&mut self) -> Result<Instant> {
        let due = match self.next {
            Next::First => now(),
            Next::At(due) => due,
            Next::Never => loop {
                Sleep::new(Until::Never, self.place).await?;
            },
        };
        self.next = Next::At(due);
        Sleep::new(Until::Instant(due), self.place).await?;
        self.next = Next::at(self.after(due));
        Ok(due)
    }

    /// When the tick after this one is due, if an `Instant` can represent that.
    fn after(&self, due: Instant) -> Option<Instant> {
        match self.missed {
            MissedTicks::CatchUp => due.checked_add(self.period),
            MissedTicks::Delay => now().checked_add(self.period),
            MissedTicks::Skip => {
                let period = self.period.as_nanos();
                let late = now().saturating_duration_since(due);
                later(due, (late.as_nanos() / period + 1) * period)
            }
        }
    }
}

/// The instant this many nanoseconds after another one, if there is one.
fn later(instant: Instant, nanos: u128) -> Option<Instant> {
    const SECOND: u128 = 1_000_000_000;
    let seconds = u64::try_from(nanos / SECOND).ok()?;
    instant.checked_add(Duration::new(seconds, (nanos % SECOND) as u32))
}
