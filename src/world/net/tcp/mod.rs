//! TCP.
//!
//! | file | concept |
//! |---|---|
//! | `stream` | a connection and its options |
//! | `listener` | accepting connections |
//! | `socket` | a socket before it connects or listens |
//! | `connect` | connecting to an address, or to the first of several that answers |
//! | `connect_failed` | what went wrong if none of them did |
//! | `bind` | listening on an address |

mod bind;
mod connect;
mod connect_failed;
mod listener;
mod socket;
mod stream;

use std::net;

pub use connect_failed::ConnectFailed;
pub use listener::TcpListener;
pub use socket::TcpSocket;
pub use stream::TcpStream;

/// The half of a [`TcpStream`] that reads, borrowed.
pub type ReadHalf<'a> = super::ReadHalf<'a, net::TcpStream>;
/// The half of a [`TcpStream`] that writes, borrowed.
pub type WriteHalf<'a> = super::WriteHalf<'a, net::TcpStream>;
/// The half of a [`TcpStream`] that reads, owned.
pub type OwnedReadHalf = super::OwnedReadHalf<net::TcpStream>;
/// The half of a [`TcpStream`] that writes, owned.
pub type OwnedWriteHalf = super::OwnedWriteHalf<net::TcpStream>;
