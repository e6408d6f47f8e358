//! What names one end of a connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::{Error, Result};

/// An IP address with a port, or what is one when it is written out: `"127.0.0.1:7000"`,
/// `"[::1]:7000"`, `("127.0.0.1", 7000)`.
///
/// Not a name: looking one up would block the thread. [`std::net::ToSocketAddrs`] does, on a
/// thread where that does not matter.
///
/// # Errors
///
/// What takes an address fails with an [`io::Error`] of the kind
/// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is given text that is not one.
///
/// ```
/// use seedbed::net::TcpStream;
/// use std::io;
///
/// let error = seedbed::run(TcpStream::connect("example.org:80")).unwrap_err();
/// assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::InvalidInput);
/// ```
pub trait Address: sealed::Sealed {}

impl<A: sealed::Sealed + ?Sized> Address for A {}

pub(super) mod sealed {
    use std::net::SocketAddr;

    pub trait Sealed {
        fn socket_addr(&self) -> crate::Result<SocketAddr>;
    }
}

macro_rules! plain {
    ($($kind:ty),*) => {$(
        impl sealed::Sealed for $kind {
            fn socket_addr(&self) -> Result<SocketAddr> {
                Ok((*self).into())
            }
        }
    )*};
}

plain!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl sealed::Sealed for str {
    fn socket_addr(&self) -> Result<SocketAddr> {
        self.parse().map_err(|_| not_an_address(self, "127.0.0.1:7000"))
    }
}

impl sealed::Sealed for String {
    fn socket_addr(&self) -> Result<SocketAddr> {
        self.as_str().socket_addr()
    }
}

impl sealed::Sealed for (&str, u16) {
    fn socket_addr(&self) -> Result<SocketAddr> {
        let (host, port) = *self;
        let host: IpAddr = host.parse().map_err(|_| not_an_address(host, "127.0.0.1"))?;
        Ok((host, port).into())
    }
}

impl sealed::Sealed for (String, u16) {
    fn socket_addr(&self) -> Result<SocketAddr> {
        (self.0.as_str(), self.1).socket_addr()
    }
}

impl<A: sealed::Sealed + ?Sized> sealed::Sealed for &A {
    fn socket_addr(&self) -> Result<SocketAddr> {
        (**self).socket_addr()
    }
}

fn not_an_address(text: &str, example: &str) -> Error {
    Error::from(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "`{text}` is not an IP address as in `{example}`; names are not looked up yet, \
             `std::net::ToSocketAddrs` does it where a thread may block"
        ),
    ))
}
