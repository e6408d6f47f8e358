//! Sockets in the Unix domain: like TCP, but between processes on one machine, and with paths
//! instead of addresses.
//!
//! # Names
//!
//! [`UnixListener::bind`] and [`UnixStream::connect`] take the path of a file, which listening
//! creates. On Linux and Android a name that begins with a NUL byte, such as `"\0name"`, is
//! abstract: it belongs to no file, and disappears with its socket. An empty name, a path with a
//! NUL byte in it, and a name that is too long (on Linux a path has at most 107 bytes, and an
//! abstract name 108 including its NUL) are errors of the kind
//! [`InvalidInput`](std::io::ErrorKind::InvalidInput).

mod address;
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
