//! The network: TCP, and sockets of the Unix domain.
//!
//! Everything here may be made, and kept, outside of [`run`](crate::run), and may go from one
//! `run` on a thread to the next. Operations on a `&` of a stream, so that two tasks may borrow
//! one, the first to read and the second to write:
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
//!         n.spawn(async { // the server sends back what it gets
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
//! Every `async` method is a [checkpoint](crate::checkpoint()). A read, a write, an accept has
//! either happened or failed with [`Cancelled`](crate::Cancelled), never both: no byte and no
//! connection is lost, also where its future is dropped instead. What is made of several reads or
//! writes, as `read_exact` and `write_all`, cannot promise this and says so.
//!
//! # Sockets' options
//!
//! The common ones are methods. [`socket2::SockRef`](https://docs.rs/socket2) sets all others on
//! anything here, as it does on what the standard library has, through
//! [`AsFd`](std::os::fd::AsFd).
//!
//! # Names
//!
//! [`TcpStream::connect`] and [`TcpListener::bind`] take names as well as numbers: see [`Address`].
//! [`lookup_host`] only looks one up.
//!
//! | file | concept |
//! |---|---|
//! | `registration` | a source of the reactor, and how an operation waits for it |
//! | `address` | what names the other end of a connection |
//! | `doing` | errors that say what was to be done |
//! | `names` | looking up hosts by their names |
//! | `happy_eyeballs` | connecting to whichever of several addresses answers first |
//! | `socket` | what differs between the kinds of streams |
//! | `stream` | what they have in common: reading and writing |
//! | `transfer` | the system calls for that |
//! | `closing` | closing a stream so that nothing written to it is cut off |
//! | `halves` | a stream as a part that reads and one that writes |
//! | `tcp`, `unix` | the kinds |

mod accept;
mod address;
pub(crate) mod closing;
mod doing;
mod halves;
mod happy_eyeballs;
mod names;
pub(crate) mod registration;
mod socket;
mod stream;
pub mod tcp;
mod transfer;
pub mod unix;

pub use address::Address;
pub use halves::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use names::lookup_host;
pub use socket::Socket;
pub use stream::SocketStream;
pub use tcp::{ConnectFailed, TcpListener, TcpSocket, TcpStream};
pub use unix::{UnixListener, UnixStream};
