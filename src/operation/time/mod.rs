//! Waiting for time.
//!
//! | file | concept |
//! |---|---|
//! | `sleep` | waiting until a time has come |
//! | `interval` | a tick every so often |

mod interval;
pub(crate) mod sleep;

pub use crate::scope::timers::now;
pub use interval::{Interval, MissedTicks, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_forever, sleep_until};
