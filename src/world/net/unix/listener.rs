//! Accepting connections in the Unix domain.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::error::{Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::schedule::budget;
use crate::world::net::accept::{BACKLOG, accept, accept_now};
use crate::world::net::doing::doing;
use crate::world::net::unix::{UnixStream, address};
use crate::world::reactor::readiness::Kind;
use crate::world::reactor::registration::Registration;
use crate::world::reactor::verb;

/// Listens for connections from processes on the same machine.
///
/// Several tasks can accept from one listener, by `&`. Dropping it closes it. Its file stays, as
/// with the standard library.
///
/// ```
/// use seedbed::net::{UnixListener, UnixStream};
///
/// # let folder = std::env::temp_dir().join(format!("seedbed-listener-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("socket");
/// seedbed::run(async {
///     let listener = UnixListener::bind(&path).await?;
///     let client = UnixStream::connect(&path).await?;
///     let (server, _) = listener.accept().await?;
///     # drop((client, server));
///     Ok(())
/// })?;
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct UnixListener {
    io: Registration<mio::net::UnixListener>,
}

impl UnixListener {
    /// Listens on this [name](crate::net::unix#names). If it is a path, there must be no such file
    /// yet: one that an earlier server has left behind has to be removed first.
    ///
    /// Up to 1024 connections can wait to be accepted, if the system allows that many.
    ///
    /// This is a [checkpoint](crate::checkpoint()), but it does not wait.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); an [`io::Error`] with the name: of the kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if the name is not valid, of the kind
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) if it is taken, or that of another system call.
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> impl Future<Output = Result<UnixListener>> {
        placed(async move {
            checkpoint().await?;
            let path = path.as_ref();
            let listening = listen_at(path).map_err(crate::Error::from);
            listening.map_err(doing("listening on", format_args!("{path:?}")))
        })
    }

    /// Like [`bind`](Self::bind), at an address of the standard library.
    ///
    /// # Errors
    ///
    /// The same as for [`bind`](Self::bind); an unnamed address is an error of the kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) too.
    #[track_caller]
    pub fn bind_addr(address: &SocketAddr) -> impl Future<Output = Result<UnixListener>> {
        Self::bind(address::name_of(address))
    }

    /// Takes over a listener of the standard library, and puts it into non-blocking mode.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    #[track_caller]
    pub fn from_std(listener: net::UnixListener) -> Result<UnixListener> {
        listener.set_nonblocking(true)?;
        Ok(UnixListener {
            io: Registration::of_kind(Kind::Listener, mio::net::UnixListener::from_std(listener)),
        })
    }

    /// Returns the listener of the standard library. It is still in non-blocking mode.
    pub fn into_std(self) -> net::UnixListener {
        self.io.into_source().into()
    }

    /// Waits for a connection, and returns it together with the address it comes from, which rarely
    /// has a path. This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and no connection has been accepted; the [`io::Error`] of
    /// the system call. If descriptors or memory have run out, the connection stays in the queue,
    /// and a later call may get it.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = Result<(UnixStream, SocketAddr)>> {
        self.io.operate(verb::Accept, |io| {
            let (stream, address) = accept(|| io.source().accept())?;
            Ok((UnixStream::accepted(stream.into()), address))
        })
    }

    /// Takes a connection that is already waiting; `None` if there is none.
    ///
    /// It does not wait for anything, so it is not a checkpoint. It works in a cancelled scope, so
    /// that a server can serve the clients that came before it closed.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call, as for [`accept`](Self::accept).
    #[track_caller]
    pub fn try_accept(&self) -> Result<Option<(UnixStream, SocketAddr)>> {
        budget::count();
        let taken = accept_now(|| self.io.source().accept())?;
        Ok(taken.map(|(stream, address)| (UnixStream::accepted(stream.into()), address)))
    }

    /// The address that this listens on.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    #[track_caller]
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.io.source().local_addr()?)
    }
}

fn listen_at(path: &Path) -> io::Result<UnixListener> {
    let address = address::address(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    bind(&socket, &address)?;
    socket.listen(BACKLOG)?;
    let listener: net::UnixListener = socket.into();
    Ok(UnixListener { io: Registration::new(mio::net::UnixListener::from_std(listener)) })
}

/// Gives a socket its name.
pub(super) fn bind(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    socket.bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse if address.as_pathname().is_some() => io::Error::new(
            error.kind(),
            format!("{error}: the file exists; remove it if its server is gone"),
        ),
        _ => error,
    })
}

impl std::fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.io.fmt(f)
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.source().as_fd()
    }
}

impl AsRawFd for UnixListener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl From<UnixListener> for OwnedFd {
    fn from(listener: UnixListener) -> Self {
        listener.into_std().into()
    }
}

/// Takes over a listening socket, and puts it into non-blocking mode, which may fail.
impl TryFrom<OwnedFd> for UnixListener {
    type Error = crate::error::Error;

    #[track_caller]
    fn try_from(fd: OwnedFd) -> Result<Self> {
        Self::from_std(fd.into())
    }
}
