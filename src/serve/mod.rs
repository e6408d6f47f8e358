//! Serving: a handler for each connection, in a nursery.
//!
//! | file | concept |
//! |---|---|
//! | `listener` | what connections come from |
//! | `connection` | one of them: its handler, and how that ends |
//! | `connections` | how many there are, and may be |
//! | `accept` | letting connections in, and the last of them |
//! | `ending` | what stops at once when the server is ending |
//! | `draining` | a signal that ends the grace |
//! | `accept_error` | what happens when accepting fails |
//! | `parting` | one that is over for its handler, and not for its client yet |
//! | `panicked` | handlers that panic |
//! | `reports` | what is said of connections that fail, and how often |

mod accept;
mod accept_error;
mod connection;
mod connections;
mod draining;
pub(crate) mod ending;
#[cfg(feature = "hyper")]
pub mod hyper;
mod listener;
mod panicked;
mod parting;
pub(crate) mod reports;

use std::cell::Cell;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

pub use listener::Listener;
pub use panicked::HandlerPanicked;

use crate::scope::tree::pool::ScopeRef;
use crate::scope::{is_cancelled, is_ending};
use crate::serve::connection::{Care, Connection};
use crate::serve::connections::{Connections, most_by_default};
use crate::serve::draining::end_on_signal;
use crate::serve::ending::until_ending;
use crate::serve::parting::part;
use crate::serve::reports::Reports;
use crate::{CancelScope, Error, Result, finishing, nursery};

/// How long connections may take to finish, unless [`Server::grace`] says otherwise.
const GRACE: Duration = Duration::from_secs(10);

type OnError<'a, A> = Box<dyn Fn(Error, &A) + 'a>;
type Signal<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// Runs `handler` for each connection, until it is cancelled. Short for
/// `Server::new(listener).serve(handler)`, and told there.
///
/// # Errors
///
/// As [`Server::serve`].
///
/// ```
/// use seedbed::net::{TcpListener, TcpStream};
/// use seedbed::{cancel_scope, nursery, serve};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let greeting = String::from("hello\n"); // borrowed below: no Arc, no 'static
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///     nursery(async |n| {
///         n.spawn(cancel_scope(async |server| {
///             serve(listener, async |stream, _peer| {
///                 stream.write_all(greeting.as_bytes()).await?;
///                 server.cancel_gracefully(Duration::from_secs(5)); // one is enough
///                 Ok(())
///             })
///             .await
///         }));
///
///         let client = TcpStream::connect(address).await?;
///         let mut text = Vec::new();
///         client.read_to_end(&mut text).await?;
///         assert_eq!(text, b"hello\n");
///         Ok(())
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn serve<L, H>(listener: L, handler: H) -> impl Future<Output = Result<()>>
where
    L: Listener,
    H: AsyncFn(L::Stream, L::Address) -> Result<()>,
{
    Server::new(listener).serve(handler)
}

/// A server: a listener, and the choices for how its connections are [served](Self::serve).
///
/// # Shutdown
///
/// A server ends by a [graceful cancellation](crate::CancelScope::cancel_gracefully), its own when
/// the future given to [`shutdown_on`](Self::shutdown_on) is ready, or that of a scope around it:
///
/// 1. It serves those who wait in the listener's queue: their connections were accepted as far as
///    they can tell. Then it closes the listener.
/// 2. Handlers go on, as [finishing](finishing()) their work. What in them is [`idle`](crate::idle)
///    is cancelled, such as the wait for the next request on a connection that is kept open.
/// 3. When the grace is over, what is left is cancelled. So it is before that, if the user insists:
///    where the program has listened to `SIGINT` (Ctrl-C), `SIGTERM` or `SIGQUIT` through
///    [`Signals`](crate::signal::Signals), one that comes while its servers shut down ends their
///    grace. `serve` returns, and what comes after it runs. The next one ends the process.
///
/// Any other cancellation reaches the handlers at once, and those who wait in the queue are not
/// served.
///
/// # Closing
///
/// What a handler has written is not cut off by the end of its connection. The kernel resets a
/// connection that is closed while its client still sends, and the client may lose what it has not
/// read yet: the answer to an upload that was refused, for one. So when a handler drops the stream
/// that was accepted, whatever it is wrapped in, the server ends its direction, and reads and discards
/// until the client has ended the other, for two seconds at most. Meanwhile it counts as a
/// connection. While the server is shutting down it waits for a tenth of a second where the
/// client says nothing, and not beyond the grace. Cancelled without a grace, it
/// leaves such connections their time.
///
/// A stream on which [`set_linger`](crate::net::TcpStream::set_linger) was called is closed as that says.
/// So is one that was moved out of the handler's task and dropped elsewhere, or that the handler
/// has made itself.
///
/// ```
/// use seedbed::net::{TcpListener, TcpStream};
/// use seedbed::{Event, Server, idle, nursery};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///     let stop = Event::new();
///     let server = Server::new(listener)
///         .max_connections(100)
///         .shutdown_on(stop.wait())
///         .grace(Duration::from_secs(5))
///         .on_error(|error, peer| eprintln!("{peer}: {error}"));
///     nursery(async |n| {
///         n.spawn(server.serve(async |stream: TcpStream, _| {
///             let mut request = [0; 64];
///             loop {
///                 match idle(stream.read(&mut request)).await? {
///                     0 => return Ok(()),
///                     n => stream.write_all(&request[..n]).await?, // not interrupted
///                 }
///             }
///         }));
///
///         let client = TcpStream::connect(address).await?;
///         client.write_all(b"ping").await?;
///         client.read_exact(&mut [0; 4]).await?;
///         stop.set();
///         assert_eq!(client.read(&mut [0; 4]).await?, 0); // closed at once: it was idle
///         Ok(())
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[must_use = "a server does nothing until its `serve` is awaited"]
pub struct Server<'a, L: Listener> {
    listener: L,
    most: Option<usize>,
    grace: Duration,
    signal: Option<Signal<'a>>,
    on_error: Option<OnError<'a, L::Address>>,
    resume_panics: bool,
    place: &'static Location<'static>,
}

impl<'a, L: Listener> Server<'a, L> {
    /// A server of this listener's connections, with a [limit on their
    /// number](Self::max_connections) that suits the process, ten seconds of grace, and `tracing`
    /// for its errors.
    #[track_caller]
    pub fn new(listener: L) -> Self {
        Server {
            listener,
            most: None,
            grace: GRACE,
            signal: None,
            on_error: None,
            resume_panics: false,
            place: Location::caller(),
        }
    }

    /// How many connections there may be at the same time; at least 1. At the limit none is
    /// accepted: they wait in the listener's queue, in the kernel, and who does not fit into that
    /// is sent away by it.
    ///
    /// By default it is three quarters of the descriptors that the process may have open when
    /// [`serve`](Self::serve) begins, the soft limit `RLIMIT_NOFILE` (`ulimit -n`). Where handlers
    /// open others, to ask another machine for one, it should be less; so it should where several
    /// servers, or cores, share the process.
    pub fn max_connections(mut self, most: usize) -> Self {
        self.most = Some(most.max(1));
        self
    }

    /// How long connections may take to finish once the server is shut down by the future given to
    /// [`shutdown_on`](Self::shutdown_on), or by an error of the listener. A scope around the
    /// server that is cancelled gracefully has a grace of its own.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Shuts the server down when this future is ready, a [signal](crate::signal::Signals::recv)
    /// for one. If it fails, so does the server, after the same shutdown.
    ///
    /// It is polled as a task of its own for as long as the server accepts, and cancelled then.
    pub fn shutdown_on<T>(mut self, signal: impl Future<Output = Result<T>> + 'a) -> Self {
        self.signal = Some(Box::pin(async { signal.await.map(drop) }));
        self
    }

    /// Calls this with each error that a handler returns, and with where its connection came from.
    /// A panic is a [`HandlerPanicked`]. Otherwise they are reported through `tracing`, with all
    /// their causes: as warnings, and panics as errors; but what a client can bring about by
    /// leaving, or by being slow, only with the level `debug`. Of each of the first two no more than
    /// ten are reported in ten seconds, and the next one says how many were left out.
    ///
    /// Not called with the [`Cancelled`](crate::Cancelled) of a server that is ending; how many
    /// connections were cut short is reported through `tracing`.
    pub fn on_error(mut self, report: impl Fn(Error, &L::Address) + 'a) -> Self {
        self.on_error = Some(Box::new(report));
        self
    }

    /// Lets a handler's panic end the server, as that of a child ends a [nursery](nursery()): the
    /// others are cancelled, and it resumes here.
    ///
    /// By default it is an error of that connection alone. One client that has found a bug should
    /// not be able to end the service for all, and what its handler owned has been dropped; but
    /// what it had borrowed and was changing may be half changed. Where that would be worse, this
    /// is the choice.
    pub fn resume_panics(mut self) -> Self {
        self.resume_panics = true;
        self
    }

    /// Runs `handler` for each connection, in a nursery, until the server is shut down or
    /// cancelled. Handlers may borrow whatever lives outside.
    ///
    /// A connection whose handler fails is [reported](Self::on_error), and the server goes on.
    ///
    /// Accepting is a [checkpoint](crate::checkpoint()). Where it fails because a connection has, that is
    /// passed over; where descriptors or memory have run out (`EMFILE`, `ENFILE`, `ENOBUFS`,
    /// `ENOMEM`), the server says so once, waits until a connection closes, or for a time that
    /// grows from 10 milliseconds to a second, and tries again.
    ///
    /// # Errors
    ///
    /// Any other error of the listener, and that of the future given to
    /// [`shutdown_on`](Self::shutdown_on), both after a shutdown;
    /// [`Cancelled`](crate::Cancelled), if a scope around it is cancelled, gracefully or not;
    /// [`NotRunning`](crate::NotRunning) outside of [`run`](crate::run). After a shutdown of its
    /// own it is `Ok`.
    ///
    /// # Panics
    ///
    /// As a handler does, after [`resume_panics`](Self::resume_panics); as `on_error`'s closure.
    pub async fn serve<H>(self, handler: H) -> Result<()>
    where
        H: AsyncFn(L::Stream, L::Address) -> Result<()>,
    {
        let Server { listener, most, grace, signal, on_error, resume_panics, place } = self;
        let connections = Connections::new(most.unwrap_or_else(most_by_default));
        let care = Care {
            on_error,
            reports: Reports::new("connection", place),
            resume_panics,
            dropped: Rc::default(),
        };
        let failure = Cell::new(None);
        let server = CancelScope::of(ScopeRef::new(place));
        let shut_down = |error: Option<Error>| {
            let first = failure.take();
            failure.set(first.or(error));
            server.end_gracefully("the server is shutting down", place, grace);
        };
        let (connections, care) = (&connections, &care);
        let (handler, shut_down) = (&handler, &shut_down);
        let draining = CancelScope::of(ScopeRef::new(place));
        let (server, draining) = (&server, &draining);
        // One scope says for all connections that they finish their work. What is to stop at once
        // does so by itself.
        let outcome = server.enter(async |_| {
            let mut outcome = Ok(());
            finishing(nursery(async |n| {
                if let Some(signal) = signal {
                    n.spawn(async move {
                        match until_ending(signal, Duration::ZERO, place).await {
                            Err(error) if is_ending() && error.cancellation().is_some() => {}
                            outcome => shut_down(outcome.err()),
                        }
                        Ok(())
                    });
                }
                let part = |connection| {
                    drop(n.spawn(part(connection, connections.open(), place)));
                };
                let serve = |(stream, peer): (L::Stream, L::Address)| {
                    let from = peer.clone();
                    let call = move || handler(stream, from);
                    drop(n.spawn(Connection::new(call, peer, connections.open(), care, part)));
                };
                let accepting = accept::forever(&listener, connections, &serve);
                let Err(error) = until_ending(accepting, Duration::ZERO, place).await;
                match error.cancellation() {
                    Some(_) if is_ending() => outcome = Err(error),
                    _ => shut_down(Some(error.at(place))),
                }
                if !is_cancelled() {
                    connections.drain();
                    let signal = end_on_signal(server, place);
                    n.spawn(draining.enter(async move |_| signal.await));
                }
                if let Err(error) = accept::last(listener, connections, &serve).await
                    && error.cancellation().is_none()
                {
                    tracing::warn!(%error, "could not accept the last connections");
                }
                // If it is cancelled meanwhile, so are they.
                let _ = connections.all_close().await;
                draining.cancel();
                Ok(())
            }))
            .await?;
            outcome
        });
        let outcome = outcome.await.map(drop);
        match connections.cut_short() {
            0 => {}
            connections => tracing::warn!(
                connections,
                server = %place,
                "a server has ended before some of its connections: they were cancelled"
            ),
        }
        match failure.take() {
            Some(error) => Err(error),
            None => outcome,
        }
    }
}

impl<L: Listener + std::fmt::Debug> std::fmt::Debug for Server<'_, L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("listener", &self.listener)
            .field("max_connections", &self.most)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}
