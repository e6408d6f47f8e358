//! Where a request comes from.

/// The address of a client, in the extensions of its requests. A [server](crate::hyper::Server)
/// puts it there if [asked](crate::hyper::Server::with_peers) to.
///
/// ```
/// use seedbed::hyper::{Peer, Request, body::Incoming};
/// use std::net::SocketAddr;
///
/// fn is_local(request: &Request<Incoming>) -> bool {
///     let peer = request.extensions().get::<Peer<SocketAddr>>();
///     peer.is_some_and(|Peer(address)| address.ip().is_loopback())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer<A>(pub A);
