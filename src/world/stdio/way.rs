//! How a descriptor can be used without changing its flags, which others share.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};

/// The lowest number that a duplicate may have: those below are the standard streams.
const LOWEST: i32 = 3;

pub(super) enum Way {
    /// An open file of our own, which does not block.
    Own(OwnedFd),
    /// A duplicate of a socket, for calls that say that they do not block.
    Socket(OwnedFd),
    /// A duplicate of something that may block.
    Blocks(OwnedFd),
}

/// What is done with a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    Reading,
    Writing,
}

impl Way {
    pub(super) fn to(descriptor: &impl AsFd, usage: Use) -> io::Result<Way> {
        let duplicate = rustix::io::fcntl_dupfd_cloexec(descriptor, LOWEST)?;
        let status = rustix::fs::fstat(&duplicate)?;
        let again = match FileType::from_raw_mode(status.st_mode) {
            FileType::Socket => return Ok(Way::Socket(duplicate)),
            FileType::Fifo => open_again(&duplicate, usage),
            FileType::CharacterDevice
                if duplicate.is_terminal() && !makes_terminals(status.st_rdev) =>
            {
                open_again(&duplicate, usage)
            }
            _ => None,
        };
        Ok(again.map_or(Way::Blocks(duplicate), Way::Own))
    }
}

/// Whether the device is the one that makes a new terminal each time it is opened: the other end of
/// a pseudo-terminal has been opened through it.
fn makes_terminals(device: rustix::fs::Dev) -> bool {
    (rustix::fs::major(device), rustix::fs::minor(device)) == (5, 2)
}

/// Opens what the descriptor leads to once more. `None` if that is not allowed, or is the same open
/// file, as on systems other than Linux.
fn open_again(descriptor: &OwnedFd, usage: Use) -> Option<OwnedFd> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let access = match usage {
        Use::Reading => OFlags::RDONLY,
        Use::Writing => OFlags::WRONLY,
    };
    let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let path = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    rustix::fs::open(path, flags, Mode::empty()).ok()
}
