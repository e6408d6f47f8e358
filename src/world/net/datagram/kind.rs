//! The kinds of sockets for datagrams.

use std::net;
use std::os::unix;

/// The kind of a [`DatagramSocket`](super::DatagramSocket), named by the socket of the standard
/// library that it wraps: [`std::net::UdpSocket`] or [`std::os::unix::net::UnixDatagram`].
pub trait Datagrams: sealed::Sealed {}

impl<S: sealed::Sealed> Datagrams for S {}

pub(super) mod sealed {
    use std::fmt;
    use std::os::fd::{AsFd, OwnedFd};

    pub trait Sealed: AsFd + From<OwnedFd> + Into<OwnedFd> + fmt::Debug + Unpin + 'static {}
}

impl sealed::Sealed for net::UdpSocket {}

impl sealed::Sealed for unix::net::UnixDatagram {}
