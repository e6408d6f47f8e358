//! Looking up hosts by name.

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::error::{NotRunning, Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::operation::sync::limiter::CapacityLimiter;
use crate::platform::part::part;
use crate::scope::aside::Aside;
use crate::threads::job::Abandoned;
use crate::threads::to_thread;
use crate::world::net::address::Address;
use crate::world::net::address::sealed::Named;

/// How many names a `run` looks up at once.
const MOST_LOOKUPS: usize = 100;

/// The limiter for the look-ups of a run, all of which may hang at once.
pub(crate) struct Lookups(CapacityLimiter);

impl Default for Lookups {
    fn default() -> Self {
        Lookups(CapacityLimiter::new(MOST_LOOKUPS))
    }
}

part! {
    /// The limiter for the look-ups of the present run.
    pub(crate) const LOOKUPS: Lookups;
}

/// Looks up a host's addresses, in the order in which the system recommends trying them. A numeric
/// address is returned as it is. This is Trio's `socket.getaddrinfo`, and a
/// [checkpoint](crate::checkpoint()).
///
/// [`TcpStream::connect`](super::TcpStream::connect) and
/// [`TcpListener::bind`](super::TcpListener::bind) do this themselves.
///
/// This asks the system (`getaddrinfo`), which knows its files, services and caches, but offers no
/// way to ask without blocking. So it runs in a thread ([`to_thread`]), which is
/// [abandoned](crate::ToThread::abandon_on_cancel) on cancellation: the thread is busy until the
/// system gives up, and nobody waits for it. Each `run` looks up as many as 100 names at once,
/// under a limiter of their own: look-ups that hang do not delay other blocking work, and vice
/// versa. An abandoned look-up counts towards the 100 only when more than 400 threads of the run
/// are left behind.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); [`NotRunning`](crate::NotRunning) outside [`run`](crate::run);
/// an [`io::Error`] that names the host: the system's own, or one of the kind
/// [`NotFound`](io::ErrorKind::NotFound) if the host has no address, or of the kind
/// [`InvalidInput`](io::ErrorKind::InvalidInput) if this is not an [`Address`].
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

/// Returns the addresses, at least one. This is not a checkpoint if nothing has to be looked up.
pub(super) async fn addresses(address: &impl Address) -> Result<Cow<'_, [SocketAddr]>> {
    Aside::new().await?; // something that is not an address fails at once
    match address.named()? {
        Named::One(address) => Ok(vec![address].into()),
        Named::Several(addresses) => Ok(addresses.into()),
        Named::Host(host, port) => Ok(look_up(host, port).await?.into()),
    }
}

async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    let asked = (host.to_owned(), port);
    let asking = to_thread(move || asked.to_socket_addrs()).abandon_on_cancel(true);
    let answer = asking.limited(limiter()?, Abandoned::GivesPermitBack).await?;
    let found = answer.map(Vec::from_iter).and_then(|addresses| match addresses.is_empty() {
        true => Err(io::Error::new(io::ErrorKind::NotFound, "the host has no addresses")),
        false => Ok(addresses),
    });
    Ok(found.map_err(|error| {
        io::Error::new(error.kind(), format!("looking up `{host}:{port}`: {error}"))
    })?)
}

/// The limiter for the look-ups of the present run.
fn limiter() -> Result<CapacityLimiter> {
    LOOKUPS.with(|lookups| Ok(lookups.ok_or(NotRunning)?.0.clone()))
}
