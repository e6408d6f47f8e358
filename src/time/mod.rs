//! Time: sleeping, and the clock and the timers under it.

pub(crate) mod alarm;
pub(crate) mod clock;
#[cfg(not(loom))]
pub(crate) mod counter;
mod interval;
mod sleep;
pub(crate) mod wheel;

pub use interval::{Interval, interval};
pub use sleep::{Sleep, now, sleep, sleep_forever, sleep_until};
