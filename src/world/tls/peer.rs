//! What errors call the other end.

use std::fmt;
use std::net::SocketAddr;

use rustls::pki_types::ServerName;

use crate::platform::downcast::downcast;
use crate::world::net::TcpStream;

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(super) enum Peer {
    /// The name that its certificate has to be for.
    Server(ServerName<'static>),
    At(SocketAddr),
    /// A client of which the stream does not say where it is.
    Client,
}

impl Peer {
    /// The client at the other end of this stream.
    pub(super) fn client_of<S>(stream: &S) -> Peer {
        let address = downcast::<S, TcpStream>(stream).and_then(|tcp| tcp.peer_addr().ok());
        address.map_or(Peer::Client, Peer::At)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Server(name) => write!(f, "`{}`", name.to_str()),
            Peer::At(address) => write!(f, "{address}"),
            Peer::Client => f.write_str("a client"),
        }
    }
}
