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
use crate::world::net::doing::doing;
use crate::world::net::resolver::{Resolver, ask};

/// How many names a `run` looks up at once.
const MOST_LOOKUPS: usize = 100;

/// How a run looks names up.
pub(crate) struct Lookups {
    /// The limiter for the look-ups by the system, all of which may hang at once.
    limiter: CapacityLimiter,
    /// What is asked instead of the system.
    resolver: Option<Resolver>,
}

impl Lookups {
    pub(crate) fn new(resolver: Option<Resolver>) -> Self {
        Lookups { limiter: CapacityLimiter::new(MOST_LOOKUPS), resolver }
    }
}

part! {
    /// How the present run looks names up.
    pub(crate) const LOOKUPS: Lookups;
}

/// Looks up a host's addresses, in the order in which the system recommends trying them. A numeric
/// address is returned as it is. This is Trio's `socket.getaddrinfo`, and a
/// [checkpoint](crate::checkpoint()).
///
/// [`TcpStream::connect`](super::TcpStream::connect) and
/// [`TcpListener::bind`](super::TcpListener::bind) do this themselves.
///
/// The system is asked, as by [`system_lookup`], or whatever was given to
/// [`Builder::resolver`](crate::Builder::resolver).
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
    let resolver = LOOKUPS.with(|lookups| Some(lookups?.resolver.clone())).ok_or(NotRunning)?;
    let found = match resolver {
        Some(resolver) => ask(&*resolver, host, port).await,
        None => by_system(host, port).await,
    };
    let found = found.and_then(|addresses| match addresses.is_empty() {
        true => Err(io::Error::new(io::ErrorKind::NotFound, "the host has no addresses").into()),
        false => Ok(addresses),
    });
    found.map_err(doing("looking up", format_args!("`{host}:{port}`")))
}

/// Looks up a host's addresses with the system, in the order in which it recommends trying them.
/// This is what [`lookup_host`] does, unless there is a
/// [`Builder::resolver`](crate::Builder::resolver), which may use this. It is a
/// [checkpoint](crate::checkpoint()).
///
/// The system (`getaddrinfo`) knows its files, services and caches, but offers no way to ask
/// without blocking. So it runs in a thread ([`to_thread`]), which is
/// [abandoned](crate::ToThread::abandon_on_cancel) on cancellation: the thread is busy until the
/// system gives up, and nobody waits for it. Each `run` looks up as many as 100 names at once,
/// under a limiter of their own: look-ups that hang do not delay other blocking work, and vice
/// versa. An abandoned look-up counts towards the 100 only when more than 400 threads of the run
/// are left behind.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); [`NotRunning`](crate::NotRunning) outside [`run`](crate::run);
/// the system's [`io::Error`], which does not name the host.
///
/// ```
/// use seedbed::net::system_lookup;
///
/// seedbed::run(async {
///     let addresses = system_lookup("localhost", 80).await?;
///     assert!(addresses.iter().all(|address| address.ip().is_loopback()));
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn system_lookup(host: &str, port: u16) -> impl Future<Output = Result<Vec<SocketAddr>>> {
    placed(by_system(host, port))
}

async fn by_system(host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    let asked = (host.to_owned(), port);
    let asking = to_thread(move || asked.to_socket_addrs()).abandon_on_cancel(true);
    let answer = asking.limited(limiter()?, Abandoned::GivesPermitBack).await?;
    Ok(answer?.collect())
}

/// The limiter for the system's look-ups of the present run.
fn limiter() -> Result<CapacityLimiter> {
    LOOKUPS.with(|lookups| Ok(lookups.ok_or(NotRunning)?.limiter.clone()))
}
