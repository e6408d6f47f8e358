//! Looking up hosts by their names.

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::error::placed;
use crate::scope::aside::Aside;
use crate::world::net::address::Address;
use crate::world::net::address::sealed::Named;
use crate::{Result, checkpoint, to_thread};

/// Looks up a host's addresses, in the order in which the system recommends to try them. A numeric
/// address is returned as it is. Trio's `socket.getaddrinfo`. A checkpoint.
///
/// [`TcpStream::connect`](super::TcpStream::connect) and
/// [`TcpListener::bind`](super::TcpListener::bind) do this themselves.
///
/// The system is asked (`getaddrinfo`), which knows its files, services and caches, and has no
/// way to ask without blocking. So this is done with [`to_thread`], and
/// [abandoned](crate::ToThread::abandon_on_cancel) when it is cancelled: the thread is busy until
/// the system gives up, and nobody waits for it. A `run` asks for up to 100 names at once, under a
/// limiter of its own: look-ups that hang do not hold up other blocking work, nor it them. An
/// abandoned one counts only when more than 400 threads of the run are left behind.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); [`NotRunning`](crate::NotRunning) outside of
/// [`run`](crate::run); an [`io::Error`] that names the host: what the system says, of the kind
/// [`NotFound`](io::ErrorKind::NotFound) if the host has no address, or of the kind
/// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is not an [`Address`].
///
/// ```
/// use seedbed::net::lookup_host;
///
/// seedbed::run(async {
///     let addresses = lookup_host(("localhost", 80)).await?;
///     assert!(addresses.iter().all(|address| address.ip().is_loopback()));
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn lookup_host(address: impl Address) -> impl Future<Output = Result<Vec<SocketAddr>>> {
    placed(async move {
        checkpoint().await?;
        Ok(addresses(&address).await?.into_owned())
    })
}

/// The addresses, at least one. No checkpoint where nothing is looked up.
pub(super) async fn addresses(address: &impl Address) -> Result<Cow<'_, [SocketAddr]>> {
    Aside::new().await?; // what is no address fails at once
    match address.named()? {
        Named::One(address) => Ok(vec![address].into()),
        Named::Several(addresses) => Ok(addresses.into()),
        Named::Host(host, port) => Ok(look_up(host, port).await?.into()),
    }
}

async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    let asked = (host.to_owned(), port);
    let answer =
        to_thread(move || asked.to_socket_addrs()).for_lookup().abandon_on_cancel(true).await?;
    let found = answer.map(Vec::from_iter).and_then(|addresses| match addresses.is_empty() {
        true => Err(io::Error::new(io::ErrorKind::NotFound, "it has no addresses")),
        false => Ok(addresses),
    });
    Ok(found.map_err(|error| {
        io::Error::new(error.kind(), format!("looking up `{host}:{port}`: {error}"))
    })?)
}
