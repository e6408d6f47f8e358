//! Signals of the operating system: Ctrl-C for the main scope, and [`Signals`] for all others.
//!
//! | file | concept |
//! |---|---|
//! | `disposition` | who heeds a signal, and what it does while nobody does |
//! | `handler` | what the system calls when it comes |
//! | `interrupt` | Ctrl-C, which cancels the main scope |
//! | `signals` | what a program waits for itself |

#[cfg(all(unix, not(loom)))]
mod disposition;
#[cfg(all(unix, not(loom)))]
mod handler;
#[cfg_attr(any(not(unix), loom), path = "no_interrupt.rs")]
mod interrupt;
#[cfg(all(unix, not(loom)))]
mod signals;

pub(crate) use interrupt::Interrupt;
#[cfg(all(unix, not(loom)))]
pub use signals::{Signal, Signals};
