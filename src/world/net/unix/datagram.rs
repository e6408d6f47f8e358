//! Datagrams in the Unix domain.

use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::time::Duration;

use rustix::net::{SocketAddrAny, SocketAddrUnix};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::error::{Error, Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::operation::time::sleep;
use crate::world::net::datagram::DatagramSocket;
use crate::world::net::datagram::transfer::{Takes, sending_failed};
use crate::world::net::doing::doing;
use crate::world::net::unix::{address, listener};

/// A socket for datagrams between processes on the same machine. They arrive in order, and none is
/// lost: whoever sends waits for room in the receiver's queue.
///
/// What it has in common with a [`UdpSocket`](crate::net::UdpSocket), such as
/// [`send`](DatagramSocket::send) and [`recv`](DatagramSocket::recv), and what errors mean, is
/// described at [`DatagramSocket`].
///
/// ```
/// use seedbed::net::UnixDatagram;
///
/// # let folder = std::env::temp_dir().join(format!("seedbed-datagram-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("log");
/// seedbed::run(async {
///     let log = UnixDatagram::bind(&path).await?;
///     let program = UnixDatagram::unbound()?;
///     program.send_to(b"it has begun", &path).await?;
///
///     let mut buffer = [0; 1000];
///     let (length, from) = log.recv_from(&mut buffer).await?;
///     assert_eq!(&buffer[..length], b"it has begun");
///     assert!(from.is_unnamed()); // it cannot be answered
///     Ok(())
/// })?;
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub type UnixDatagram = DatagramSocket<net::UnixDatagram>;

impl DatagramSocket<net::UnixDatagram> {
    /// Makes a socket with this [name](crate::net::unix#names), to which others can send. If it is a
    /// path, there must be no such file yet: one that an earlier program has left behind has to be
    /// removed first. The file stays when the socket is dropped, as with the standard library.
    ///
    /// This is a [checkpoint](crate::checkpoint()), but it does not wait.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); an [`io::Error`] with the name: of the kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if the name is not valid, of the kind
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) if it is taken, or that of another system call.
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> impl Future<Output = Result<UnixDatagram>> {
        placed(async move {
            checkpoint().await?;
            let path = path.as_ref();
            let bound = bind_to(path).map_err(Error::from);
            bound.map_err(doing("binding a socket to", format_args!("{path:?}")))
        })
    }

    /// Like [`bind`](Self::bind), to an address of the standard library.
    ///
    /// # Errors
    ///
    /// The same as for [`bind`](Self::bind); an unnamed address is an error of the kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) too.
    #[track_caller]
    pub fn bind_addr(address: &SocketAddr) -> impl Future<Output = Result<UnixDatagram>> {
        Self::bind(address::name_of(address))
    }

    /// Makes a socket without a name, which can send, and receive once it is connected to one that
    /// answers whoever it is connected to.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    #[track_caller]
    pub fn unbound() -> Result<UnixDatagram> {
        Ok(UnixDatagram::new(make()?.into()))
    }

    /// Makes two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    ///
    /// ```
    /// use seedbed::net::UnixDatagram;
    ///
    /// seedbed::run(async {
    ///     let (one, other) = UnixDatagram::pair()?;
    ///     one.send(b"first").await?;
    ///     one.send(b"second").await?;
    ///     let mut buffer = [0; 100];
    ///     assert_eq!(other.recv(&mut buffer).await?, 5); // not both at once
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn pair() -> Result<(UnixDatagram, UnixDatagram)> {
        let (one, other) = net::UnixDatagram::pair()?;
        Ok((UnixDatagram::from_std(one)?, UnixDatagram::from_std(other)?))
    }

    /// Connects the socket to the one with this [name](crate::net::unix#names): from now on it
    /// [sends](DatagramSocket::send) there, and receives only what comes from there. A socket can be
    /// connected again, to another one.
    ///
    /// This is a [checkpoint](crate::checkpoint()), but it does not wait.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); an [`io::Error`] with the name: of the kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if the name is not valid, of the kind
    /// [`NotFound`](io::ErrorKind::NotFound) if there is no such file, of the kind
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if nobody receives there any longer,
    /// or that of another system call.
    #[track_caller]
    pub fn connect(&self, path: impl AsRef<Path>) -> impl Future<Output = Result<()>> {
        placed(async move {
            checkpoint().await?;
            let path = path.as_ref();
            let connected = address::address(path).and_then(|to| self.options().connect(&to));
            let connected = connected.map_err(Error::from);
            connected.map_err(doing("connecting to", format_args!("{path:?}")))
        })
    }

    /// Like [`connect`](Self::connect), to an address of the standard library.
    ///
    /// # Errors
    ///
    /// The same as for [`connect`](Self::connect); an unnamed address is an error of the kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) too.
    #[track_caller]
    pub fn connect_addr(&self, address: &SocketAddr) -> impl Future<Output = Result<()>> {
        self.connect(address::name_of(address))
    }

    /// Sends a datagram to the socket with this [name](crate::net::unix#names), and waits while
    /// there is no room in its queue.
    ///
    /// Linux does not report when there is room to a socket that is not connected, so this tries
    /// again after pauses that grow from 1 to 50 milliseconds, and waiting tasks are not served in
    /// the order in which they came. To send much, [connect](Self::connect) the socket.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been sent; an [`io::Error`] with the name:
    /// the same as for [`connect`](Self::connect) and [`send`](DatagramSocket::send).
    #[track_caller]
    pub fn send_to(
        &self,
        datagram: &[u8],
        path: impl AsRef<Path>,
    ) -> impl Future<Output = Result<()>> {
        placed(async move {
            checkpoint().await?;
            let path = path.as_ref();
            let sent = match address::address(path) {
                Ok(address) => self.send_to_address(datagram, &address).await,
                Err(error) => Err(error.into()),
            };
            sent.map_err(doing("sending to", format_args!("{path:?}")))
        })
    }

    /// Like [`send_to`](Self::send_to), to an address of the standard library, such as the one that
    /// [`recv_from`](Self::recv_from) returns.
    ///
    /// # Errors
    ///
    /// The same as for [`send_to`](Self::send_to); an unnamed address is an error of the kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) too.
    #[track_caller]
    pub fn send_to_addr(
        &self,
        datagram: &[u8],
        address: &SocketAddr,
    ) -> impl Future<Output = Result<()>> {
        self.send_to(datagram, address::name_of(address))
    }

    async fn send_to_address(&self, datagram: &[u8], address: &SockAddr) -> Result<()> {
        const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];
        let [mut pause, longest] = PAUSES;
        loop {
            match self.options().send_to(datagram, address) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    sleep(pause).await?;
                    pause = longest.min(pause * 2);
                }
                Err(error) => return Err(sending_failed(error, datagram).into()),
            }
        }
    }

    /// Waits for a datagram, and returns its length and the address it comes from, which is unnamed
    /// if its sender was not bound. See [`recv`](Self::recv).
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](Self::recv).
    #[track_caller]
    pub fn recv_from(
        &self,
        buffer: &mut [u8],
    ) -> impl Future<Output = Result<(usize, SocketAddr)>> {
        self.receive_from(buffer, Takes::It, sender)
    }

    /// Like [`recv_from`](Self::recv_from), but leaves the datagram in the queue, also if it does
    /// not fit.
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](Self::recv).
    #[track_caller]
    pub fn peek_from(
        &self,
        buffer: &mut [u8],
    ) -> impl Future<Output = Result<(usize, SocketAddr)>> {
        self.receive_from(buffer, Takes::Nothing, sender)
    }

    /// The address of the socket, if it has one.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call, as for all methods that follow.
    #[track_caller]
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.registration().source().local_addr()?)
    }

    /// The address of the peer that the socket is connected to, if that has one.
    #[track_caller]
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        Ok(self.registration().source().peer_addr()?)
    }

    /// Ends one direction, or both: after `Shutdown::Write` the peer of a connected socket receives
    /// what is in its queue, and then datagrams of length 0.
    #[track_caller]
    pub fn shutdown(&self, how: Shutdown) -> Result<()> {
        Ok(self.registration().source().shutdown(how)?)
    }
}

fn make() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn bind_to(path: &Path) -> io::Result<UnixDatagram> {
    let address = address::address(path)?;
    let socket = make()?;
    listener::bind(&socket, &address)?;
    Ok(UnixDatagram::new(socket.into()))
}

/// The address of a sender, in the standard library's form.
fn sender(address: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
    let Some(address) = address else { return unnamed() };
    let address = SocketAddrUnix::try_from(address)?;
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;

    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = address.abstract_name() {
        return SocketAddr::from_abstract_name(name);
    }
    match address.path_bytes() {
        Some(path) => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path)),
        None => unnamed(),
    }
}

/// An empty path is what the standard library makes an unnamed address of.
fn unnamed() -> io::Result<SocketAddr> {
    SocketAddr::from_pathname("")
}
