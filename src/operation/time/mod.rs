//! Waiting for time.
//!
//! | file | concept |
//! |---|---|
//! | `sleep` | waiting until a time has come |
//! | `interval` | a tick every so often |
//! | `alarm` | a timer for futures of other libraries, which is no checkpoint |

pub(crate) mod alarm;
mod interval;
mod sleep;

pub use interval::{Interval, interval};
pub use sleep::{Sleep, now, sleep, sleep_forever, sleep_until};
