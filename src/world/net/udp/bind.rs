//! Making a UDP socket, and giving it an address.

use std::future::Future;
use std::net::{self, SocketAddr};
use std::panic::Location;

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::{Error, Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::world::net::address::{self, Address};
use crate::world::net::datagram::DatagramSocket;
use crate::world::net::doing::doing;
use crate::world::net::names;
use crate::world::net::udp::UdpSocket;

impl DatagramSocket<net::UdpSocket> {
    /// Makes a socket that is bound to this address. With port 0 the system chooses a port, which
    /// [`local_addr`](Self::local_addr) returns; `"0.0.0.0:0"` and `"[::]:0"` are for a client.
    ///
    /// A name is [looked up](crate::net::lookup_host). If there are several addresses, only the
    /// first one that can be bound to is used. To set options beforehand, begin with
    /// [`v4`](Self::v4) or [`v6`](Self::v6).
    ///
    /// This is a [checkpoint](crate::checkpoint()), which waits only for a name.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); an [`io::Error`](std::io::Error): of the kind
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) if this is not an [`Address`]; that of
    /// [`lookup_host`](crate::net::lookup_host); that of a system call, with the address, for the
    /// last address if there were several.
    #[track_caller]
    pub fn bind(address: impl Address) -> impl Future<Output = Result<UdpSocket>> {
        placed(async move {
            checkpoint().await?;
            let bound = |address: SocketAddr| {
                let made = make(Domain::for_address(address));
                let socket = made.map_err(doing("binding a socket to", address))?;
                socket.give_address(address)?;
                Ok(socket)
            };
            let addresses = names::addresses(&address).await?;
            let (last, others) = addresses.split_last().expect("there is at least one");
            match others.iter().find_map(|address| bound(*address).ok()) {
                Some(socket) => Ok(socket),
                None => bound(*last),
            }
        })
    }

    /// Makes a socket for IPv4 without an address, so that options can be set before it is
    /// [bound](Self::bind_to). If it sends before, the system chooses a port.
    ///
    /// Several receivers of the same multicast group need this:
    ///
    /// ```
    /// use seedbed::net::UdpSocket;
    ///
    /// let first = UdpSocket::v4()?;
    /// first.set_reuse_address(true)?;
    /// first.bind_to("0.0.0.0:0")?;
    /// let second = UdpSocket::v4()?;
    /// second.set_reuse_address(true)?;
    /// second.bind_to(first.local_addr()?)?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call.
    #[track_caller]
    pub fn v4() -> Result<UdpSocket> {
        make(Domain::IPV4)
    }

    /// The same for IPv6.
    ///
    /// # Errors
    ///
    /// The [`io::Error`](std::io::Error) of the system call.
    #[track_caller]
    pub fn v6() -> Result<UdpSocket> {
        make(Domain::IPV6)
    }

    /// Binds a socket to a local address.
    ///
    /// # Errors
    ///
    /// An [`io::Error`](std::io::Error) of the kind
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) if this is not exactly one numeric
    /// [`Address`], because a socket belongs to one family and nothing is looked up here; that of
    /// the system call, with the address.
    #[track_caller]
    pub fn bind_to(&self, address: impl Address) -> Result<()> {
        let place = Location::caller();
        let bound = address::one(&address).and_then(|address| self.give_address(address));
        bound.map_err(|error| error.at(place))
    }

    fn give_address(&self, address: SocketAddr) -> Result<()> {
        let bound = self.options().bind(&address.into());
        bound.map_err(Error::from).map_err(doing("binding a socket to", address))
    }
}

#[track_caller]
fn make(domain: Domain) -> Result<UdpSocket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    Ok(UdpSocket::new(socket.into()))
}
