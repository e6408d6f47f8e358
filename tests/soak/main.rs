//! A soak: servers under all that can go wrong with their connections, and at the end of each
//! everything is given back.
//!
//! An *epoch* is one `run`, in which servers live one after another on a port of this machine, with
//! their clients in the same process. While a server lives, an *operation* is drawn again and
//! again: clients come, alone or many at once, read and write slowly, half-close, reset, vanish
//! half-way; handlers panic, fail, reset, stall; either side is cancelled, or its time is up; the
//! clock jumps; there are no descriptors left; signals interrupt system calls. Then the life ends, in
//! one of many ways: when all clients have, or gracefully, cancelled, dropped or with a panic in the
//! midst of it.
//!
//! What must hold:
//!
//! - Of what a client reads, every byte is right. The answer is whole, unless one of the two sides
//!   was told to break it off, or the server is stopping.
//! - Each connection that was made is accepted, if the server is not stopped before, and each that
//!   was accepted is handled and closed; each panic and each failure of a handler is reported,
//!   once, and goes no further.
//! - After each life there are as many tasks, scopes, timers, sources and generators as before it,
//!   and as many descriptors.
//! - After each epoch there is as much memory in use as before it, to the byte, and after each life
//!   as much as before that. The first epoch is excepted: what a process makes once and keeps, it
//!   makes there. And before the first life of an epoch there are more tasks, timers, sources and
//!   generators at a time than any life has: a run keeps the room that it has once made for them.
//!
//! Without arguments it is a number of epochs with fixed seeds. Nothing depends on how long
//! something takes.
//!
//! - `cargo test --test soak -- SECONDS` begins new epochs, with other seeds, for so long;
//!   `SEEDBED_SOAK_SECONDS=3600` does as well.
//! - `SEEDBED_SOAK_SEED=N` runs the epoch with that seed, after the first. A failure names it.

#[cfg(unix)]
mod client;
#[cfg(unix)]
mod epoch;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod world;

#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: process::Counting = process::Counting;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    epoch::main()
}
