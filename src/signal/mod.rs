//! Signals of the operating system: Ctrl-C for the main scope, and [`Signals`] for all others.
//!
//! | file | concept |
//! |---|---|
//! | `disposition` | who heeds a signal, and what it does while nobody does |
//! | `interrupt` | Ctrl-C, which cancels the main scope |
//! | `signals` | what a program waits for itself |

#[cfg(unix)]
mod disposition;
#[cfg_attr(not(unix), path = "no_interrupt.rs")]
mod interrupt;
#[cfg(unix)]
mod signals;

pub(crate) use interrupt::Interrupt;
#[cfg(unix)]
pub use signals::{Signal, Signals};
