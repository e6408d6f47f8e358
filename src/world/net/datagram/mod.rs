//! Sockets for datagrams: what those of UDP and of the Unix domain have in common.
//!
//! | file | concept |
//! |---|---|
//! | `kind` | the kinds of such sockets |
//! | `transfer` | the system calls that move datagrams |
//! | `truncated` | the error for a datagram that was longer than its buffer |
//! | `failed` | what the errors of the system mean here |

mod failed;
mod kind;
pub(super) mod transfer;
mod truncated;

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::net::SocketAddrAny;
use socket2::SockRef;

pub use kind::Datagrams;
pub use truncated::Truncated;

use crate::error::{Error, Result};
use crate::world::net::datagram::transfer::{Takes, receive, send};
use crate::world::reactor::readiness::Side;
use crate::world::reactor::registration::Registration;
use crate::world::reactor::verb;
use crate::world::reactor::would_block;

/// A socket that sends and receives datagrams: a [`UdpSocket`](super::UdpSocket) or a
/// [`UnixDatagram`](super::UnixDatagram).
///
/// A datagram is sent whole or not at all, and received whole or with an error that
/// [says so](Truncated). With UDP it may get lost on its way, arrive twice, or overtake another.
///
/// Several tasks can use a socket at the same time, by `&`. Each datagram is received by one of
/// them.
///
/// # Errors that concern an earlier datagram
///
/// That a datagram could not be delivered becomes known later, if at all, and only to a socket that
/// is connected. The system reports it as an error of whatever the socket does next: of a `recv`,
/// for example, that has nothing to do with it. The error says so. It comes once, and never ends the
/// socket: the next call goes on as if nothing had happened. So a loop that receives should report
/// such an error, and go on. This is one:
///
/// ```
/// use seedbed::net::UdpSocket;
/// use std::io::ErrorKind;
///
/// seedbed::run(async {
///     let socket = UdpSocket::bind("127.0.0.1:0").await?;
///     let nobody = UdpSocket::bind("127.0.0.1:0").await?.local_addr()?; // closed again
///     socket.connect(nobody).await?;
///     socket.send(b"is anybody there?").await?; // it was sent
///     let error = socket.recv(&mut [0; 100]).await.unwrap_err();
///     # #[cfg(target_os = "linux")]
///     assert_eq!(
///         error.downcast_ref::<std::io::Error>().unwrap().kind(),
///         ErrorKind::ConnectionRefused
///     );
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct DatagramSocket<S: Datagrams> {
    io: Registration<S>,
}

impl<S: Datagrams> DatagramSocket<S> {
    /// A socket over one in non-blocking mode.
    pub(super) fn new(socket: S) -> Self {
        DatagramSocket { io: Registration::new(socket) }
    }

    pub(super) fn registration(&self) -> &Registration<S> {
        &self.io
    }

    pub(super) fn options(&self) -> SockRef<'_> {
        SockRef::from(self.io.source())
    }

    /// Waits for a datagram, and returns its length and its sender, in the form in which this kind
    /// of socket has addresses.
    #[track_caller]
    pub(super) fn receive_from<A>(
        &self,
        buffer: &mut [u8],
        takes: Takes,
        sender: fn(Option<SocketAddrAny>) -> io::Result<A>,
    ) -> impl Future<Output = Result<(usize, A)>> {
        self.io.operate(verb::RecvFrom, move |io| {
            let (length, from) = receive(io, buffer, takes)?.whole()?;
            Ok((length, sender(from)?))
        })
    }

    /// Takes over a socket of the standard library, and puts it into non-blocking mode.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    ///
    /// ```
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// let socket = seedbed::net::UdpSocket::from_std(socket)?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn from_std(socket: S) -> Result<Self> {
        SockRef::from(&socket).set_nonblocking(true)?;
        Ok(Self::new(socket))
    }

    /// Returns the socket of the standard library. It is still in non-blocking mode.
    pub fn into_std(self) -> S {
        self.io.into_source()
    }

    /// Sends a datagram to the peer that the socket is connected to, and waits while there is no
    /// room for it.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been sent; an [`io::Error`], and nothing has
    /// been sent: of the kind [`InvalidInput`](io::ErrorKind::InvalidInput) if the datagram is longer
    /// than the system sends (65,507 bytes with UDP over IPv4); an error that concerns an
    /// [earlier datagram](Self#errors-that-concern-an-earlier-datagram); otherwise that of the
    /// system call.
    #[track_caller]
    pub fn send(&self, datagram: &[u8]) -> impl Future<Output = Result<()>> {
        self.io.operate(verb::Send, |io| send(io, datagram))
    }

    /// Waits for a datagram, and returns its length. It may be 0, which does not mean an end.
    ///
    /// A connected socket receives only what its peer sends.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and no datagram has been received; an [`io::Error`]: with
    /// [`Truncated`] inside if the datagram was longer than the buffer; an error that concerns an
    /// [earlier datagram](Self#errors-that-concern-an-earlier-datagram); otherwise that of the
    /// system call.
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> impl Future<Output = Result<usize>> {
        self.io.operate(verb::Recv, |io| Ok(receive(io, buffer, Takes::It)?.whole()?.0))
    }

    /// Like [`recv`](Self::recv), but leaves the datagram in the queue, also if it does not fit.
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](Self::recv).
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> impl Future<Output = Result<usize>> {
        self.io.operate(verb::Peek, |io| Ok(receive(io, buffer, Takes::Nothing)?.whole()?.0))
    }

    /// Waits until there is a datagram, or an error. With this a task can wait without keeping a
    /// buffer, and make system calls for which this crate has no method.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn readable(&self) -> impl Future<Output = Result<()>> {
        self.io.operate(verb::Readable, |io| would_block::check(io, Side::Read))
    }

    /// Waits until there is room for a datagram, or an error.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn writable(&self) -> impl Future<Output = Result<()>> {
        self.io.operate(verb::Writable, |io| would_block::check(io, Side::Write))
    }

    /// Takes the error that the system has in store for the next operation, if there is one
    /// (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call, as for all methods that follow.
    #[track_caller]
    pub fn take_error(&self) -> Result<Option<io::Error>> {
        Ok(self.options().take_error()?)
    }

    /// How many bytes the system keeps that were received but not yet read (`SO_RCVBUF`). Datagrams
    /// for which there is no room are lost with UDP.
    #[track_caller]
    pub fn receive_buffer_size(&self) -> Result<usize> {
        Ok(self.options().recv_buffer_size()?)
    }

    /// Sets what [`receive_buffer_size`](Self::receive_buffer_size) returns. Linux doubles the
    /// number.
    #[track_caller]
    pub fn set_receive_buffer_size(&self, bytes: usize) -> Result<()> {
        Ok(self.options().set_recv_buffer_size(bytes)?)
    }

    /// How many bytes the system keeps that are still to be sent (`SO_SNDBUF`). A datagram of the
    /// Unix domain must fit into it.
    #[track_caller]
    pub fn send_buffer_size(&self) -> Result<usize> {
        Ok(self.options().send_buffer_size()?)
    }

    /// Sets what [`send_buffer_size`](Self::send_buffer_size) returns. Linux doubles the number.
    #[track_caller]
    pub fn set_send_buffer_size(&self, bytes: usize) -> Result<()> {
        Ok(self.options().set_send_buffer_size(bytes)?)
    }
}

impl<S: Datagrams> fmt::Debug for DatagramSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

impl<S: Datagrams> AsFd for DatagramSocket<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.source().as_fd()
    }
}

impl<S: Datagrams> AsRawFd for DatagramSocket<S> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<S: Datagrams> From<DatagramSocket<S>> for OwnedFd {
    fn from(socket: DatagramSocket<S>) -> Self {
        socket.into_std().into()
    }
}

/// Takes over a socket for datagrams, and puts it into non-blocking mode, which may fail.
impl<S: Datagrams> TryFrom<OwnedFd> for DatagramSocket<S> {
    type Error = Error;

    #[track_caller]
    fn try_from(fd: OwnedFd) -> Result<Self> {
        Self::from_std(fd.into())
    }
}
