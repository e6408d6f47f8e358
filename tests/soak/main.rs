//! A soak: servers under everything that can go wrong with their connections, and beside them files
//! and whatever else a program works with. In the end everything is given back.
//!
//! An *epoch* is one `run`, in which servers live one after another on a port of this machine, with
//! their clients in the same process. While a server lives, *operations* are drawn: clients come,
//! alone or many at once, read and write slowly, half-close, reset, or vanish half-way; handlers
//! panic, fail, reset or stall; either side is cancelled, or its time is up; the clock jumps;
//! descriptors run out; signals interrupt system calls. In between, pieces of other work are begun,
//! on files for example, and cancelled or dropped half-way: each kind of it is a file in `kinds/`,
//! which says how such work has to turn out. Then the life ends in one of many ways:
//! when all clients have ended, gracefully, cancelled, dropped, or with a panic in the middle.
//!
//! What must hold:
//!
//! - Every byte that a client reads is right. The answer is complete, unless one of the two sides
//!   was told to break it off, or the server is stopping.
//! - Each connection that was made is accepted, unless the server is stopped first, and each that
//!   was accepted is handled and closed. Each panic and each failure of a handler is reported once,
//!   and goes no further.
//! - After each life there are as many tasks, scopes, timers, sources and generators as before it,
//!   and as many descriptors.
//! - After each epoch the memory in use is what it was before, to the byte, and after each life
//!   what it was before that life. The first epoch is an exception, because in it the process makes
//!   what it makes once and keeps. A run keeps the memory for as many tasks, timers, sources and
//!   generators as it has ever had at a time, so each epoch begins by having more of them than any
//!   life has.
//!
//! Without arguments, a number of epochs run with fixed seeds. Nothing depends on how long
//! something takes. Kinds of work that need a feature are left out without it.
//!
//! - `cargo test --release --all-features --test soak -- SECONDS` begins new epochs with other seeds for that long; so does
//!   `SEEDBED_SOAK_SECONDS=SECONDS`.
//! - `SEEDBED_SOAK_SEED=N` runs the epoch with that seed after the first one. A failure names its
//!   seed.

#[cfg(all(feature = "tls", unix))]
#[path = "../support/tls.rs"]
mod tls;

#[cfg(unix)]
mod client;
#[cfg(unix)]
mod epoch;
#[cfg(unix)]
mod kinds;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod world;

#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: process::Counting = process::Counting;

/// How many epochs there are without arguments.
#[cfg(unix)]
const EPOCHS: u64 = 40;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    epoch::main()
}
