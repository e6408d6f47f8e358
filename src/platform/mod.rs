//! What more than one thread touches is made of what is here: the standard thing, or, under
//! `--cfg loom`, one whose every interleaving [loom](https://docs.rs/loom) goes through.
//!
//! | | natively | in a model |
//! |---|---|---|
//! | locks, conditions, atomics | `std`'s | loom's |
//! | threads | `std` | loom's |
//! | a condition's time-out | when the time is over | at once, after others had their turn |
//! | statics, thread-locals | `std` | loom's: new for each execution |
//! | what a forked process begins anew | by its number | one value, as a model does not fork |
//! | the reactor's sleep | `mio` | a flag and a condition |
//! | the clock | the system's | a virtual one |
//!
//! A model has no network and no signals: what the kernel does cannot be gone through.

pub(crate) mod clock;
#[cfg(not(loom))]
pub(crate) mod counter;
#[cfg(loom)]
mod model;
#[cfg(not(loom))]
mod native;
#[cfg(not(loom))]
mod of_process;
pub(crate) mod part;

#[cfg(loom)]
pub(crate) use model::*;
#[cfg(not(loom))]
pub(crate) use native::*;
