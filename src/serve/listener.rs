//! The source of connections.

use std::fmt;
use std::future::Future;
use std::net;
use std::os::unix;

use crate::error::Result;
use crate::world::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A source from which a [`Server`](crate::Server) accepts connections: a [`TcpListener`], a
/// [`UnixListener`], or a wrapper around one. This needs the feature `net`, which is on by default.
///
/// Whatever else a connection needs before it can be used, such as a TLS handshake, belongs in the
/// handler: here, one slow client would keep all others waiting.
///
/// ```
/// use seedbed::net::{TcpListener, TcpStream};
/// use seedbed::{Listener, Result};
/// use std::net::SocketAddr;
///
/// /// Its connections send even small amounts at once.
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
    /// The type of a connection.
    type Stream;
    /// The type of the address that a connection comes from.
    type Address: Clone + fmt::Debug;

    /// Waits for a connection. Like every operation that waits, it should be a
    /// [checkpoint](crate::checkpoint()).
    ///
    /// If it is cancelled or dropped, it must not have accepted a connection.
    ///
    /// # Errors
    ///
    /// If it is an [`io::Error`](std::io::Error) with the system's number, that decides whether the
    /// server goes on, as described at [`Server::serve`](crate::Server::serve); any other error
    /// ends the server.
    fn accept(&self) -> impl Future<Output = Result<(Self::Stream, Self::Address)>>;

    /// Takes a connection that is already waiting, if there is one. It does not wait, and works in
    /// a cancelled scope too.
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

/// A borrowed listener, for a program that wants to go on listening after the server has ended.
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
