//! Connecting to an address.

use std::future::Future;

use crate::error::{Result, placed};
use crate::world::net::address::Address;
use crate::world::net::doing::doing;
use crate::world::net::tcp::{ConnectFailed, TcpSocket, TcpStream};
use crate::world::net::{happy_eyeballs, names};

impl TcpStream {
    /// Connects to this address. To set options beforehand, use [`TcpSocket`].
    ///
    /// A name is [looked up](crate::net::lookup_host). If there are several addresses, because of
    /// the name or because a list was given, the first one that answers is used (Happy Eyeballs,
    /// RFC 8305). IPv6 and IPv4 addresses take turns; each is tried 250 milliseconds after the one
    /// before, or as soon as that one has failed. The other attempts are closed.
    ///
    /// If this fails or is dropped, there is no connection on this side; the peer may have seen one
    /// that was closed.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); an [`io::Error`](std::io::Error): of the kind
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) if this is not an [`Address`]; that of
    /// [`lookup_host`](crate::net::lookup_host); that of a system call, with the address, of the
    /// kind [`ConnectionRefused`](std::io::ErrorKind::ConnectionRefused) if nobody is listening
    /// there; if there were several addresses, with a [`ConnectFailed`] inside.
    ///
    /// If nobody is listening on a port of the same machine, the system may choose that very port
    /// for the socket, and connect the socket to itself. That is `ConnectionRefused` too.
    ///
    /// ```
    /// use seedbed::net::{TcpListener, TcpStream};
    ///
    /// seedbed::run(async {
    ///     let listener = TcpListener::bind("localhost:0").await?;
    ///     let port = listener.local_addr()?.port();
    ///     let stream = TcpStream::connect(("localhost", port)).await?;
    ///     assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn connect(address: impl Address) -> impl Future<Output = Result<TcpStream>> {
        placed(async move {
            let connect = async |address| TcpSocket::for_address(address)?.join(address).await;
            let addresses = names::addresses(&address).await?;
            if let [address] = addresses[..] {
                return connect(address).await.map_err(doing("connecting to", address));
            }
            let addresses = happy_eyeballs::interleave(&addresses);
            // Boxed, because otherwise every task that connects to anything would have to be as
            // large.
            let race = Box::pin(happy_eyeballs::race(&addresses, connect));
            match race.await? {
                Ok(stream) => Ok(stream),
                Err(errors) => {
                    let attempts = addresses.into_iter().zip(errors).collect();
                    Err(ConnectFailed::new(attempts).into_io().into())
                }
            }
        })
    }
}
