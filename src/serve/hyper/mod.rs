//! HTTP with [hyper](https://docs.rs/hyper). Feature `hyper`.
//!
//! [`serve`] is a server: HTTP/1 and HTTP/2 on one port, limits against slow clients, a graceful
//! stop. [`Server`] has the choices. [`serve_connection`] does the same for one connection of any
//! stream, and [`Io`], [`Timer`], [`NurseryExecutor`], [`closing`] and [`gracefully`] are the parts,
//! for those who set up hyper by hand, and for its clients.
//!
//! ```
//! use seedbed::hyper::{self, Request, Response, body::Incoming};
//! use seedbed::net::{TcpListener, TcpStream};
//! use seedbed::{CancelScope, nursery};
//! use std::cell::Cell;
//! use std::time::Duration;
//!
//! seedbed::run(async {
//!     let hits = Cell::new(0); // borrowed below: no Arc, no Mutex
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?;
//!     let server = CancelScope::new();
//!     nursery(async |n| {
//!         n.spawn(server.enter(async |_| {
//!             hyper::serve(listener, async |_: Request<Incoming>| {
//!                 hits.set(hits.get() + 1);
//!                 Ok::<_, seedbed::Error>(Response::new(format!("hit {}\n", hits.get())))
//!             })
//!             .await
//!         }));
//!
//!         let client = TcpStream::connect(address).await?;
//!         client.write_all(b"GET / HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n").await?;
//!         let mut text = Vec::new();
//!         client.read_to_end(&mut text).await?;
//!         assert!(text.ends_with(b"hit 1\n"));
//!         server.cancel_gracefully(Duration::from_secs(5));
//!         Ok(())
//!     })
//!     .await
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! What is often needed of hyper is here as well, as `use seedbed::hyper` hides the package of that
//! name: for the rest there is `::hyper`.
//!
//! # Handlers
//!
//! A handler is a task. It may borrow the application's state: nothing asks for `Send` or
//! `'static`. hyper has only a receiver of its answer, so that nothing drops it:
//!
//! * **When its client goes away** it sees a [`Cancelled`](crate::Cancelled) at its `await`, at
//!   once, and cleans up as any task does, for as long as its shields say. A client has gone when it
//!   has reset the connection or hung up both directions, when a write to it fails, and when it has
//!   reset the stream (HTTP/2). The same happens when the server is cancelled, or its grace is over.
//! * **A client that has only ended its side** may still read: its handler goes on, and the answer
//!   is written, for at most [`Limits::half_closed`]. If that was in the middle of the request's
//!   body, reading it fails with a [`hyper::Error`].
//! * **Where it fails or panics** the client gets a 500 without the error's text, which is
//!   [reported](Server::on_error). Once the head has been sent, the answer is cut off so that the
//!   client sees it.
//! * **Bodies** made by [`Body::stream`] and [`Body::generator`] are tasks in the same way. Any
//!   other is hyper's, and dropped.
//!
//! # Slow and silent clients, and stopping
//!
//! Each kind of client that is slow or says nothing has a [limit](Limits), and each limit a
//! default: heads, idle connections, bodies and answers that trickle, half a preface, a handshake
//! that is not finished. Their connections are closed, which is reported with the level `debug`.
//!
//! A stop waits for no connection that has nothing under way. One that has had no request yet may
//! send its first within half a second, and others the next within a tenth: it may be on its way.
//!
//! # Cancellation
//!
//! Whatever is cancelled here ends with its [`Cancelled`](crate::Cancelled), also where that went
//! through hyper: what comes back may simply be passed on with `?`.
//!
//! | file | concept |
//! |---|---|
//! | `serve`, `serve_connection` | the ways in: a server, one connection |
//! | `stage` | what happens to a stream before HTTP |
//! | `preface` | which version of HTTP a client speaks |
//! | `limits` | what a client may take its time for |
//! | `request` | a request: the task of its handler, and what hyper has of it |
//! | `peer` | where a request comes from |
//! | `answer`, `frames` | bodies of answers, and how they get to hyper |
//! | `upgrade` | connections that go on as another protocol |
//! | `websocket` | the answer to a WebSocket's key |
//! | `drive` | polling hyper to the end, and deciding when that is |
//! | `state` | what is known of a connection meanwhile |
//! | `pace` | whether its client does its part in time |
//! | `message` | whether requests of HTTP/1 have come in whole, where only hyper knows |
//! | `wire` | what passes through a connection of HTTP/2, as far as that tells |
//! | `cancellation` | one that comes back from hyper as a text |
//! | `gracefully` | driving a connection that was set up by hand |
//! | `ahead` | whether the client of any other stream is still there |
//! | `io`, `shared`, `on_thread` | a stream, for hyper |
//! | `timer` | sleeping, for hyper |
//! | `executor` | spawning, for hyper |
//! | `closing` | telling HTTP/1 clients that it is about to end |

mod ahead;
mod answer;
mod cancellation;
mod closing;
mod drive;
mod executor;
mod frames;
mod gracefully;
mod io;
mod limits;
mod message;
mod on_thread;
mod pace;
mod peer;
mod preface;
mod request;
mod serve;
mod serve_connection;
mod shared;
mod stage;
mod state;
mod timer;
mod upgrade;
mod websocket;
mod wire;

#[doc(no_inline)]
pub use ::hyper::{Method, Request, Response, StatusCode, Uri, Version, body, header};
pub use answer::{Body, IntoBody};
pub(crate) use cancellation::cancellation;
pub use closing::{Closing, ClosingFuture, closing};
pub use executor::NurseryExecutor;
pub use frames::Sender;
pub use gracefully::gracefully;
pub use io::Io;
pub use limits::Limits;
pub use peer::Peer;
pub use serve::{Server, serve};
pub use serve_connection::{Connection, serve_connection};
pub use stage::{AsAccepted, OnAccept, Stage};
pub use timer::Timer;
pub use upgrade::{Upgraded, upgrade};
