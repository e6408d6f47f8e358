//! The system calls that move datagrams.
//!
//! On Linux they are made inline, for the reason given in `net/stream/transfer.rs`.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketAddrAny};

pub(in crate::world::net) use crate::world::net::datagram::failed::sending_failed;
use crate::world::net::datagram::failed::{receiving_failed, refused};
use crate::world::net::datagram::truncated::Truncated;

/// Whether a datagram leaves the queue when it is received.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::world::net) enum Takes {
    It,
    Nothing,
}

/// A datagram, as the system has delivered it.
pub(in crate::world::net) struct Datagram {
    /// How many bytes are in the buffer.
    kept: usize,
    /// How long it was, if it was longer than the buffer. The inner one is unknown on some systems.
    truncated: Option<Option<usize>>,
    from: Option<SocketAddrAny>,
}

impl Datagram {
    /// Its length and its sender, unless part of it is missing.
    #[inline]
    pub(in crate::world::net) fn whole(self) -> io::Result<(usize, Option<SocketAddrAny>)> {
        match self.truncated {
            None => Ok((self.kept, self.from)),
            Some(length) => Err(self.part(length)),
        }
    }

    #[cold]
    fn part(self, length: Option<usize>) -> io::Error {
        let from = self.from.and_then(|from| SocketAddr::try_from(from).ok());
        Truncated::new(self.kept, length, from).into_io()
    }
}

/// Receives a datagram, without waiting.
#[inline]
pub(in crate::world::net) fn receive(
    socket: &impl AsFd,
    buffer: &mut [u8],
    takes: Takes,
) -> io::Result<Datagram> {
    let flags = match takes {
        Takes::It => RecvFlags::empty(),
        Takes::Nothing => RecvFlags::PEEK,
    };
    receive_with(socket, buffer, flags).map_err(receiving_failed)
}

/// With this flag, the system tells how long the datagram was.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn receive_with(socket: &impl AsFd, buffer: &mut [u8], flags: RecvFlags) -> io::Result<Datagram> {
    let (kept, length, from) = rustix::net::recvfrom(socket, buffer, flags | RecvFlags::TRUNC)?;
    let truncated = (length > kept).then_some(Some(length));
    Ok(Datagram { kept, truncated, from })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn receive_with(socket: &impl AsFd, buffer: &mut [u8], flags: RecvFlags) -> io::Result<Datagram> {
    use rustix::net::{RecvAncillaryBuffer, ReturnFlags, recvmsg};

    let mut nothing = RecvAncillaryBuffer::default();
    let message = recvmsg(socket, &mut [io::IoSliceMut::new(buffer)], &mut nothing, flags)?;
    let truncated = message.flags.contains(ReturnFlags::TRUNC).then_some(None);
    Ok(Datagram { kept: message.bytes, truncated, from: message.address })
}

/// Sends a datagram to the peer of a connected socket, without waiting.
#[inline]
pub(super) fn send(socket: &impl AsFd, datagram: &[u8]) -> io::Result<()> {
    // Nothing raises SIGPIPE for a datagram.
    match rustix::net::send(socket, datagram, SendFlags::empty()) {
        Ok(_) => Ok(()),
        Err(error) => Err(sending_failed(error.into(), datagram)),
    }
}

/// Sends a datagram to this address with UDP, without waiting.
#[inline]
pub(in crate::world::net) fn send_to(
    socket: &impl AsFd,
    datagram: &[u8],
    address: &SocketAddr,
) -> io::Result<()> {
    match rustix::net::sendto(socket, datagram, SendFlags::empty(), address) {
        Ok(_) => Ok(()),
        Err(Errno::ACCESS) => Err(refused(&Errno::ACCESS.into())),
        Err(error) => Err(sending_failed(error.into(), datagram)),
    }
}
