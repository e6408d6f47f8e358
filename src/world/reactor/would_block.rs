//! Asking the kernel whether an operation would block now, without trying it.

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::world::reactor::readiness::Side;

/// Fails with [`WouldBlock`](io::ErrorKind::WouldBlock) if an operation in this direction would.
/// Unlike trying, this consumes neither a byte nor an error.
pub(crate) fn check(source: &impl AsFd, side: Side) -> io::Result<()> {
    let flags = match side {
        Side::Read => PollFlags::IN,
        Side::Write => PollFlags::OUT,
    };
    let mut sources = [PollFd::new(source, flags)];
    match rustix::event::poll(&mut sources, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}
