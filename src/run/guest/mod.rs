//! A run that is polled by the executor of another library, its *host*.
//!
//! | file | concept |
//! |---|---|
//! | `host` | what a run needs of its host |
//! | `park` | sleeping, or having the host sleep |
//! | `future` | the guest as a future |
//! | `suite` | every `run` of a test as a guest |
//!
//! It is the same loop that `run` polls, and sleeps in one place (`park`). The thread's context has
//! the run only during a poll (`run::parts`), so between two polls everything that wakes one of its
//! units takes the way of other threads, through the inbox, which wakes the host's task. Code of
//! the host's that touches what belongs to the run finds it by its number (`schedule::remote::away`).

#[cfg(all(unix, not(loom)))]
pub(super) mod future;
pub(super) mod host;
pub(super) mod park;
#[cfg(all(debug_assertions, unix, not(loom)))]
pub(super) mod suite;

#[cfg(all(unix, not(loom)))]
pub use future::Guest;
#[cfg(all(unix, not(loom)))]
pub use host::Host;
