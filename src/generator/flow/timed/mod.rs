//! Operators that have to do with time.
//!
//! | file | concept |
//! |---|---|
//! | `throttle` | not too fast |
//! | `sample` | the newest, every so often |
//! | `debounce` | only what settles |
//! | `chunks_timeout` | several items as one, but not too late |
//! | `timeout` | a limit on how long each item takes |
//! | `retry`, `policy` | a flow that is begun again when it fails; how often, and after what pauses |
//! | `arrivals` | the items of a source that runs beside the consumer, and when they arrived |
//! | `alarm` | a time that an operator waits for |
//!
//! Whatever waits for time and for an item at the same time has its source in a task of its own: it
//! gives items because time has passed, while the source is under way.

mod alarm;
mod arrivals;
mod chunks_timeout;
mod debounce;
mod policy;
mod retry;
mod sample;
mod throttle;
mod timeout;

pub use policy::Retry;
pub use retry::retry;
