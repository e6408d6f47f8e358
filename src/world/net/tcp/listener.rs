//! Taking TCP connections.

use std::future::Future;
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::Result;
use crate::error::placed;
use crate::operation::checkpoint::checkpoint;
use crate::schedule::budget;
use crate::world::net::accept::{BACKLOG, accept, accept_now};
use crate::world::net::address::Address;
use crate::world::net::names;
use crate::world::net::tcp::{TcpSocket, TcpStream};
use crate::world::reactor::registration::{Registration, Side};

/// Listens for TCP connections.
///
/// Several tasks can accept from one, by `&`. Dropping it closes it, together with the connections
/// that wait in its queue.
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
    /// Listens at this address. With port 0 the system chooses a port, which
    /// [`local_addr`](Self::local_addr) gives.
    ///
    /// Connections left behind by a server that has just ended are no obstacle (`SO_REUSEADDR`), and
    /// up to 1024 connections can wait to be accepted. For other settings there is [`TcpSocket`].
    ///
    /// A name is [looked up](crate::net::lookup_host). Of several addresses, the first at which it is
    /// possible to listen is used, and no other.
    ///
    /// A [checkpoint](crate::checkpoint()); it waits only for a name.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); an [`io::Error`](std::io::Error): of the kind
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) if it is not an [`Address`]; that of
    /// [`lookup_host`](crate::net::lookup_host); that of the system calls, with the address, the
    /// last one's if there were several.
    #[track_caller]
    pub fn bind(address: impl Address) -> impl Future<Output = Result<TcpListener>> {
        placed(async move { bind_first(&address, |_| Ok(())).await })
    }

    /// Like [`bind`](Self::bind), but lets others listen at the same address (`SO_REUSEPORT`): the
    /// listeners of several [cores](crate::run_on_cores), or of several processes of the same user.
    /// All of them have to ask for it.
    ///
    /// Linux distributes the connections as they come, by a hash of both addresses: evenly if there
    /// are many, however busy the listeners are. A connection stays with the listener it was given
    /// to. If that listener closes before it has accepted the connection, the connection is reset. So
    /// the queue of a listener that closes while others go on should be emptied first, as a
    /// [`Server`](crate::Server) does when it shuts down. Other systems have other rules; some give
    /// all connections to one listener.
    ///
    /// With port 0 each listener would get a port of its own, and with any other port a server that
    /// was started twice by mistake would not notice. A [`TcpSocket`] that is bound but does not
    /// listen finds a port for all of them, and keeps it:
    ///
    /// ```
    /// use seedbed::net::{TcpListener, TcpSocket};
    ///
    /// let port = TcpSocket::v4()?;
    /// port.bind("127.0.0.1:0")?; // fails if another server listens there
    /// port.set_reuse_port(true)?; // from now on it is shared
    /// let address = port.local_addr()?;
    /// seedbed::run_on_cores(2, async |_core| {
    ///     let listener = TcpListener::bind_reuse_port(address).await?;
    ///     assert_eq!(listener.local_addr()?, address);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    #[cfg(not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))]
    #[track_caller]
    pub fn bind_reuse_port(address: impl Address) -> impl Future<Output = Result<TcpListener>> {
        placed(async move { bind_first(&address, |socket| socket.set_reuse_port(true)).await })
    }

    pub(super) fn new(listener: net::TcpListener) -> TcpListener {
        TcpListener { io: Registration::of_listener(mio::net::TcpListener::from_std(listener)) }
    }

    /// From a listener of the standard library, which is put into non-blocking mode.
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
    #[track_caller]
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
    /// A connection whose client gave up before it was accepted is passed over.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and no connection has been accepted; the
    /// [`io::Error`](std::io::Error) of the system call. If that ran out of descriptors or memory, the
    /// connection stays in the queue, and a later call may get it.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = Result<(TcpStream, SocketAddr)>> {
        self.io.operate(Side::Read, |source| {
            let (stream, address) = accept(|| source.accept())?;
            Ok((TcpStream::accepted(stream.into()), address))
        })
    }

    /// Takes a connection that is waiting already; `None` if there is none.
    ///
    /// It does not wait for anything, so it is not a checkpoint. It works in a cancelled scope, so
    /// that a server can serve those who came before it closed.
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

    /// The address it listens at.
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

    /// Sets what [`ttl`](Self::ttl) gives.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call.
    #[track_caller]
    pub fn set_ttl(&self, ttl: u32) -> Result<()> {
        Ok(self.io.source().set_ttl(ttl)?)
    }
}

/// Listens at the first of the addresses where that is possible.
async fn bind_first(
    address: &impl Address,
    prepare: impl Fn(&TcpSocket) -> Result<()>,
) -> Result<TcpListener> {
    checkpoint().await?;
    let listen = |address| {
        let socket = TcpSocket::for_address(address)?;
        socket.set_reuse_address(true)?;
        prepare(&socket)?;
        socket.listen_at(address, BACKLOG)
    };
    let addresses = names::addresses(address).await?;
    let (last, others) = addresses.split_last().expect("there is at least one");
    match others.iter().find_map(|address| listen(*address).ok()) {
        Some(listener) => Ok(listener),
        None => listen(*last),
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

    #[track_caller]
    fn try_from(fd: OwnedFd) -> Result<Self> {
        Self::from_std(fd.into())
    }
}
