//! Where the page can be opened.

use std::net::{self, SocketAddr};
use std::os::unix;

use crate::error::Result;
use crate::world::net::{TcpListener, UnixListener};

/// A listener for the [page](crate::inspect::Server), of either kind: made from a
/// [`TcpListener`](crate::net::TcpListener) or a [`UnixListener`](crate::net::UnixListener).
#[derive(Debug)]
pub struct Listening(Of);

#[derive(Debug)]
enum Of {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A listener on its way to another run.
pub(super) enum Opened {
    Tcp(net::TcpListener),
    Unix(unix::net::UnixListener),
}

impl Listening {
    /// The address that other machines may reach it at, if there is one.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call.
    pub(super) fn reached_at(&self) -> Result<Option<SocketAddr>> {
        let Of::Tcp(listener) = &self.0 else { return Ok(None) };
        let address = listener.local_addr()?;
        let is_here = address.ip().to_canonical().is_loopback();
        Ok((!is_here).then_some(address))
    }

    pub(super) fn open(self) -> Opened {
        match self.0 {
            Of::Tcp(listener) => Opened::Tcp(listener.into_std()),
            Of::Unix(listener) => Opened::Unix(listener.into_std()),
        }
    }
}

impl From<TcpListener> for Listening {
    fn from(listener: TcpListener) -> Listening {
        Listening(Of::Tcp(listener))
    }
}

impl From<UnixListener> for Listening {
    fn from(listener: UnixListener) -> Listening {
        Listening(Of::Unix(listener))
    }
}
