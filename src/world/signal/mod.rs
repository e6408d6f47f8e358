//! Signals of the operating system: Ctrl-C for the main scope, and [`Signals`] for all others. This
//! needs the feature `signal`, which is on by default.
//!
//! | file | concept |
//! |---|---|
//! | `interrupt` | Ctrl-C: the first cancels the main scope, the second ends the process |
//! | `no_interrupt` | Ctrl-C where this crate does not respond to it |
//! | `signals` | signals that a program waits for itself |
//! | `listening` | listening to one signal, and what becomes of it if nobody receives it |
//! | `outside` | waiting for a signal on a thread that has no run |
//! | `handler` | the handler that the system calls when a signal comes |

#[cfg(all(unix, not(loom), feature = "signal"))]
mod handler;
#[cfg_attr(not(all(unix, not(loom), feature = "signal")), path = "no_interrupt.rs")]
mod interrupt;
#[cfg(all(unix, not(loom), feature = "signal"))]
mod listening;
#[cfg(all(unix, not(loom), feature = "signal"))]
pub(crate) mod outside;
#[cfg(all(unix, not(loom), feature = "signal"))]
mod signals;

pub(crate) use interrupt::Interrupt;
#[cfg(all(unix, not(loom), feature = "signal"))]
pub use signals::{Signal, Signals};
