//! An HTTP server.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use hyper::body::Incoming;
use hyper::{Request, Response};

use crate::error::{Error, Result};
use crate::platform::downcast::downcast;
use crate::scope::move_on_after;
use crate::serve::Listener;
use crate::serve::hyper::Limits;
use crate::serve::hyper::answer::body::IntoBody;
use crate::serve::hyper::connection::serve_connection::{Connection, Mark, OnError, mark};
use crate::serve::hyper::limits::FIRST_PATIENCE;
use crate::serve::hyper::stage::{AsAccepted, OnAccept, Stage};
use crate::serve::panicked::OnPanic;
use crate::serve::reports::Reports;
use crate::serve::until_ending::until_ending;
use crate::world::net::TcpStream;

/// Serves HTTP/1 and HTTP/2 on one port: runs `handler` in a task for each request, until it is
/// cancelled.
///
/// Short for `Server::new(listener).serve(handler)`: see [`Server`]. There is an example at the
/// [module](crate::hyper).
///
/// # Errors
///
/// The same as for [`Server::serve`].
#[track_caller]
pub fn serve<L, H, B, E>(listener: L, handler: H) -> impl Future<Output = Result<()>>
where
    L: Listener,
    L::Stream: AsyncRead + AsyncWrite + Unpin + 'static,
    H: AsyncFn(Request<Incoming>) -> Result<Response<B>, E>,
    B: IntoBody,
    E: Into<Error>,
{
    Server::new(listener).serve(handler)
}

/// A server for HTTP/1 and HTTP/2: a listener, and how its requests are [served](Self::serve).
///
/// It is a [`seedbed::Server`](crate::Server), and ends like one: clients that are waiting to be
/// accepted are let in, requests that have arrived are answered, and connections that have nothing
/// under way are closed. When the grace is over, the handlers that are left are cancelled.
///
/// ```
/// use hyper::{Request, Response, body::Incoming};
/// use seedbed::hyper::{Limits, Server};
/// use seedbed::net::TcpListener;
/// use seedbed::signal::{Signal, Signals};
/// use std::time::Duration;
///
/// async fn serve() -> seedbed::Result<()> {
///     let signals = Signals::new([Signal::TERM, Signal::INT])?;
///     Server::new(TcpListener::bind("localhost:8080").await?)
///         .shutdown_on(signals.recv())
///         .grace(Duration::from_secs(5))
///         .max_connections(10_000)
///         .limits(Limits::new().idle(Duration::from_secs(30)))
///         .on_error(|error, peer| eprintln!("{peer}: {error}"))
///         .serve(async |_: Request<Incoming>| {
///             Ok::<_, seedbed::Error>(Response::new(String::from("hello\n")))
///         })
///         .await
/// }
/// ```
#[must_use = "a server does nothing until its `serve` is awaited"]
pub struct Server<'a, L: Listener, A = AsAccepted> {
    server: crate::serve::Server<'a, L>,
    limits: Limits,
    on_error: Option<OnError<'a, L::Address>>,
    mark: Option<Mark<L::Address>>,
    on_panic: OnPanic,
    stage: A,
    place: &'static Location<'static>,
}

impl<L: Listener> Server<'_, L> {
    /// A server of this listener's connections, with the default [`Limits`] and the defaults of
    /// [`seedbed::Server::new`](crate::Server::new).
    #[track_caller]
    pub fn new(listener: L) -> Self {
        Server {
            server: crate::Server::new(listener),
            limits: Limits::new(),
            on_error: None,
            mark: None,
            on_panic: OnPanic::Report,
            stage: AsAccepted,
            place: Location::caller(),
        }
    }
}

impl<'a, L: Listener, A> Server<'a, L, A> {
    /// Sets limits other than the default ones.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Does the same as [`seedbed::Server::max_connections`](crate::Server::max_connections).
    pub fn max_connections(mut self, most: usize) -> Self {
        self.server = self.server.max_connections(most);
        self
    }

    /// Does the same as [`seedbed::Server::grace`](crate::Server::grace).
    pub fn grace(mut self, grace: Duration) -> Self {
        self.server = self.server.grace(grace);
        self
    }

    /// Does the same as [`seedbed::Server::shutdown_on`](crate::Server::shutdown_on).
    pub fn shutdown_on<T>(mut self, signal: impl Future<Output = Result<T>> + 'a) -> Self {
        self.server = self.server.shutdown_on(signal);
        self
    }

    /// Calls this with each error of a handler, of a body and of a connection, and with the address
    /// of the client. A panic is passed as a [`HandlerPanicked`](crate::HandlerPanicked). By
    /// default errors are reported through `tracing`, as
    /// [`seedbed::Server::on_error`](crate::Server::on_error) describes.
    pub fn on_error(mut self, report: impl Fn(Error, &L::Address) + 'a) -> Self {
        self.on_error = Some(Box::new(report));
        self
    }

    /// Lets a handler's panic end the server, as
    /// [`seedbed::Server::resume_panics`](crate::Server::resume_panics) does. By default the answer
    /// has the status 500, and the panic is reported.
    pub fn resume_panics(mut self) -> Self {
        self.server = self.server.resume_panics();
        self.on_panic = OnPanic::Resume;
        self
    }

    /// Puts a [`Peer`](super::Peer), which says where the request comes from, into the extensions
    /// of each request. This takes an allocation.
    pub fn with_peers(mut self) -> Self
    where
        L::Address: Send + Sync + 'static,
    {
        self.mark = Some(mark);
        self
    }

    /// Has `stage` turn each accepted stream into another one, over which HTTP is spoken: a TLS
    /// stream, for example, the rest after a header of the PROXY protocol, or one that counts
    /// bytes.
    ///
    /// It runs in the connection's own task, so a slow client delays nobody else. It has to be done
    /// within [`Limits::handshake`]; otherwise it is cancelled, and cleans up. If it fails or
    /// panics, its connection ends, which is [reported](Self::on_error).
    ///
    /// Whether the client speaks HTTP/1 or HTTP/2 is found out afterwards, from what it sends. That
    /// is also the protocol that it agreed to through ALPN.
    ///
    /// ```
    /// use hyper::{Request, Response, body::Incoming};
    /// use seedbed::hyper::Server;
    /// use seedbed::net::{TcpListener, TcpStream};
    /// use std::cell::Cell;
    ///
    /// async fn serve(listener: TcpListener, accepted: &Cell<u64>) -> seedbed::Result<()> {
    ///     Server::new(listener)
    ///         .on_accept(async |stream: TcpStream, _peer| {
    ///             accepted.set(accepted.get() + 1);
    ///             Ok(stream)
    ///         })
    ///         .serve(async |_: Request<Incoming>| {
    ///             Ok::<_, seedbed::Error>(Response::new(String::from("hello\n")))
    ///         })
    ///         .await
    /// }
    /// ```
    pub fn on_accept<F, T>(self, stage: F) -> Server<'a, L, OnAccept<F>>
    where
        F: AsyncFn(L::Stream, L::Address) -> Result<T>,
    {
        let Server { server, limits, on_error, mark, on_panic, stage: _, place } = self;
        Server { server, limits, on_error, mark, on_panic, stage: OnAccept(stage), place }
    }

    /// Runs `handler` in a task of the connection for each request, until the server is shut down
    /// or cancelled. Handlers may borrow whatever lives outside the server.
    ///
    /// What a handler may rely on is described at the [module](crate::hyper#handlers). If one
    /// fails, its error is [reported](Self::on_error), its client gets a 500, and the connection
    /// goes on.
    ///
    /// On TCP, `TCP_NODELAY` is set. Accepting is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// The same as for [`seedbed::Server::serve`](crate::Server::serve).
    ///
    /// # Panics
    ///
    /// If a handler panics and [`resume_panics`](Self::resume_panics) was called; if the closure
    /// given to `on_error` panics.
    pub async fn serve<H, B, E>(self, handler: H) -> Result<()>
    where
        A: Stage<L::Stream, L::Address>,
        A::Stream: AsyncRead + AsyncWrite + Unpin + 'static,
        H: AsyncFn(Request<Incoming>) -> Result<Response<B>, E>,
        B: IntoBody,
        E: Into<Error>,
    {
        let Server { server, limits, on_error, mark, on_panic, stage, place } = self;
        let reports = Reports::new("request", place);
        let tell = |error: Error, peer: &L::Address| match &on_error {
            Some(on_error) => on_error(error, peer),
            None => reports.failed(&error, peer),
        };
        let (handler, tell) = (&handler, &tell);
        let serve_connection = async |stream: L::Stream, peer: L::Address| {
            if let Some(stream) = downcast::<L::Stream, TcpStream>(&stream) {
                let _ = stream.set_nodelay(true); // this fails if the client has gone
            }
            let staged = until_ending(stage.run(stream, peer.clone()), FIRST_PATIENCE, place);
            let Some(stream) = move_on_after(limits.handshake, staged).await? else {
                tracing::debug!(?peer, "a client did not finish its handshake in time");
                return Ok(());
            };
            let connection = Connection::new(stream, peer).at(place).limits(limits).marked(mark);
            connection.on_error(tell).on_panic(on_panic).serve(handler).await
        };
        server.on_error(tell).serve(serve_connection).await
    }
}

impl<L: Listener + fmt::Debug, A> fmt::Debug for Server<'_, L, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("server", &self.server)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
