//! Accepting TCP connections.

use std::future::Future;
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::error::Result;
use crate::schedule::budget;
use crate::world::net::accept::{accept, accept_now};
use crate::world::net::tcp::TcpStream;
use crate::world::reactor::readiness::Kind;
use crate::world::reactor::registration::Registration;
use crate::world::reactor::verb;

/// Listens for TCP connections.
///
/// Several tasks can accept from one listener, by `&`. Dropping it closes it, together with the
/// connections that are waiting in its queue.
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
    // The type of `mio`, because it accepts in non-blocking mode with one system call.
    io: Registration<mio::net::TcpListener>,
}

impl TcpListener {
    pub(super) fn new(listener: net::TcpListener) -> TcpListener {
        TcpListener {
            io: Registration::of_kind(Kind::Listener, mio::net::TcpListener::from_std(listener)),
        }
    }

    /// Takes over a listener of the standard library, and puts it into non-blocking mode.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call.
    ///
    /// ```
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let listener = seedbed::net::TcpListener::from_std(listener)?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn from_std(listener: net::TcpListener) -> Result<TcpListener> {
        listener.set_nonblocking(true)?;
        Ok(TcpListener::new(listener))
    }

    /// Returns the listener of the standard library. It is still in non-blocking mode.
    pub fn into_std(self) -> net::TcpListener {
        self.io.into_source().into()
    }

    /// Waits for a connection, and returns it together with the address it comes from.
    ///
    /// A connection that its client gave up before it was accepted is skipped.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and no connection has been accepted; the
    /// [`io::Error`](std::io::Error) of the system call. If descriptors or memory have run out, the
    /// connection stays in the queue, and a later call may get it.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = Result<(TcpStream, SocketAddr)>> {
        self.io.operate(verb::Accept, |io| {
            let (stream, address) = accept(|| io.source().accept())?;
            Ok((TcpStream::accepted(stream.into()), address))
        })
    }

    /// Takes a connection that is already waiting; `None` if there is none.
    ///
    /// It does not wait for anything, so it is not a checkpoint. It works in a cancelled scope, so
    /// that a server can serve the clients that came before it closed.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call, as for [`accept`](Self::accept).
    #[track_caller]
    pub fn try_accept(&self) -> Result<Option<(TcpStream, SocketAddr)>> {
        budget::count();
        let taken = accept_now(|| self.io.source().accept())?;
        Ok(taken.map(|(stream, address)| (TcpStream::accepted(stream.into()), address)))
    }

    /// The address that this listens on.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call.
    #[track_caller]
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.io.source().local_addr()?)
    }

    /// The value of `IP_TTL` for connections accepted from now on.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call.
    #[track_caller]
    pub fn ttl(&self) -> Result<u32> {
        Ok(self.io.source().ttl()?)
    }

    /// Sets what [`ttl`](Self::ttl) returns.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call.
    #[track_caller]
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

/// Takes over a listening socket, and puts it into non-blocking mode, which may fail.
impl TryFrom<OwnedFd> for TcpListener {
    type Error = crate::error::Error;

    #[track_caller]
    fn try_from(fd: OwnedFd) -> Result<Self> {
        Self::from_std(fd.into())
    }
}
