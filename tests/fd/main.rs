//! Any descriptor that can be polled, and pipes: W1 and W2.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
mod bad_luck;
mod errors;
mod example;
mod pipes;
mod waiting;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use seedbed::Error;

fn kind_of(error: &Error) -> Option<io::ErrorKind> {
    Some(error.downcast_ref::<io::Error>()?.kind())
}

/// A pipe in blocking mode: the end that reads, and the one that writes.
fn blocking_pipe() -> (OwnedFd, OwnedFd) {
    let (reads, writes) = io::pipe().unwrap();
    (reads.into(), writes.into())
}

fn write(to: &impl AsFd, bytes: &[u8]) {
    assert_eq!(rustix::io::write(to, bytes).unwrap(), bytes.len());
}

fn is_nonblocking(fd: &impl AsFd) -> bool {
    rustix::fs::fcntl_getfl(fd).unwrap().contains(rustix::fs::OFlags::NONBLOCK)
}
