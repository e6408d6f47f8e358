//! What connections come from.

use std::fmt;
use std::future::Future;
use std::net;
use std::os::unix;

use crate::Result;
use crate::world::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// What a [`Server`](crate::Server) takes its connections from: a [`TcpListener`], a
/// [`UnixListener`], or something around one.
///
/// What else a connection needs before it can be used, such as a TLS handshake, belongs into the
/// handler: here, a slow client would keep all others waiting.
///
/// ```
/// use seedbed::net::{TcpListener, TcpStream};
/// use seedbed::{Listener, Result};
/// use std::net::SocketAddr;
///
/// /// Whose connections send at once, also if it is little.
/// struct Eager(TcpListener);
///
/// impl Listener for Eager {
///     type Stream = TcpStream;
///     type Address = SocketAddr;
///
///     async fn accept(&self) -> Result<(TcpStream, SocketAddr)> {
///         let (stream, address) = self.0.accept().await?;
///         stream.set_nodelay(true)?;
///         Ok((stream, address))
///     }
///
///     fn try_accept(&self) -> Result<Option<(TcpStream, SocketAddr)>> {
///         let Some((stream, address)) = self.0.try_accept()? else { return Ok(None) };
///         stream.set_nodelay(true)?;
///         Ok(Some((stream, address)))
///     }
/// }
/// ```
pub trait Listener {
    /// A connection.
    type Stream;
    /// Where it comes from.
    type Address: Clone + fmt::Debug;

    /// Waits for a connection.
    ///
    /// Cancelled or dropped, it must not have accepted one.
    ///
    /// # Errors
    ///
    /// An [`io::Error`](std::io::Error) with the system's number says whether the server may go on
    /// ([`Server::serve`](crate::Server::serve) tells which do); any other error ends it.
    fn accept(&self) -> impl Future<Output = Result<(Self::Stream, Self::Address)>>;

    /// Takes a connection that waits already, without waiting for one, also in a cancelled scope.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    fn try_accept(&self) -> Result<Option<(Self::Stream, Self::Address)>>;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Address = net::SocketAddr;

    fn accept(&self) -> impl Future<Output = Result<(TcpStream, net::SocketAddr)>> {
        self.accept()
    }

    fn try_accept(&self) -> Result<Option<(TcpStream, net::SocketAddr)>> {
        self.try_accept()
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;
    type Address = unix::net::SocketAddr;

    fn accept(&self) -> impl Future<Output = Result<(UnixStream, unix::net::SocketAddr)>> {
        self.accept()
    }

    fn try_accept(&self) -> Result<Option<(UnixStream, unix::net::SocketAddr)>> {
        self.try_accept()
    }
}

/// A borrowed one, for who wants to go on listening after the server has ended.
impl<L: Listener> Listener for &L {
    type Stream = L::Stream;
    type Address = L::Address;

    fn accept(&self) -> impl Future<Output = Result<(L::Stream, L::Address)>> {
        L::accept(self)
    }

    fn try_accept(&self) -> Result<Option<(L::Stream, L::Address)>> {
        L::try_accept(self)
    }
}
