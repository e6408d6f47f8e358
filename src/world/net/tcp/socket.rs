//! A TCP socket before it connects or listens.

use std::future::Future;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::time::Duration;
use std::{io, net};

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::{Error, Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::world::net::address::{self, Address};
use crate::world::net::doing::doing;
use crate::world::net::tcp::connect_failed::no_port_free;
use crate::world::net::tcp::{TcpListener, TcpStream};
use crate::world::reactor::verb;

/// A TCP socket that does not connect or listen yet, so that options can be set beforehand.
///
/// [`socket2::SockRef`](https://docs.rs/socket2) sets options that have no method here.
///
/// ```
/// use seedbed::net::{TcpSocket, TcpStream};
///
/// seedbed::run(async {
///     let socket = TcpSocket::v4()?;
///     socket.set_receive_buffer_size(4096)?;
///     socket.bind("127.0.0.1:0")?;
///     let listener = socket.listen(16)?;
///     TcpStream::connect(listener.local_addr()?).await?;
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Debug)]
pub struct TcpSocket {
    socket: Socket,
}

impl TcpSocket {
    /// Makes a socket for IPv4.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    #[track_caller]
    pub fn v4() -> Result<TcpSocket> {
        TcpSocket::new(Domain::IPV4)
    }

    /// Makes a socket for IPv6.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    #[track_caller]
    pub fn v6() -> Result<TcpSocket> {
        TcpSocket::new(Domain::IPV6)
    }

    #[track_caller]
    pub(super) fn for_address(address: SocketAddr) -> Result<TcpSocket> {
        TcpSocket::new(Domain::for_address(address))
    }

    #[track_caller]
    fn new(domain: Domain) -> Result<TcpSocket> {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(TcpSocket { socket })
    }

    /// Binds the socket to a local address.
    ///
    /// # Errors
    ///
    /// An [`io::Error`] of the kind [`InvalidInput`](io::ErrorKind::InvalidInput) if this is not
    /// exactly one numeric [`Address`], because a socket belongs to one family and nothing is
    /// looked up here; that of the system call, with the address.
    #[track_caller]
    pub fn bind(&self, address: impl Address) -> Result<()> {
        let place = Location::caller();
        let bind = || {
            let address = address::one(&address)?;
            let bound = self.socket.bind(&address.into()).map_err(Error::from);
            bound.map_err(doing("binding a socket to", address))
        };
        bind().map_err(|error| error.at(place))
    }

    /// Starts listening. `backlog` is how many connections can wait to be accepted.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    #[track_caller]
    pub fn listen(self, backlog: i32) -> Result<TcpListener> {
        let place = Location::caller();
        if let Err(error) = self.socket.listen(backlog) {
            let error = match self.socket.local_addr().ok().and_then(|address| address.as_socket())
            {
                Some(address) => doing("listening on", address)(error.into()),
                None => error.into(),
            };
            return Err(error.at(place));
        }
        Ok(TcpListener::new(self.socket.into()))
    }

    /// Binds the socket, and starts listening.
    pub(super) fn listen_at(self, address: SocketAddr, backlog: i32) -> Result<TcpListener> {
        let listen = || {
            self.socket.bind(&address.into())?;
            self.socket.listen(backlog)
        };
        listen().map_err(Error::from).map_err(doing("listening on", address))?;
        Ok(TcpListener::new(self.socket.into()))
    }

    /// Connects. If this fails or is dropped, there is no connection on this side; the peer may
    /// have seen one that was closed.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the same as for [`bind`](Self::bind) if this is not exactly
    /// one numeric [`Address`]; the [`io::Error`] of a system call, with the address. It is of the
    /// kind [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if nobody is listening there,
    /// even if the socket is bound to that very address and the system would connect it to itself.
    #[track_caller]
    pub fn connect(self, address: impl Address) -> impl Future<Output = Result<TcpStream>> {
        placed(async move {
            let address = match address::one(&address) {
                Ok(address) => address,
                Err(error) => {
                    checkpoint().await?;
                    return Err(error);
                }
            };
            self.join(address).await.map_err(doing("connecting to", address))
        })
    }

    /// Like [`connect`](Self::connect), but errors do not name the address yet.
    pub(super) async fn join(self, address: SocketAddr) -> Result<TcpStream> {
        checkpoint().await?;
        match self.socket.connect(&address.into()) {
            // The former is misleading: some systems return it if they have run out.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::AddrNotAvailable
                ) =>
            {
                return Err(no_port_free(&error).into());
            }
            Err(error) if !in_progress(&error) => return Err(error.into()),
            _ => {}
        }
        let stream = TcpStream::new(self.socket.into());
        stream.registration().operate(verb::Connect, |io| is_connected(io.source())).await?;
        refuse_itself(&stream, address)?;
        Ok(stream)
    }

    /// Sets whether the socket can be bound to an address at which connections of a former socket
    /// linger (`SO_REUSEADDR`).
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call, as for all methods that follow.
    #[track_caller]
    pub fn set_reuse_address(&self, reuse: bool) -> Result<()> {
        Ok(self.socket.set_reuse_address(reuse)?)
    }

    /// Sets whether several sockets, of several threads or processes, can listen on the same
    /// address. The system distributes the connections (`SO_REUSEPORT`).
    #[cfg(not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))]
    #[track_caller]
    pub fn set_reuse_port(&self, reuse: bool) -> Result<()> {
        Ok(self.socket.set_reuse_port(reuse)?)
    }

    /// Sets whether a socket for IPv6 leaves IPv4 to others (`IPV6_V6ONLY`).
    #[track_caller]
    pub fn set_only_v6(&self, only: bool) -> Result<()> {
        Ok(self.socket.set_only_v6(only)?)
    }

    /// Sets how many bytes the system keeps that were received but not yet read (`SO_RCVBUF`).
    /// Linux doubles the number.
    #[track_caller]
    pub fn set_receive_buffer_size(&self, bytes: usize) -> Result<()> {
        Ok(self.socket.set_recv_buffer_size(bytes)?)
    }

    /// Sets how many bytes the system keeps that were written but not yet received by the peer
    /// (`SO_SNDBUF`). Linux doubles the number.
    #[track_caller]
    pub fn set_send_buffer_size(&self, bytes: usize) -> Result<()> {
        Ok(self.socket.set_send_buffer_size(bytes)?)
    }

    /// The address that the socket is bound to.
    #[track_caller]
    pub fn local_addr(&self) -> Result<SocketAddr> {
        let address = self.socket.local_addr()?.as_socket();
        Ok(address.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?)
    }
}

fn in_progress(error: &io::Error) -> bool {
    // A signal interrupts the call, but not the attempt.
    error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
        || error.kind() == io::ErrorKind::Interrupted
}

/// Fails if the stream is connected to itself. TCP lets two sockets connect to each other at the
/// same time, without a listener, and a socket that connects to its own port counts as both.
fn refuse_itself(stream: &TcpStream, address: SocketAddr) -> Result<()> {
    let local = stream.local_addr()?;
    // Rarely does anything else have to be checked.
    if local.port() != address.port() {
        return Ok(());
    }
    let peer = stream.peer_addr()?;
    if (local.ip(), local.port()) != (peer.ip(), peer.port()) {
        return Ok(());
    }
    // Otherwise nobody could listen on the port for a minute.
    stream.set_linger(Some(Duration::ZERO))?;
    let text = "nobody is listening there, and the socket would be connected to itself";
    Err(io::Error::new(io::ErrorKind::ConnectionRefused, text).into())
}

/// Whether a socket that was told to connect has done so; otherwise why not.
fn is_connected(stream: &net::TcpStream) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(()),
        // The news was spurious, or has not come yet.
        Err(error) if error.kind() == io::ErrorKind::NotConnected || in_progress(&error) => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        Err(error) => Err(error),
    }
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for TcpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl From<TcpSocket> for OwnedFd {
    fn from(socket: TcpSocket) -> Self {
        socket.socket.into()
    }
}
