//! Sockets of the Unix domain: as TCP, between the processes of one machine, with paths in place
//! of addresses.
//!
//! # Names
//!
//! [`UnixListener::bind`] and [`UnixStream::connect`] take the path of a file, which listening
//! makes. On Linux and Android a name that begins with a NUL byte, `"\0name"`, is abstract: it
//! belongs to no file, and goes with its last socket. An empty name, one with a NUL byte inside of a
//! path, and one that is too long (108 bytes on Linux, with the NUL at its end or beginning) are
//! errors of the kind [`InvalidInput`](std::io::ErrorKind::InvalidInput).

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
