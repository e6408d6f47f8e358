//! Sockets in the Unix domain: like those of TCP and UDP, but between processes on one machine, and
//! with paths instead of addresses.
//!
//! # Names
//!
//! [`UnixListener::bind`], [`UnixDatagram::bind`] and whatever connects or sends to these take the
//! path of a file, which binding creates. On Linux and Android a name that begins with a NUL byte,
//! such as `"\0name"`, is abstract: it belongs to no file, and disappears with its socket. An empty
//! name, a path with a NUL byte in it, and a name that is too long (on Linux a path has at most 107
//! bytes, and an abstract name 108 including its NUL) are errors of the kind
//! [`InvalidInput`](std::io::ErrorKind::InvalidInput).
//!
//! # Descriptors and credentials
//!
//! On Linux and Android a process can pass open files, sockets and the like to another one:
//! `send_with_descriptors` and `recv_with_descriptors`, of a [`UnixStream`] and of a
//! [`UnixDatagram`]. `UnixStream::peer_credentials` tells who is at the other end.
//!
//! | file | concept |
//! |---|---|
//! | `stream`, `listener` | connections |
//! | `datagram` | datagrams |
//! | `address` | names |
//! | `passing` | passing descriptors |
//! | `credentials` | who is at the other end |

mod address;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod credentials;
mod datagram;
mod listener;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod passing;
mod stream;

use std::os::unix::net;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub use credentials::Credentials;
pub use datagram::UnixDatagram;
pub use listener::UnixListener;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use passing::{DescriptorsLost, WithDescriptors};
pub use stream::UnixStream;

/// The half of a [`UnixStream`] that reads, borrowed.
pub type ReadHalf<'a> = super::ReadHalf<'a, net::UnixStream>;
/// The half of a [`UnixStream`] that writes, borrowed.
pub type WriteHalf<'a> = super::WriteHalf<'a, net::UnixStream>;
/// The half of a [`UnixStream`] that reads, owned.
pub type OwnedReadHalf = super::OwnedReadHalf<net::UnixStream>;
/// The half of a [`UnixStream`] that writes, owned.
pub type OwnedWriteHalf = super::OwnedWriteHalf<net::UnixStream>;
