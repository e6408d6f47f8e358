//! Sockets of the Unix domain: as TCP, between the processes of one machine, with paths in place
//! of addresses.

mod listener;
mod stream;

use std::os::unix::net;

pub use listener::UnixListener;
pub use stream::UnixStream;

/// The half of a [`UnixStream`] that reads, borrowed.
pub type ReadHalf<'a> = super::ReadHalf<'a, net::UnixStream>;
/// The half of a [`UnixStream`] that writes, borrowed.
pub type WriteHalf<'a> = super::WriteHalf<'a, net::UnixStream>;
/// The half of a [`UnixStream`] that reads, owned.
pub type OwnedReadHalf = super::OwnedReadHalf<net::UnixStream>;
/// The half of a [`UnixStream`] that writes, owned.
pub type OwnedWriteHalf = super::OwnedWriteHalf<net::UnixStream>;
