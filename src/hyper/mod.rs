//! HTTP with [hyper](https://docs.rs/hyper), through its own runtime traits. Feature `hyper`.
//!
//! [`Io`] is a stream for hyper, [`Timer`] its clock, and a [`NurseryExecutor`] puts what hyper
//! spawns into a nursery. Nothing asks for `Send` or `'static`: the handlers borrow the
//! application's state, also in HTTP/2, where each request is a child of its own.
//!
//! ```
//! use hyper::server::conn::http1;
//! use hyper::service::service_fn;
//! use hyper::{Request, Response, body::Incoming};
//! use seedbed::hyper::{Io, Timer, closing, gracefully};
//! use seedbed::net::{TcpListener, TcpStream};
//! use seedbed::{CancelScope, Result, nursery, serve};
//! use std::cell::Cell;
//! use std::time::Duration;
//!
//! seedbed::run(async {
//!     let hits = Cell::new(0); // borrowed below: no Arc, no Mutex
//!     let answer = async |_: Request<Incoming>| {
//!         hits.set(hits.get() + 1);
//!         Ok::<_, seedbed::Error>(Response::new(format!("hit {}\n", hits.get())))
//!     };
//!
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?;
//!     let server = CancelScope::new();
//!     nursery(async |n| {
//!         n.spawn(server.enter(async |_| {
//!             serve(listener, async |stream, _| {
//!                 let connection = http1::Builder::new()
//!                     .timer(Timer)
//!                     .serve_connection(Io::new(stream), closing(service_fn(&answer)));
//!                 gracefully(connection, http1::Connection::graceful_shutdown).await
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
//! # Cancellation
//!
//! A cancelled operation fails inside hyper, which makes the [`Cancelled`](crate::Cancelled) the
//! cause of an error of its own and ends the connection with that. A cancel scope recognises such
//! an error: what comes back from hyper may simply be passed on with `?`.
//!
//! | file | concept |
//! |---|---|
//! | `io` | a stream, for hyper |
//! | `timer` | sleeping, for hyper |
//! | `executor` | spawning, for hyper |
//! | `gracefully` | ending a connection between two requests |
//! | `closing` | telling HTTP/1 clients that it is about to end |

mod closing;
mod executor;
mod gracefully;
mod io;
mod timer;

pub use closing::{Closing, ClosingFuture, closing};
pub use executor::NurseryExecutor;
pub use gracefully::gracefully;
pub use io::Io;
pub use timer::Timer;
