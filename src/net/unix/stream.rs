//! Connections in the Unix domain.

use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::Result;
use crate::checkpoint::checkpoint;
use crate::net::stream::SocketStream;

/// A connection to a process on the same machine.
///
/// What it has in common with a [`TcpStream`](crate::net::TcpStream), reading and writing, is at
/// [`SocketStream`].
///
/// ```
/// use seedbed::net::UnixStream;
///
/// seedbed::run(async {
///     let (one, other) = UnixStream::pair()?;
///     one.write_all(b"hello").await?;
///     let mut buffer = [0; 5];
///     other.read_exact(&mut buffer).await?;
///     assert_eq!(&buffer, b"hello");
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub type UnixStream = SocketStream<net::UnixStream>;

impl SocketStream<net::UnixStream> {
    /// Connects to the listener at this path.
    ///
    /// A [checkpoint](crate::checkpoint()); it does not wait.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the [`io::Error`] of the system calls. Where the queue of
    /// the listener is full that is [`WouldBlock`](io::ErrorKind::WouldBlock) on Linux: the
    /// system has no means to wait for room in it.
    pub async fn connect(path: impl AsRef<Path>) -> Result<UnixStream> {
        checkpoint().await?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)?;
        Ok(UnixStream::new(socket.into()))
    }

    /// Two streams that are connected with each other.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call, as for all that follow.
    pub fn pair() -> Result<(UnixStream, UnixStream)> {
        let (one, other) = net::UnixStream::pair()?;
        Ok((UnixStream::from_std(one)?, UnixStream::from_std(other)?))
    }

    /// The address of this end, if it has one.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.registration().source().local_addr()?)
    }

    /// The address of the peer, if it has one.
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        Ok(self.registration().source().peer_addr()?)
    }

    /// Takes the error that the system keeps for the next operation, if there is one
    /// (`SO_ERROR`).
    pub fn take_error(&self) -> Result<Option<io::Error>> {
        Ok(self.registration().source().take_error()?)
    }
}
