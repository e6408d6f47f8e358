//! The kinds of streams, and what differs between them.

use std::io::Read;
use std::net;
use std::os::unix;

/// The kind of a [`SocketStream`](super::SocketStream), named by the stream of the standard library
/// that it wraps: [`std::net::TcpStream`] or [`std::os::unix::net::UnixStream`].
pub trait Socket: sealed::Sealed {}

impl<S: sealed::Sealed> Socket for S {}

pub(super) mod sealed {
    use std::fmt;
    use std::io::Read;
    use std::os::fd::{AsFd, OwnedFd};

    pub trait Sealed: AsFd + From<OwnedFd> + Into<OwnedFd> + fmt::Debug + Unpin + 'static {
        /// Whether a short read or write means that the next one would block.
        const SHORT_IS_LAST: bool;

        fn io(&self) -> impl Read;
        fn set_nonblocking(&self) -> std::io::Result<()>;
    }
}

impl sealed::Sealed for net::TcpStream {
    // True of epoll and kqueue; tokio and others rely on it too.
    const SHORT_IS_LAST: bool = true;

    fn io(&self) -> impl Read {
        self
    }

    fn set_nonblocking(&self) -> std::io::Result<()> {
        self.set_nonblocking(true)
    }
}

impl sealed::Sealed for unix::net::UnixStream {
    // A read also ends short if the peer has passed descriptors, with more data after them.
    const SHORT_IS_LAST: bool = false;

    fn io(&self) -> impl Read {
        self
    }

    fn set_nonblocking(&self) -> std::io::Result<()> {
        self.set_nonblocking(true)
    }
}
