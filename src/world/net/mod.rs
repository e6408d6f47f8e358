//! The network: TCP, UDP, and sockets of the Unix domain. This needs the feature `net`, which is on
//! by default.
//!
//! Everything here can be made and kept outside [`run`](crate::run), and can move from one `run` on
//! a thread to the next. Operations take a stream by `&`, so two tasks can borrow the same stream,
//! one to read from it and the other to write to it:
//!
//! ```
//! use seedbed::net::{TcpListener, TcpStream};
//! use seedbed::nursery;
//! use std::net::Shutdown;
//!
//! seedbed::run(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let client = TcpStream::connect(listener.local_addr()?).await?;
//!     let (server, _) = listener.accept().await?;
//!     let sent = vec![7; 1 << 20]; // more than fits into the buffers between the two
//!     let mut received = Vec::new();
//!     nursery(async |n| {
//!         n.spawn(async { // the server sends back what it receives
//!             let mut buffer = [0; 4096];
//!             loop {
//!                 match server.read(&mut buffer).await? {
//!                     0 => return server.shutdown(Shutdown::Write),
//!                     n => server.write_all(&buffer[..n]).await?,
//!                 }
//!             }
//!         });
//!         n.spawn(async {
//!             client.write_all(&sent).await?;
//!             client.shutdown(Shutdown::Write)
//!         });
//!         client.read_to_end(&mut received).await?;
//!         Ok(())
//!     })
//!     .await?;
//!     assert_eq!(received, sent);
//!     Ok(())
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # Cancellation
//!
//! Every method that returns a future is a [checkpoint](crate::checkpoint()). A read, a write, an
//! accept, or the sending or receiving of a datagram has either happened or failed with
//! [`Cancelled`](crate::Cancelled), never both: no byte, no datagram and no connection is lost, even
//! if the future is dropped. Methods that take several reads or
//! writes, such as `read_exact` and `write_all`, cannot promise this, and say so.
//!
//! # Errors
//!
//! An error knows where in the program the operation was [called](crate::Error::place); an error of
//! binding, listening or connecting also names the address. Writing to a peer that has gone fails
//! with an error of the kind [`BrokenPipe`](std::io::ErrorKind::BrokenPipe), and never raises
//! `SIGPIPE`.
//!
//! # Datagrams
//!
//! [`UdpSocket`] and [`UnixDatagram`] send and receive them. One that is longer than the buffer is an
//! [error](Truncated). What a peer has refused becomes known with a later call, and
//! [never ends the socket](DatagramSocket#errors-that-concern-an-earlier-datagram).
//!
//! # How a connection ends
//!
//! * [`shutdown`](SocketStream::shutdown)`(Shutdown::Write)` ends one direction. The peer reads to
//!   the end, and can still write.
//! * [`close`](SocketStream::close) does that, and then waits for the peer to end its direction
//!   too, for at most 2 seconds, so that what was written is not cut off. A [server](crate::Server)
//!   does the same for the streams that its handlers drop.
//! * Dropping a stream leaves the end to the kernel, which resets the connection if there is input
//!   that nobody has read.
//! * Dropping a TCP stream after [`set_linger`](TcpStream::set_linger)`(Some(Duration::ZERO))`
//!   resets the connection.
//!
//! With these a proxy can pass on how each of its sides ends:
//!
//! ```
//! use seedbed::net::TcpStream;
//! use seedbed::{Result, nursery};
//! use std::net::Shutdown;
//! use std::time::Duration;
//!
//! /// Passes on one direction, including its end.
//! async fn pass_on(from: &TcpStream, to: &TcpStream) -> Result<()> {
//!     let mut buffer = vec![0; 16 * 1024];
//!     loop {
//!         match from.read(&mut buffer).await? {
//!             0 => return to.shutdown(Shutdown::Write), // the other direction goes on
//!             n => to.write_all(&buffer[..n]).await?,
//!         }
//!     }
//! }
//!
//! /// Passes on both directions, until both have ended or one of the connections breaks.
//! async fn proxy(client: TcpStream, server: TcpStream) -> Result<()> {
//!     let outcome = nursery(async |n| {
//!         n.spawn(pass_on(&client, &server));
//!         n.spawn(pass_on(&server, &client));
//!         Ok(())
//!     })
//!     .await;
//!     if outcome.is_err() {
//!         // Neither side should take this for an orderly end.
//!         client.set_linger(Some(Duration::ZERO))?;
//!         server.set_linger(Some(Duration::ZERO))?;
//!     }
//!     outcome
//! }
//! # use seedbed::net::TcpListener;
//! # seedbed::run(async {
//! #     let listener = TcpListener::bind("127.0.0.1:0").await?;
//! #     let address = listener.local_addr()?;
//! #     let client = TcpStream::connect(address).await?;
//! #     let (near, _) = listener.accept().await?;
//! #     let far = TcpStream::connect(address).await?;
//! #     let (server, _) = listener.accept().await?;
//! #     nursery(async |n| {
//! #         n.spawn(proxy(near, far));
//! #         client.write_all(b"question").await?;
//! #         client.shutdown(Shutdown::Write)?;
//! #         let mut text = Vec::new();
//! #         server.read_to_end(&mut text).await?;
//! #         server.write_all(b"answer").await?;
//! #         server.shutdown(Shutdown::Write)?;
//! #         client.read_to_end(&mut text).await?;
//! #         assert_eq!(text, b"questionanswer");
//! #         Ok(())
//! #     })
//! #     .await
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # Socket options
//!
//! There are methods for the common ones. [`socket2::SockRef`](https://docs.rs/socket2) sets all
//! others, on every type here that implements [`AsFd`](std::os::fd::AsFd).
//!
//! # Names
//!
//! [`TcpStream::connect`] and [`TcpListener::bind`] take host names as well as numeric addresses:
//! see [`Address`]. [`lookup_host`] only looks a name up. The system is asked, or what was given
//! to [`Builder::resolver`](crate::Builder::resolver). The names of sockets in the Unix domain
//! are described at [`unix`].
//!
//! | file or folder | concept |
//! |---|---|
//! | `stream/` | what streams of every kind have in common: reading, writing, halves |
//! | `tcp/`, `udp/`, `unix/` | the kinds: connecting, listening, binding, options |
//! | `datagram/` | what sockets for datagrams of every kind have in common |
//! | `accept` | how listeners of both kinds take a connection |
//! | `closing` | closing a connection so that nothing written to it is cut off |
//! | `address` | the names of one end of a connection |
//! | `names` | looking up hosts by name |
//! | `resolver` | doing so in the program's own way |
//! | `happy_eyeballs/` | connecting to whichever of several addresses answers first |
//! | `doing` | errors that say what was being done, and with which address |

mod accept;
mod address;
pub(crate) mod closing;
mod datagram;
mod doing;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod ends;
mod happy_eyeballs;
pub(crate) mod names;
pub(crate) mod resolver;
mod stream;
pub mod tcp;
mod udp;
pub mod unix;

pub use address::Address;
pub use datagram::{DatagramSocket, Datagrams, Truncated};
pub use names::{lookup_host, system_lookup};
pub use stream::{
    OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, Socket, SocketStream, WriteHalf,
};
pub use tcp::{ConnectFailed, TcpListener, TcpSocket, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixDatagram, UnixListener, UnixStream};
