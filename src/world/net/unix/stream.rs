//! Connections in the Unix domain.

use std::future::Future;
use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::error::{Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::operation::time::sleep;
use crate::world::net::doing::doing;
use crate::world::net::stream::SocketStream;
use crate::world::net::unix::address;

/// A connection to a process on the same machine.
///
/// Reading and writing are described at [`SocketStream`], because they are the same for a
/// [`TcpStream`](crate::net::TcpStream).
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
    /// Connects to the listener with this [name](crate::net::unix#names).
    ///
    /// If the queue of the listener is full, this waits until it no longer is, for as long as the
    /// scope allows. Linux does not report when that happens, so this tries again after pauses that
    /// grow from 1 to 50 milliseconds, and waiting tasks are not served in the order in which they
    /// came. Other systems refuse the connection.
    ///
    /// If this fails or is dropped, there is no connection on this side; the peer may have seen one
    /// that was closed.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); an [`io::Error`] with the name: of the kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if the name is not valid; otherwise that of a
    /// system call, of the kind [`NotFound`](io::ErrorKind::NotFound) if there is no such file, and
    /// of the kind [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if nobody is listening
    /// any longer.
    #[track_caller]
    pub fn connect(path: impl AsRef<Path>) -> impl Future<Output = Result<UnixStream>> {
        placed(async move {
            let path = path.as_ref();
            join(path).await.map_err(doing("connecting to", format_args!("{path:?}")))
        })
    }

    /// Like [`connect`](Self::connect), to an address of the standard library.
    ///
    /// # Errors
    ///
    /// The same as for [`connect`](Self::connect); an unnamed address is an error of the kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) too.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # {
    /// use seedbed::net::{UnixListener, UnixStream};
    /// use std::os::linux::net::SocketAddrExt;
    /// use std::os::unix::net::SocketAddr;
    ///
    /// # let name = format!("seedbed-doc-{}", std::process::id());
    /// let address = SocketAddr::from_abstract_name(&name)?;
    /// seedbed::run(async {
    ///     let listener = UnixListener::bind_addr(&address).await?;
    ///     UnixStream::connect_addr(&address).await?;
    ///     # drop(listener);
    ///     Ok(())
    /// })?;
    /// # }
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn connect_addr(address: &SocketAddr) -> impl Future<Output = Result<UnixStream>> {
        Self::connect(address::name_of(address))
    }

    /// Makes two streams that are connected to each other.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call, as for all methods that follow.
    #[track_caller]
    pub fn pair() -> Result<(UnixStream, UnixStream)> {
        let (one, other) = net::UnixStream::pair()?;
        one.set_nonblocking(true)?;
        other.set_nonblocking(true)?;
        Ok((UnixStream::new(one), UnixStream::new(other)))
    }

    /// The address of this end, if it has one.
    #[track_caller]
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.registration().source().local_addr()?)
    }

    /// The address of the peer, if it has one.
    #[track_caller]
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        Ok(self.registration().source().peer_addr()?)
    }

    /// Takes the error that the system has in store for the next operation, if there is one
    /// (`SO_ERROR`).
    #[track_caller]
    pub fn take_error(&self) -> Result<Option<io::Error>> {
        Ok(self.registration().source().take_error()?)
    }
}

async fn join(path: &Path) -> Result<UnixStream> {
    const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];
    checkpoint().await?;
    let address = address::address(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let [mut pause, longest] = PAUSES;
    loop {
        match socket.connect(&address) {
            Ok(()) => return Ok(UnixStream::new(socket.into())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sleep(pause).await?;
                pause = longest.min(pause * 2);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
