//! Taking connections in the Unix domain.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use crate::Result;
use crate::checkpoint::checkpoint;
use crate::net::accept::{accept, accept_now};
use crate::net::registration::{Registration, Side};
use crate::net::unix::UnixStream;

/// Listens for connections of processes on the same machine.
///
/// Several tasks may accept from one, by `&`. Dropping it closes it; the file stays, as the
/// standard library's does.
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
    /// Listens at this path, where there must not be a file yet.
    ///
    /// A [checkpoint](crate::checkpoint()); it does not wait.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the [`io::Error`](std::io::Error) of the system calls.
    pub async fn bind(path: impl AsRef<Path>) -> Result<UnixListener> {
        checkpoint().await?;
        UnixListener::from_std(net::UnixListener::bind(path)?)
    }

    /// Over a listener of the standard library, which is put into non-blocking mode.
    ///
    /// # Errors
    ///
    /// That of the system call.
    pub fn from_std(listener: net::UnixListener) -> Result<UnixListener> {
        listener.set_nonblocking(true)?;
        Ok(UnixListener { io: Registration::new(mio::net::UnixListener::from_std(listener)) })
    }

    /// The listener of the standard library. It is still in non-blocking mode.
    pub fn into_std(self) -> net::UnixListener {
        self.io.into_source().into()
    }

    /// Waits for a connection, and returns it with the address it comes from, which seldom has a
    /// path.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and none has been accepted; the [`io::Error`](std::io::Error) of the
    /// system call: where descriptors or memory have run out, the connection stays in the queue,
    /// and a later call may get it.
    pub async fn accept(&self) -> Result<(UnixStream, SocketAddr)> {
        let (stream, address) =
            self.io.operate(Side::Read, |source| accept(|| source.accept())).await?;
        Ok((UnixStream::accepted(stream.into()), address))
    }

    /// Takes a connection that waits already; `None` if there is none.
    ///
    /// It does not wait for anything, so it is no checkpoint: it works in a cancelled scope, for a
    /// server that serves the last of those who came before it closes.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call, as for [`accept`](Self::accept).
    pub fn try_accept(&self) -> Result<Option<(UnixStream, SocketAddr)>> {
        let taken = accept_now(|| self.io.source().accept())?;
        Ok(taken.map(|(stream, address)| (UnixStream::accepted(stream.into()), address)))
    }

    /// The address it listens at.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.io.source().local_addr()?)
    }
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

/// A socket that listens, which is put into non-blocking mode; that is what may fail.
impl TryFrom<OwnedFd> for UnixListener {
    type Error = crate::Error;

    fn try_from(fd: OwnedFd) -> Result<Self> {
        Self::from_std(fd.into())
    }
}
