//! Signals of the operating system: Ctrl-C for the main scope, and [`Signals`] for all others.
//!
//! | file | concept |
//! |---|---|
//! | `interrupt` | Ctrl-C: the first cancels the main scope, the second ends the process |
//! | `signals` | signals that a program waits for itself |
//! | `listening` | listening to one signal, and what becomes of it if nobody receives it |
//! | `handler` | the handler that the system calls when a signal comes |

#[cfg(all(unix, not(loom)))]
mod handler;
#[cfg_attr(any(not(unix), loom), path = "no_interrupt.rs")]
mod interrupt;
#[cfg(all(unix, not(loom)))]
mod listening;
#[cfg(all(unix, not(loom)))]
mod signals;

pub(crate) use interrupt::Interrupt;
#[cfg(all(unix, not(loom)))]
pub use signals::{Signal, Signals};
