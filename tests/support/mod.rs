//! What the tests share.
//!
//! | file | what |
//! |---|---|
//! | `running` | running a future: on a virtual clock, shielded, cancelled, once, up to a panic |
//! | `log` | what happened, in order, and how often something was dropped |
//! | `bodies` | bodies of generators that count |
//! | `warnings` | what the crate reports through `tracing` |
//! | `listener` | a subscriber for all threads, without which a report may get lost |
//! | `alone` | a process of its own for a test: few descriptors, many signals |
//! | `forbidden` | system calls that are refused, as in a sandbox |
//! | `example` | the crate's examples as programs |
//! | `live` | how much memory a thread has in use |
//! | `memory` | streams in memory, as of another library |
//! | `tls` | both sides of TLS, with a certificate |
//!
//! The last four are not modules of this one: a test that needs one includes that file by itself.
#![allow(dead_code, unused_imports, reason = "not every test binary needs all of it")]

#[cfg(target_os = "linux")]
pub mod alone;
mod bodies;
#[cfg(target_os = "linux")]
pub mod forbidden;
pub mod listener;
mod log;
mod running;
mod warnings;

pub use bodies::{count, counting, slow_to_close};
pub use log::{DropGuard, Drops, Log, OnDrop};
pub use running::{
    builder, cancelled, catching, is_cancelled, panics, poll_once, run, run_on, secs, shape,
    shielded,
};
pub use warnings::{Record, Recorder, recording, said};
