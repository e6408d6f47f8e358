//! Pipes: one process, or one task, writes, and another reads. This needs the feature `net`, which
//! is on by default, or `process`.
//!
//! [`pipe`] makes one without a name. [`Sender::open`] and [`Receiver::open`] open an end of one
//! that has a path, a FIFO (`mkfifo`). An end that comes from elsewhere, a child's output for
//! example, is converted from an [`OwnedFd`](std::os::fd::OwnedFd).
//!
//! ```
//! use seedbed::{nursery, pipe};
//!
//! seedbed::run(async {
//!     let (sender, receiver) = pipe::pipe()?;
//!     let mut text = Vec::new();
//!     nursery(async |n| {
//!         n.spawn(async move { sender.write_all(b"hello").await }); // and closes it
//!         receiver.read_to_end(&mut text).await?;
//!         Ok(())
//!     })
//!     .await?;
//!     assert_eq!(text, b"hello");
//!     Ok(())
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! Both ends are in non-blocking mode. The ends of a pipe have separate modes, so the other end may
//! belong to a program that expects to block. An end that is passed to such a program has to be
//! [made to block](Receiver::into_blocking) again.
//!
//! Writing to a pipe that nobody reads fails with an error of the kind
//! [`BrokenPipe`](std::io::ErrorKind::BrokenPipe). It also raises `SIGPIPE`, which a Rust program
//! ignores unless it was told otherwise.
//!
//! | file | concept |
//! |---|---|
//! | `receiver`, `sender` | the ends |
//! | `fifo` | opening an end of a pipe that has a path |

mod fifo;
mod receiver;
mod sender;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::FileType;

pub use receiver::Receiver;
pub use sender::Sender;

use crate::error::Result;

/// Makes a pipe. It has no name, and other programs get no end of it unless it is passed on.
///
/// # Errors
///
/// The [`io::Error`] of the system call.
#[track_caller]
pub fn pipe() -> Result<(Sender, Receiver)> {
    #[cfg(not(target_vendor = "apple"))]
    let (reads, writes) = {
        use rustix::pipe::{PipeFlags, pipe_with};
        pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(io::Error::from)?
    };
    #[cfg(target_vendor = "apple")]
    let (reads, writes) = {
        let (reads, writes) = io::pipe()?;
        (prepare(reads.into())?, prepare(writes.into())?)
    };
    Ok((Sender::new(writes), Receiver::new(reads)))
}

/// Fails for what is no pipe, and puts a pipe into non-blocking mode.
fn prepare(fd: OwnedFd) -> io::Result<OwnedFd> {
    check(&fd)?;
    rustix::io::ioctl_fionbio(&fd, true)?;
    Ok(fd)
}

fn check(fd: &impl AsFd) -> io::Result<()> {
    let status = rustix::fs::fstat(fd)?;
    match FileType::from_raw_mode(status.st_mode) {
        FileType::Fifo => Ok(()),
        FileType::RegularFile => {
            refuse("it is a file, not a pipe: use `seedbed::fs::File` (feature `fs`)")
        }
        FileType::Socket => refuse("it is a socket, not a pipe: use one of `seedbed::net`"),
        _ => refuse("it is not a pipe: `seedbed::fd::AsyncFd` waits for other descriptors"),
    }
}

fn refuse(text: &str) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

fn into_blocking(fd: OwnedFd) -> io::Result<OwnedFd> {
    rustix::io::ioctl_fionbio(&fd, false)?;
    Ok(fd)
}
