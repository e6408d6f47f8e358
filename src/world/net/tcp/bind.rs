//! Listening on an address.

use std::future::Future;

use crate::error::{Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::world::net::accept::BACKLOG;
use crate::world::net::address::Address;
use crate::world::net::names;
use crate::world::net::tcp::{TcpListener, TcpSocket};

impl TcpListener {
    /// Listens on this address. With port 0 the system chooses a port, which
    /// [`local_addr`](Self::local_addr) returns.
    ///
    /// Connections left behind by a server that has just ended are no obstacle (`SO_REUSEADDR`),
    /// and up to 1024 connections can wait to be accepted. For other settings, use [`TcpSocket`].
    ///
    /// A name is [looked up](crate::net::lookup_host). If there are several addresses, only the
    /// first one that can be listened on is used.
    ///
    /// This is a [checkpoint](crate::checkpoint()), which waits only for a name.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); an [`io::Error`](std::io::Error): of the kind
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) if this is not an [`Address`]; that of
    /// [`lookup_host`](crate::net::lookup_host); that of a system call, with the address, for the
    /// last address if there were several.
    #[track_caller]
    pub fn bind(address: impl Address) -> impl Future<Output = Result<TcpListener>> {
        placed(async move { bind_first(&address, |_| Ok(())).await })
    }

    /// Like [`bind`](Self::bind), but lets others listen on the same address (`SO_REUSEPORT`): the
    /// listeners of several [cores](crate::run_on_cores), or of several processes of the same user.
    /// All of them have to ask for this.
    ///
    /// Linux distributes connections by a hash of both addresses: evenly if there are many, however
    /// busy the listeners are. A connection stays with the listener that it was given to. If that
    /// listener closes before it has accepted the connection, the connection is reset. So the queue
    /// of a listener that closes while others go on should be emptied first, as a
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
    /// port.bind("127.0.0.1:0")?; // fails if another server is listening there
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
    /// The same as for [`bind`](Self::bind).
    #[cfg(not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))]
    #[track_caller]
    pub fn bind_reuse_port(address: impl Address) -> impl Future<Output = Result<TcpListener>> {
        placed(async move { bind_first(&address, |socket| socket.set_reuse_port(true)).await })
    }
}

/// Listens on the first address for which that is possible.
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
