//! Addresses: the names of one end of a connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::error::{Error, Result};

/// One end of a connection:
///
/// * an IP address with a port, or the text of one: `"127.0.0.1:7000"`, `"[::1]:7000"`,
///   `("127.0.0.1", 7000)`;
/// * a host's name with a port: `"example.org:80"`, `("example.org", 80)`. It is
///   [looked up](super::lookup_host) on another thread;
/// * several addresses, in a `Vec`, an array or a slice: whichever of them works.
///
/// # Errors
///
/// A function that takes an address fails with an [`io::Error`] of the kind
/// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is given text that is neither an address nor
/// a name, or an empty list.
///
/// ```
/// use seedbed::net::TcpStream;
/// use std::io;
///
/// let error = seedbed::run(TcpStream::connect("example.org")).unwrap_err(); // no port
/// assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::InvalidInput);
/// ```
pub trait Address: sealed::Sealed {}

impl<A: sealed::Sealed + ?Sized> Address for A {}

pub(super) mod sealed {
    use std::net::SocketAddr;

    pub trait Sealed {
        fn named(&self) -> crate::error::Result<Named<'_>>;
    }

    /// The contents of an address.
    pub enum Named<'a> {
        One(SocketAddr),
        Several(&'a [SocketAddr]),
        /// A host's name, and a port.
        Host(&'a str, u16),
    }
}

use sealed::Named;

/// The address, for callers that take only one and look nothing up.
pub(super) fn one(address: &impl Address) -> Result<SocketAddr> {
    match address.named()? {
        Named::One(address) | Named::Several(&[address]) => Ok(address),
        Named::Several(addresses) => {
            Err(invalid(format!("expected one address, got {}", addresses.len())))
        }
        Named::Host(host, _) => Err(invalid(format!(
            "`{host}` is not an IP address, and names are not looked up here: \
             use one of the addresses that `seedbed::net::lookup_host` returns"
        ))),
    }
}

pub(super) fn invalid(text: String) -> Error {
    io::Error::new(io::ErrorKind::InvalidInput, text).into()
}

macro_rules! plain {
    ($($kind:ty),*) => {$(
        impl sealed::Sealed for $kind {
            fn named(&self) -> Result<Named<'_>> {
                Ok(Named::One((*self).into()))
            }
        }
    )*};
}

plain!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl sealed::Sealed for [SocketAddr] {
    fn named(&self) -> Result<Named<'_>> {
        match self {
            [] => Err(invalid("the list of addresses is empty".into())),
            addresses => Ok(Named::Several(addresses)),
        }
    }
}

impl<const N: usize> sealed::Sealed for [SocketAddr; N] {
    fn named(&self) -> Result<Named<'_>> {
        self.as_slice().named()
    }
}

impl sealed::Sealed for Vec<SocketAddr> {
    fn named(&self) -> Result<Named<'_>> {
        self.as_slice().named()
    }
}

impl sealed::Sealed for str {
    fn named(&self) -> Result<Named<'_>> {
        if let Ok(address) = self.parse() {
            return Ok(Named::One(address));
        }
        let wrong = || {
            invalid(format!(
                "`{self}` is not an address: expected a host and a port, \
                 such as `127.0.0.1:7000`, `[::1]:7000` or `example.org:7000`"
            ))
        };
        let (host, port) = self.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        // In brackets, it is an address whose zone has a name, which the system knows.
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match bare {
            Some(host) => Ok(Named::Host(host, port)),
            None if host.is_empty() || host.contains(':') => Err(wrong()),
            None => Ok(Named::Host(host, port)),
        }
    }
}

impl sealed::Sealed for String {
    fn named(&self) -> Result<Named<'_>> {
        self.as_str().named()
    }
}

impl sealed::Sealed for (&str, u16) {
    fn named(&self) -> Result<Named<'_>> {
        named(self.0, self.1)
    }
}

impl sealed::Sealed for (String, u16) {
    fn named(&self) -> Result<Named<'_>> {
        named(&self.0, self.1)
    }
}

fn named(host: &str, port: u16) -> Result<Named<'_>> {
    match host.parse::<IpAddr>() {
        Ok(host) => Ok(Named::One((host, port).into())),
        Err(_) if host.is_empty() => Err(invalid("the name of the host is empty".into())),
        Err(_) => Ok(Named::Host(host, port)),
    }
}

impl<A: sealed::Sealed + ?Sized> sealed::Sealed for &A {
    fn named(&self) -> Result<Named<'_>> {
        (**self).named()
    }
}
