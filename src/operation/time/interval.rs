//! Ticks at equal intervals.

use std::panic::Location;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::operation::time::now;
use crate::operation::time::sleep::{Sleep, Until};

/// Ticks every `period`, the first time at once.
///
/// If a tick is late because its task was busy, the later ones stay where they are. Ticks that were
/// missed altogether are left out.
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
    assert!(!period.is_zero(), "the period of an interval must not be zero");
    Interval { period, next: Next::First, place: Location::caller() }
}

/// The ticks of [`interval`].
#[derive(Debug)]
pub struct Interval {
    period: Duration,
    next: Next,
    place: &'static Location<'static>,
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

impl Interval {
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
        let late = now().saturating_duration_since(due).as_nanos();
        let period = self.period.as_nanos();
        let next = after(due, (late / period + 1) * period);
        self.next = next.map_or(Next::Never, Next::At);
        Ok(due)
    }
}

/// The instant this many nanoseconds after another one, if there is one.
fn after(instant: Instant, nanos: u128) -> Option<Instant> {
    const SECOND: u128 = 1_000_000_000;
    let seconds = u64::try_from(nanos / SECOND).ok()?;
    instant.checked_add(Duration::new(seconds, (nanos % SECOND) as u32))
}
