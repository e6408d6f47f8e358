//! What differs between the kinds of streams.

use std::fmt;
use std::io::Read;
use std::net::{self, Shutdown};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix;

/// A stream of the standard library that a [`SocketStream`](super::SocketStream) can be over:
/// [`std::net::TcpStream`] and [`std::os::unix::net::UnixStream`].
pub trait Socket: sealed::Sealed {}

impl<S: sealed::Sealed> Socket for S {}

pub(super) mod sealed {
    use super::*;

    pub trait Sealed: AsFd + From<OwnedFd> + Into<OwnedFd> + fmt::Debug + 'static {
        /// What it is called.
        const NAME: &str;
        /// Whether a short read or write means that the next one would block.
        const SHORT_IS_LAST: bool;

        fn io(&self) -> impl Read;
        fn shutdown(&self, how: Shutdown) -> std::io::Result<()>;
        fn set_nonblocking(&self) -> std::io::Result<()>;
    }
}

impl sealed::Sealed for net::TcpStream {
    const NAME: &str = "TcpStream";
    // As tokio and others rely on, and true of epoll and kqueue.
    const SHORT_IS_LAST: bool = true;

    fn io(&self) -> impl Read {
        self
    }

    fn shutdown(&self, how: Shutdown) -> std::io::Result<()> {
        self.shutdown(how)
    }

    fn set_nonblocking(&self) -> std::io::Result<()> {
        self.set_nonblocking(true)
    }
}

impl sealed::Sealed for unix::net::UnixStream {
    const NAME: &str = "UnixStream";
    // A read ends short, with more behind, where the peer has passed descriptors.
    const SHORT_IS_LAST: bool = false;

    fn io(&self) -> impl Read {
        self
    }

    fn shutdown(&self, how: Shutdown) -> std::io::Result<()> {
        self.shutdown(how)
    }

    fn set_nonblocking(&self) -> std::io::Result<()> {
        self.set_nonblocking(true)
    }
}
