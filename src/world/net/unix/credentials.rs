//! Who is at the other end of a connection in the Unix domain.
//!
//! The system call is made here, and not through `rustix`, whose type for the answer has no room for
//! a process without a number: one that this process cannot see, from a container for example.
//!
//! Invariants:
//!
//! 1. `getsockopt` writes at most as many bytes as it is told that there are.
//! 2. Every pattern of bits is a valid `libc::ucred`: it is three integers.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net;

use crate::error::Result;
use crate::world::net::stream::SocketStream;

/// The process at the other end of a [`UnixStream`](super::UnixStream), as it was when it connected,
/// listened, or made the pair.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Credentials {
    pid: Option<i32>,
    uid: u32,
    gid: u32,
}

impl Credentials {
    /// The number of the process; `None` if it has none here, because it is in another namespace of
    /// processes. By now it may have ended, and its number may be another's.
    pub fn pid(&self) -> Option<i32> {
        self.pid
    }

    /// Its effective user.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Its effective group.
    pub fn gid(&self) -> u32 {
        self.gid
    }
}

impl SocketStream<net::UnixStream> {
    /// Who is at the other end (`SO_PEERCRED`). The peer can not forge it. Linux and Android only.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    ///
    /// ```
    /// use seedbed::net::UnixStream;
    ///
    /// let (one, other) = UnixStream::pair()?;
    /// assert_eq!(one.peer_credentials()?.pid(), Some(std::process::id() as i32));
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn peer_credentials(&self) -> Result<Credentials> {
        Ok(of_peer(self)?)
    }
}

fn of_peer(socket: &impl AsFd) -> io::Result<Credentials> {
    let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: invariants 1 and 2: `found` has room for `length` bytes, and both are borrowed for
    // the call only.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &raw mut length,
        )
    };
    match outcome {
        0 => Ok(Credentials {
            pid: (found.pid != 0).then_some(found.pid),
            uid: found.uid,
            gid: found.gid,
        }),
        _ => Err(io::Error::last_os_error()),
    }
}
