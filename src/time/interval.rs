//! Ticks at equal distances.

use std::time::{Duration, Instant};

use crate::Result;
use crate::time::{now, sleep_until};

/// Ticks every `period`, the first time at once.
///
/// A tick that comes late, because its task was busy, does not move the later ones; those missed
/// altogether are left out.
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
    Interval { period, next: None }
}

/// What [`interval`] gives.
#[derive(Debug)]
pub struct Interval {
    period: Duration,
    /// When the next tick is due; the first is due when it is asked for.
    next: Option<Instant>,
}

impl Interval {
    /// Waits for the next tick, and returns when it was due. A tick that is cancelled is not lost:
    /// the next call waits for the same.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    pub async fn tick(&mut self) -> Result<Instant> {
        let due = *self.next.get_or_insert_with(now);
        sleep_until(due).await?;
        let late = now().saturating_duration_since(due);
        let missed = u32::try_from(late.as_nanos() / self.period.as_nanos()).unwrap_or(u32::MAX);
        self.next = Some(due + self.period * missed.saturating_add(1));
        Ok(due)
    }
}
