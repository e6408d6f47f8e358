//! TCP.

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
