//! HTTP with [hyper](https://docs.rs/hyper). This needs the feature `hyper`.
//!
//! [`serve`] is a server: HTTP/1 and HTTP/2 on one port, limits against slow clients, a graceful
//! stop. [`Server`] has its settings. [`serve_connection`] does the same for one connection over
//! any stream. [`Io`], [`Timer`], [`NurseryExecutor`], [`closing`] and [`gracefully`] are the
//! parts, for setting up hyper by hand, and for its clients.
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
//! The items of hyper that are needed often are re-exported here, because `use seedbed::hyper`
//! hides the package of that name; the rest is in `::hyper`.
//!
//! # Handlers
//!
//! A handler is a task. It may borrow the application's state: nothing has to be `Send` or
//! `'static`. hyper only has a receiver of the handler's answer, so hyper never drops a handler:
//!
//! * **When its client goes away**, a handler sees a [`Cancelled`](crate::Cancelled) at its
//!   `await`, at once, and cleans up as any task does, for as long as its shields allow. A client
//!   has gone when it has reset the connection or hung up in both directions, when a write to it
//!   fails, and when it has reset the stream (HTTP/2). The same happens when the server is
//!   cancelled, or its grace is over.
//! * **A client that has only ended its side** may still be reading: its handler goes on, and the
//!   answer is written, for at most [`Limits::half_closed`]. If the client did that in the middle
//!   of the request's body, reading the body fails with a [`hyper::Error`].
//! * **If a handler fails or panics**, the client gets a 500 without the error's text, which is
//!   [reported](Server::on_error). Once the head has been sent, the answer is cut off in a way that
//!   the client can tell.
//! * **Bodies** made by [`Body::stream`] and [`Body::generator`] are tasks in the same way. Any
//!   other body belongs to hyper, and is dropped.
//! * **Another protocol**, such as a WebSocket, takes over the connection by [`upgrade`]: see
//!   [the guide](crate::guide::websockets).
//!
//! A service of the crate `tower`, such as an axum router, may be in a handler's place, with the
//! feature `tower`: see [axum][of-tower].
//!
//! # Slow and silent clients, and stopping
//!
//! For each way in which a client can be slow or silent there is a [limit](Limits) with a default:
//! for heads, idle connections, bodies and answers that trickle, half a preface, a handshake that
//! is not finished. The connections of such clients are closed, which is reported with the level
//! `debug`.
//!
//! A stop does not wait for connections that have nothing under way. A connection that has had no
//! request yet may send its first within half a second, and any other its next within a tenth of a
//! second: that request may be on its way.
//!
//! # Cancellation
//!
//! Whatever is cancelled here ends with its [`Cancelled`](crate::Cancelled), even if that went
//! through hyper: an error that comes back can simply be passed on with `?`.
//!
//! [of-tower]: crate::guide::other_runtimes#axum-and-other-services-of-tower
//!
//! | file or folder | concept |
//! |---|---|
//! | `server` | a server: the entry point |
//! | `stage` | the stage that a stream goes through before HTTP |
//! | `limits` | how long a client may take, and how much it may send |
//! | `connection/` | one connection, served or driven to its end |
//! | `request/` | a request: the tasks that run for it, and hyper's view of it |
//! | `answer/` | answers, their bodies, and how they get to hyper |
//! | `tower/` | services of the crate `tower`, in place of a handler |
//! | `rt/` | hyper's runtime traits: a stream, sleeping, spawning |
//! | `gracefully` | driving a connection that was set up by hand |
//! | `closing` | telling clients of HTTP/1 that their connection is about to end |
//! | `cancellation` | cancelling requests whose clients have gone; cancellations that come back from hyper |

mod answer;
mod cancellation;
mod closing;
mod connection;
mod gracefully;
mod limits;
mod request;
mod rt;
mod server;
mod stage;
#[cfg(feature = "tower")]
mod tower;

#[doc(no_inline)]
pub use ::hyper::{Method, Request, Response, StatusCode, Uri, Version, body, header};
pub use answer::body::{Body, IntoBody};
pub use answer::frames::Sender;
pub use answer::upgrade::{Upgraded, upgrade};
pub use closing::{Closing, ClosingFuture, closing};
pub use connection::serve_connection::{Connection, serve_connection};
pub use gracefully::gracefully;
pub use limits::Limits;
pub use request::peer::Peer;
pub use rt::executor::NurseryExecutor;
pub use rt::io::Io;
pub use rt::timer::Timer;
pub use server::{Server, serve};
pub use stage::{AsAccepted, OnAccept, Stage};
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use tower::{
    local_answer::local_answer,
    on_thread::{OnThread, local},
    serve::serve_tower,
};
