//! What there is to see of the sources of news that are registered with the reactor of a run:
//! sockets, pipes and other descriptors for which something has waited.

use std::fmt;
use std::net::SocketAddr;

use crate::schedule::ids::UnitId;
use crate::schedule::units::parked::What;
#[cfg(not(loom))]
use crate::world::reactor::REACTOR;

/// A source.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The number of its descriptor, where the system tells.
    pub(crate) descriptor: Option<i32>,
    pub(crate) ends: Ends,
    pub(crate) opened: Opened,
    pub(crate) waits: Vec<Waits>,
}

/// The ends of a source.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Ends {
    /// It is no socket, or that is not known.
    Unknown,
    /// A socket that listens here.
    Listening(Address),
    /// A socket, its own address and its peer's.
    Socket(Address, Option<Address>),
}

/// Who has opened a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Opened {
    ByPeer,
    /// This program, or it is no connection.
    Here,
}

/// The address of a socket.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Address {
    Internet(SocketAddr),
    /// A path, `@` and an abstract name, or nothing.
    Unix(String),
}

impl Ends {
    /// Whether both are nameless, as those of a pair of sockets are that a program has made.
    pub(crate) fn are_pair(&self) -> bool {
        let is_unnamed = |address: &Address| *address == Address::Unix(String::new());
        matches!(self, Ends::Socket(one, Some(other)) if is_unnamed(one) && is_unnamed(other))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Internet(address) => address.fmt(f),
            Address::Unix(name) if name.is_empty() => f.write_str("an unnamed Unix socket"),
            Address::Unix(name) => f.write_str(name),
        }
    }
}

/// An operation that waits for news of a source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    pub(crate) what: What,
    /// The unit that waits, if it does so with a waker of its own.
    pub(crate) unit: Option<UnitId>,
}

/// The sources of the present run. A model has none.
#[cfg(loom)]
pub(crate) fn seen() -> Option<Vec<Seen>> {
    Some(Vec::new())
}

/// The sources of the present run, if they can be looked at.
#[cfg(not(loom))]
pub(crate) fn seen() -> Option<Vec<Seen>> {
    let seen = REACTOR.with(|reactor| reactor.map_or(Some(Vec::new()), |reactor| reactor.seen()));
    #[cfg(all(any(target_os = "linux", target_os = "android"), feature = "net"))]
    let seen = seen.map(|mut seen| {
        crate::world::net::ends::look_up(&mut seen);
        seen
    });
    seen
}
