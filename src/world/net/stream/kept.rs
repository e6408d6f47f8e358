//! The socket of a stream, which is [parted with](closing) politely if it was accepted.

use std::fmt;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};

use crate::world::net::closing;
use crate::world::net::stream::kind::Socket;

/// Where a connection came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// This side made it.
    Connected,
    /// A listener accepted it. A socket from elsewhere is treated like one of these.
    Accepted,
}

/// A stream's socket, which knows where it came from.
pub(in crate::world::net) struct Kept<S: Socket> {
    /// `None` only while it is being dropped.
    socket: Option<S>,
    origin: Origin,
}

impl<S: Socket> Kept<S> {
    pub(super) fn new(socket: S, origin: Origin) -> Self {
        Kept { socket: Some(socket), origin }
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
        if self.origin == Origin::Accepted
            && let Some(socket) = self.socket.take()
        {
            closing::part(socket.into());
        }
    }
}
