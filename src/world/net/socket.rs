//! What differs between the kinds of streams.

use std::fmt;
use std::io::Read;
use std::net;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix;

use crate::world::net::closing;

/// A stream of the standard library that a [`SocketStream`](super::SocketStream) can be over:
/// [`std::net::TcpStream`] and [`std::os::unix::net::UnixStream`].
pub trait Socket: sealed::Sealed {}

impl<S: sealed::Sealed> Socket for S {}

pub(super) mod sealed {
    use super::*;

    pub trait Sealed: AsFd + From<OwnedFd> + Into<OwnedFd> + fmt::Debug + Unpin + 'static {
        /// What it is called.
        const NAME: &str;
        /// Whether a short read or write means that the next one would block.
        const SHORT_IS_LAST: bool;

        fn io(&self) -> impl Read;
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

    fn set_nonblocking(&self) -> std::io::Result<()> {
        self.set_nonblocking(true)
    }
}

/// The socket of a stream. One that was accepted goes to [`closing`] when it is dropped; one that was
/// made here, by connecting for one, does not.
pub(super) struct Kept<S: Socket> {
    /// `None` only while it is being dropped.
    socket: Option<S>,
    accepted: bool,
}

impl<S: Socket> Kept<S> {
    pub(super) fn new(socket: S, accepted: bool) -> Self {
        Kept { socket: Some(socket), accepted }
    }

    pub(super) fn into_inner(mut self) -> S {
        self.socket.take().expect("it is not being dropped")
    }
}

impl<S: Socket> Deref for Kept<S> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        self.socket.as_ref().expect("it is not being dropped")
    }
}

impl<S: Socket> AsFd for Kept<S> {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        (**self).as_fd()
    }
}

impl<S: Socket> fmt::Debug for Kept<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<S: Socket> Drop for Kept<S> {
    fn drop(&mut self) {
        if self.accepted
            && let Some(socket) = self.socket.take()
        {
            closing::part(socket.into());
        }
    }
}
