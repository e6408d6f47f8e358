//! A TCP socket before it is connected or listens.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::{io, net};

use socket2::{Domain, Protocol, Socket, Type};

use crate::Result;
use crate::checkpoint::checkpoint;
use crate::net::address::{self, Address};
use crate::net::registration::Side;
use crate::net::tcp::{TcpListener, TcpStream};

/// A TCP socket that is to connect or to listen, for options that have to be set before.
///
/// [`socket2::SockRef`](https://docs.rs/socket2) sets those that are not here.
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
    /// A socket for IPv4.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    pub fn v4() -> Result<TcpSocket> {
        TcpSocket::new(Domain::IPV4)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    pub fn v6() -> Result<TcpSocket> {
        TcpSocket::new(Domain::IPV6)
    }

    pub(super) fn for_address(address: SocketAddr) -> Result<TcpSocket> {
        TcpSocket::new(Domain::for_address(address))
    }

    fn new(domain: Domain) -> Result<TcpSocket> {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(TcpSocket { socket })
    }

    /// Gives it an address of its own.
    ///
    /// # Errors
    ///
    /// An [`io::Error`] of the kind [`InvalidInput`](io::ErrorKind::InvalidInput) if it is not one
    /// numeric [`Address`]: a socket has one family, and nothing is looked up here. That of the
    /// system call.
    pub fn bind(&self, address: impl Address) -> Result<()> {
        Ok(self.socket.bind(&address::one(&address)?.into())?)
    }

    /// Listens. `backlog` is how many connections may wait to be accepted.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    pub fn listen(self, backlog: i32) -> Result<TcpListener> {
        self.socket.listen(backlog)?;
        Ok(TcpListener::new(self.socket.into()))
    }

    /// Connects. If it fails or is dropped there is no connection on this side; the peer may have
    /// seen one that was closed.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); as [`bind`](Self::bind) for what is not one numeric
    /// [`Address`]; the [`io::Error`] of the system calls.
    pub async fn connect(self, address: impl Address) -> Result<TcpStream> {
        checkpoint().await?;
        match self.socket.connect(&address::one(&address)?.into()) {
            Err(error) if !in_progress(&error) => return Err(error.into()),
            _ => {}
        }
        let stream = TcpStream::new(self.socket.into());
        stream.registration().operate(Side::Write, |socket| is_connected(socket)).await?;
        Ok(stream)
    }

    /// Whether it may have an address at which connections of a former socket linger
    /// (`SO_REUSEADDR`).
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call, as for all that follow.
    pub fn set_reuse_address(&self, reuse: bool) -> Result<()> {
        Ok(self.socket.set_reuse_address(reuse)?)
    }

    /// Whether several sockets, of several threads or processes, may listen at the same address;
    /// the system shares out the connections (`SO_REUSEPORT`).
    #[cfg(not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))]
    pub fn set_reuse_port(&self, reuse: bool) -> Result<()> {
        Ok(self.socket.set_reuse_port(reuse)?)
    }

    /// Whether a socket for IPv6 leaves IPv4 to others (`IPV6_V6ONLY`).
    pub fn set_only_v6(&self, only: bool) -> Result<()> {
        Ok(self.socket.set_only_v6(only)?)
    }

    /// How many bytes the system may keep that were received and not read (`SO_RCVBUF`). Linux
    /// doubles the number.
    pub fn set_receive_buffer_size(&self, bytes: usize) -> Result<()> {
        Ok(self.socket.set_recv_buffer_size(bytes)?)
    }

    /// How many bytes the system may keep that were written and not received by the peer
    /// (`SO_SNDBUF`). Linux doubles the number.
    pub fn set_send_buffer_size(&self, bytes: usize) -> Result<()> {
        Ok(self.socket.set_send_buffer_size(bytes)?)
    }

    /// The address it was given.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        let address = self.socket.local_addr()?.as_socket();
        Ok(address.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?)
    }
}

fn in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

/// Whether a socket that was told to connect has done so, or why not.
fn is_connected(stream: &net::TcpStream) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(()),
        // Spurious news, or none yet.
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
