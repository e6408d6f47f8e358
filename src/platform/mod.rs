//! The facilities of the machine, natively or, under `--cfg loom`, in a model whose every
//! interleaving [loom](https://docs.rs/loom) explores. Everything that more than one thread touches
//! is built on this.
//!
//! | | natively | in a model |
//! |---|---|---|
//! | locks, condition variables, atomics | `std`'s | loom's |
//! | a queue that several threads push to | crossbeam's `SegQueue` | a list that keeps the same promises |
//! | threads | `std` | loom's |
//! | a timeout of a condition variable | when the time is over | at once, after others have had a turn |
//! | statics, thread-locals | `std` | loom's: new for each execution |
//! | what a forked process makes anew | one value for each process | one value, since a model does not fork |
//! | the reactor's sleep | `mio` | a flag and a condition variable |
//! | the clock | the system's | a virtual one |
//!
//! A model has no network and no signals, because loom cannot explore what the kernel does.
//!
//! | file | concept |
//! |---|---|
//! | `native`, `model` | the two sides of the table above |
//! | `clock` | the clock of a run, and the system's |
//! | `virtual_clock` | the clock of tests, which jumps |
//! | `counter` | the time calculated from the processor's counter |
//! | `of_process` | values that each process has for itself |
//! | `downcast` | a value as one of a certain type, if that is its type |
//! | `swap_cells` | exchanging the contents of two values that are made of cells |
//! | `part` | the parts of a run, each found through a thread-local of its own |

pub(crate) mod clock;
#[cfg(not(loom))]
pub(crate) mod counter;
pub(crate) mod downcast;
#[cfg(loom)]
mod model;
#[cfg(not(loom))]
mod native;
#[cfg(not(loom))]
mod of_process;
pub(crate) mod part;
pub(crate) mod swap_cells;

/// How a wait for a limited time ended. Without a limit, it is always notified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    Notified,
    TimedOut,
}
pub(crate) mod virtual_clock;

#[cfg(loom)]
pub(crate) use model::*;
#[cfg(not(loom))]
pub(crate) use native::*;
