//! The addresses of sockets of which only the numbers of the descriptors are known.
//!
//! # Invariants
//!
//! 1. The descriptors are open: each is registered with the reactor, and a source is deregistered
//!    before it is closed. No foreign code runs in here that could close one. (If an `AsyncFd` names
//!    another descriptor than before, the worst is an error of the system, or the address of another
//!    socket.)

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use rustix::net::{SocketAddrAny, SocketAddrUnix, getpeername, getsockname, sockopt};

use crate::world::seen::{Address, Ends, Seen};

/// Finds out what the ends of these sources are, as far as they are sockets.
pub(crate) fn look_up(sources: &mut [Seen]) {
    for source in sources {
        // -1 is what no descriptor is.
        if let Some(number) = source.descriptor.filter(|&number| number >= 0) {
            // SAFETY: invariant 1.
            source.ends = ends_of(unsafe { BorrowedFd::borrow_raw(number) });
        }
    }
}

fn ends_of(descriptor: BorrowedFd<'_>) -> Ends {
    let Ok(Some(local)) = getsockname(descriptor).map(address) else { return Ends::Unknown };
    match getpeername(descriptor) {
        Ok(peer) => Ends::Socket(local, peer.and_then(address)),
        Err(_) if sockopt::socket_acceptconn(descriptor) == Ok(true) => Ends::Listening(local),
        Err(_) => Ends::Socket(local, None),
    }
}

fn address(address: SocketAddrAny) -> Option<Address> {
    if let Ok(address) = SocketAddr::try_from(address.clone()) {
        return Some(Address::Internet(address));
    }
    let name = SocketAddrUnix::try_from(address).ok()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(Address::Unix(match (name.abstract_name(), name.path_bytes()) {
        (Some(name), _) if !name.is_empty() => format!("@{}", text(name)),
        (_, Some(path)) => text(path),
        (_, None) => String::new(),
    }))
}
