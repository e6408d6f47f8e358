//! Taking TCP connections.

use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::Result;
use crate::checkpoint::checkpoint;
use crate::net::accept::{accept, accept_now};
use crate::net::address::Address;
use crate::net::registration::{Registration, Side};
use crate::net::tcp::{TcpSocket, TcpStream};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Listens for TCP connections.
///
/// Several tasks may accept from one, by `&`. Dropping it closes it, and the connections that wait
/// in it.
///
/// ```
/// use seedbed::net::{TcpListener, TcpStream};
///
/// seedbed::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let client = TcpStream::connect(listener.local_addr()?).await?;
///     let (server, address) = listener.accept().await?;
///     assert_eq!(address, client.local_addr()?);
///     # drop(server);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct TcpListener {
    // Of `mio`, because it accepts into non-blocking mode with one system call.
    io: Registration<mio::net::TcpListener>,
}

impl TcpListener {
    /// Listens at this address; port 0 lets the system choose one, which
    /// [`local_addr`](Self::local_addr) tells.
    ///
    /// The address may be one that a server which has just ended has left connections at
    /// (`SO_REUSEADDR`), and 1024 connections may wait to be accepted. A [`TcpSocket`] has other
    /// choices.
    ///
    /// A [checkpoint](crate::checkpoint()), and asynchronous for the sake of names to come; it
    /// does not wait.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); an [`io::Error`](std::io::Error) of the kind
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) if it is not an [`Address`]; that of the
    /// system calls.
    pub async fn bind(address: impl Address) -> Result<TcpListener> {
        checkpoint().await?;
        let address = address.socket_addr()?;
        let socket = TcpSocket::for_address(address)?;
        socket.set_reuse_address(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    }

    pub(super) fn new(listener: net::TcpListener) -> TcpListener {
        TcpListener { io: Registration::new(mio::net::TcpListener::from_std(listener)) }
    }

    /// Over a listener of the standard library, which is put into non-blocking mode.
    ///
    /// # Errors
    ///
    /// That of the system call.
    ///
    /// ```
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let listener = seedbed::net::TcpListener::from_std(listener)?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn from_std(listener: net::TcpListener) -> Result<TcpListener> {
        listener.set_nonblocking(true)?;
        Ok(TcpListener::new(listener))
    }

    /// The listener of the standard library. It is still in non-blocking mode.
    pub fn into_std(self) -> net::TcpListener {
        self.io.into_source().into()
    }

    /// Waits for a connection, and returns it with the address it comes from.
    ///
    /// One whose client has given up before it was accepted is passed over.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and none has been accepted; the [`io::Error`](std::io::Error) of the
    /// system call: where descriptors or memory have run out, the connection stays in the queue,
    /// and a later call may get it.
    pub async fn accept(&self) -> Result<(TcpStream, SocketAddr)> {
        let (stream, address) =
            self.io.operate(Side::Read, |source| accept(|| source.accept())).await?;
        Ok((TcpStream::new(stream.into()), address))
    }

    /// Takes a connection that waits already; `None` if there is none.
    ///
    /// It does not wait for anything, so it is no checkpoint: it works in a cancelled scope, for a
    /// server that serves the last of those who came before it closes.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call, as for [`accept`](Self::accept).
    pub fn try_accept(&self) -> Result<Option<(TcpStream, SocketAddr)>> {
        let taken = accept_now(|| self.io.source().accept())?;
        Ok(taken.map(|(stream, address)| (TcpStream::new(stream.into()), address)))
    }

    /// The address it listens at.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.io.source().local_addr()?)
    }

    /// The value of `IP_TTL` for connections accepted from now on.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call.
    pub fn ttl(&self) -> Result<u32> {
        Ok(self.io.source().ttl()?)
    }

    /// Sets what [`ttl`](Self::ttl) gives.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call.
    pub fn set_ttl(&self, ttl: u32) -> Result<()> {
        Ok(self.io.source().set_ttl(ttl)?)
    }
}

impl std::fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.io.fmt(f)
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.source().as_fd()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl From<TcpListener> for OwnedFd {
    fn from(listener: TcpListener) -> Self {
        listener.into_std().into()
    }
}

/// A socket that listens, which is put into non-blocking mode; that is what may fail.
impl TryFrom<OwnedFd> for TcpListener {
    type Error = crate::Error;

    fn try_from(fd: OwnedFd) -> Result<Self> {
        Self::from_std(fd.into())
    }
}
