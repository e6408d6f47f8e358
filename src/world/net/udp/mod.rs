//! UDP.
//!
//! | file | concept |
//! |---|---|
//! | `bind` | making a socket, and giving it an address |
//! | `options` | broadcast, multicast and other options |

mod bind;
mod options;

use std::future::Future;
use std::net::{self, SocketAddr};

use rustix::net::SocketAddrAny;
use socket2::SockAddr;

use crate::error::{Error, Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::world::net::address::{self, Address};
use crate::world::net::datagram::DatagramSocket;
use crate::world::net::datagram::transfer::{Takes, send_to};
use crate::world::net::doing::doing;
use crate::world::net::names;
use crate::world::reactor::verb;

/// A UDP socket. It can be [connected](Self::connect) to a peer, or exchange datagrams with
/// [anybody](Self::send_to).
///
/// What it has in common with a [`UnixDatagram`](crate::net::UnixDatagram), such as
/// [`send`](DatagramSocket::send) and [`recv`](DatagramSocket::recv), and what errors mean, is
/// described at [`DatagramSocket`].
///
/// ```
/// use seedbed::net::UdpSocket;
///
/// seedbed::run(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     client.connect(server.local_addr()?).await?;
///     client.send(b"question").await?;
///
///     let mut buffer = [0; 1500];
///     let (length, from) = server.recv_from(&mut buffer).await?;
///     assert_eq!(&buffer[..length], b"question");
///     server.send_to(b"answer", from).await?;
///
///     let length = client.recv(&mut buffer).await?;
///     assert_eq!(&buffer[..length], b"answer");
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// # Many datagrams in one system call
///
/// Each operation moves one datagram. `sendmmsg` and `recvmmsg` would save little. Segmentation by
/// the system (GSO and GRO) saves much where many datagrams go to one peer, and is for a protocol
/// that knows how to cut them, such as QUIC. A library for it, `quinn-udp` for example, makes its
/// calls in [`read_with`](crate::fd::AsyncFd::read_with) and
/// [`write_with`](crate::fd::AsyncFd::write_with) of an `AsyncFd` over the socket that
/// [`into_std`](DatagramSocket::into_std) returns.
pub type UdpSocket = DatagramSocket<net::UdpSocket>;

impl DatagramSocket<net::UdpSocket> {
    /// Connects the socket: from now on it [sends](DatagramSocket::send) to this address, and
    /// receives only what comes from there. Nothing is sent by this, so it does not tell whether
    /// anybody is there. A socket can be connected again, to somebody else.
    ///
    /// A name is [looked up](crate::net::lookup_host). If there are several addresses, the first one
    /// that the socket can be connected to is used: one of its own family to which there is a way.
    ///
    /// This is a [checkpoint](crate::checkpoint()), which waits only for a name.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); an [`io::Error`](std::io::Error): of the kind
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) if this is not an [`Address`]; that of
    /// [`lookup_host`](crate::net::lookup_host); that of a system call, with the address, for the
    /// last address if there were several.
    #[track_caller]
    pub fn connect(&self, address: impl Address) -> impl Future<Output = Result<()>> {
        placed(async move {
            checkpoint().await?;
            let join = |address: SocketAddr| {
                let joined = self.options().connect(&SockAddr::from(address));
                joined.map_err(Error::from).map_err(doing("connecting to", address))
            };
            let addresses = names::addresses(&address).await?;
            let (last, others) = addresses.split_last().expect("there is at least one");
            match others.iter().any(|address| join(*address).is_ok()) {
                true => Ok(()),
                false => join(*last),
            }
        })
    }

    /// Sends a datagram to this address, and waits while there is no room for it.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// The same as for [`send`](Self::send), with the address; an [`io::Error`](std::io::Error) of
    /// the kind [`InvalidInput`](std::io::ErrorKind::InvalidInput) if this is not exactly one
    /// numeric [`Address`], because nothing is looked up here.
    #[track_caller]
    pub fn send_to(
        &self,
        datagram: &[u8],
        address: impl Address,
    ) -> impl Future<Output = Result<()>> {
        placed(async move {
            let address = match address::one(&address) {
                Ok(address) => address,
                Err(error) => {
                    checkpoint().await?;
                    return Err(error);
                }
            };
            let sending =
                self.registration().operate(verb::SendTo, |io| send_to(io, datagram, &address));
            sending.await.map_err(doing("sending to", address))
        })
    }

    /// Waits for a datagram, and returns its length and the address it comes from. See
    /// [`recv`](Self::recv).
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](Self::recv).
    #[track_caller]
    pub fn recv_from(
        &self,
        buffer: &mut [u8],
    ) -> impl Future<Output = Result<(usize, SocketAddr)>> {
        self.receive_from(buffer, Takes::It, sender)
    }

    /// Like [`recv_from`](Self::recv_from), but leaves the datagram in the queue, also if it does
    /// not fit.
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](Self::recv).
    #[track_caller]
    pub fn peek_from(
        &self,
        buffer: &mut [u8],
    ) -> impl Future<Output = Result<(usize, SocketAddr)>> {
        self.receive_from(buffer, Takes::Nothing, sender)
    }

    /// The address that the socket is bound to.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call.
    #[track_caller]
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.registration().source().local_addr()?)
    }

    /// The address that the socket is connected to.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call, of the kind
    /// [`NotConnected`](std::io::ErrorKind::NotConnected) if it is not connected.
    #[track_caller]
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        Ok(self.registration().source().peer_addr()?)
    }
}

fn sender(address: Option<SocketAddrAny>) -> std::io::Result<SocketAddr> {
    let address = address.ok_or(std::io::ErrorKind::InvalidData)?;
    Ok(SocketAddr::try_from(address)?)
}
