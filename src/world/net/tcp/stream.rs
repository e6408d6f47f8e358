//! A TCP connection and its options.

use std::io;
use std::net::{self, SocketAddr};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use crate::error::Result;
use crate::world::net::stream::SocketStream;
use crate::world::reactor::verb;

/// A TCP connection.
///
/// Reading and writing are described at [`SocketStream`], because they are the same for a
/// [`UnixStream`](crate::net::UnixStream).
///
/// ```
/// use seedbed::net::{TcpListener, TcpStream};
///
/// seedbed::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let client = TcpStream::connect(listener.local_addr()?).await?;
///     let (server, _) = listener.accept().await?;
///
///     server.write_all(b"hello").await?;
///     let mut buffer = [0; 5];
///     client.read_exact(&mut buffer).await?;
///     assert_eq!(&buffer, b"hello");
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub type TcpStream = SocketStream<net::TcpStream>;

impl SocketStream<net::TcpStream> {
    /// Like [`read`](Self::read), but the bytes can be read again. This is a
    /// [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// The same as for [`read`](Self::read).
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> impl Future<Output = Result<usize>> {
        self.registration().operate(verb::Peek, |io| io.source().peek(buffer))
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call, as for all methods that follow.
    #[track_caller]
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.socket().local_addr()?)
    }

    /// The address of the peer.
    #[track_caller]
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        Ok(self.socket().peer_addr()?)
    }

    /// Takes the error that the system has in store for the next operation, if there is one
    /// (`SO_ERROR`).
    #[track_caller]
    pub fn take_error(&self) -> Result<Option<io::Error>> {
        Ok(self.socket().take_error()?)
    }

    /// Whether even small writes are sent at once (`TCP_NODELAY`). By default they are not.
    #[track_caller]
    pub fn nodelay(&self) -> Result<bool> {
        Ok(self.socket().nodelay()?)
    }

    /// Sets what [`nodelay`](Self::nodelay) returns.
    #[track_caller]
    pub fn set_nodelay(&self, nodelay: bool) -> Result<()> {
        Ok(self.socket().set_nodelay(nodelay)?)
    }

    /// How long the peer may be silent before the system begins to ask whether it is still there
    /// (`SO_KEEPALIVE`, `TCP_KEEPIDLE`); `None`, the default, if it does not ask.
    #[track_caller]
    pub fn keepalive(&self) -> Result<Option<Duration>> {
        let socket = SockRef::from(self);
        Ok(if socket.keepalive()? { Some(socket.tcp_keepalive_time()?) } else { None })
    }

    /// Sets what [`keepalive`](Self::keepalive) returns.
    #[track_caller]
    pub fn set_keepalive(&self, silence: Option<Duration>) -> Result<()> {
        let socket = SockRef::from(self);
        match silence {
            // This also turns it on.
            Some(silence) => socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(silence))?,
            None => socket.set_keepalive(false)?,
        }
        Ok(())
    }

    /// What closing does with bytes that the peer has not received yet (`SO_LINGER`): with `None`,
    /// the default, the system goes on sending them.
    #[track_caller]
    pub fn linger(&self) -> Result<Option<Duration>> {
        Ok(SockRef::from(self).linger()?)
    }

    /// Sets what [`linger`](Self::linger) returns. With zero, dropping the stream discards what has
    /// not been sent, and resets the connection. With any other duration, dropping it blocks the
    /// whole thread for up to that long; [`close`](Self::close) waits for the peer without
    /// blocking.
    #[track_caller]
    pub fn set_linger(&self, linger: Option<Duration>) -> Result<()> {
        Ok(SockRef::from(self).set_linger(linger)?)
    }

    /// How many routers a packet may pass (`IP_TTL`).
    #[track_caller]
    pub fn ttl(&self) -> Result<u32> {
        Ok(self.socket().ttl()?)
    }

    /// Sets what [`ttl`](Self::ttl) returns.
    #[track_caller]
    pub fn set_ttl(&self, ttl: u32) -> Result<()> {
        Ok(self.socket().set_ttl(ttl)?)
    }

    /// How many bytes the system keeps that were received but not yet read (`SO_RCVBUF`).
    #[track_caller]
    pub fn receive_buffer_size(&self) -> Result<usize> {
        Ok(SockRef::from(self).recv_buffer_size()?)
    }

    /// Sets what [`receive_buffer_size`](Self::receive_buffer_size) returns. Linux doubles the
    /// number.
    #[track_caller]
    pub fn set_receive_buffer_size(&self, bytes: usize) -> Result<()> {
        Ok(SockRef::from(self).set_recv_buffer_size(bytes)?)
    }

    /// How many bytes the system keeps that were written but not yet received by the peer
    /// (`SO_SNDBUF`).
    #[track_caller]
    pub fn send_buffer_size(&self) -> Result<usize> {
        Ok(SockRef::from(self).send_buffer_size()?)
    }

    /// Sets what [`send_buffer_size`](Self::send_buffer_size) returns. Linux doubles the number.
    #[track_caller]
    pub fn set_send_buffer_size(&self, bytes: usize) -> Result<()> {
        Ok(SockRef::from(self).set_send_buffer_size(bytes)?)
    }

    fn socket(&self) -> &net::TcpStream {
        self.registration().source()
    }
}
