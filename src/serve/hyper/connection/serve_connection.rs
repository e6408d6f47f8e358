//! Serving one connection.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;

use futures_io::{AsyncRead, AsyncWrite};
use hyper::body::Incoming;
use hyper::http::Extensions;
use hyper::server::conn::{http1, http2};
use hyper::{Request, Response};

use crate::error::{Error, Result};
use crate::nursery::{self, Nursery};
use crate::scope::graceful::finishing::finishing_at;
use crate::scope::tree::pool::ScopeRef;
use crate::serve::hyper::answer::body::IntoBody;
use crate::serve::hyper::connection::drive::Drive;
use crate::serve::hyper::connection::pace::Pace;
use crate::serve::hyper::connection::preface::{Opening, Version, open};
use crate::serve::hyper::connection::state::State;
use crate::serve::hyper::connection::state::ahead::Ahead;
use crate::serve::hyper::connection::state::kind::Kind;
use crate::serve::hyper::connection::steps::End;
use crate::serve::hyper::request::failures::Failures;
use crate::serve::hyper::request::peer::Peer;
use crate::serve::hyper::request::service::Requests;
use crate::serve::hyper::rt::shared::Shared;
use crate::serve::hyper::{Io, Limits, NurseryExecutor, Timer};
use crate::serve::panicked::OnPanic;
use crate::serve::reports::Reports;
use crate::world::net::closing;

/// Serves one connection of HTTP/1 or HTTP/2, over any stream. This is short for
/// `Connection::new(stream, peer).serve(handler)`.
///
/// This is what [`serve`](crate::hyper::serve()) does with each of its connections, for programs
/// that accept connections in their own way.
///
/// # Errors
///
/// The same as for [`Connection::serve`].
///
/// ```
/// use seedbed::hyper::{self, Request, Response, body::Incoming};
/// use seedbed::net::UnixStream;
/// use seedbed::nursery;
///
/// seedbed::run(async {
///     let (client, stream) = UnixStream::pair()?;
///     nursery(async |n| {
///         n.spawn(hyper::serve_connection(stream, "a test", async |_: Request<Incoming>| {
///             Ok::<_, seedbed::Error>(Response::new(String::from("hello\n")))
///         }));
///         client.write_all(b"GET / HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n").await?;
///         let mut answer = Vec::new();
///         client.read_to_end(&mut answer).await?;
///         assert!(answer.ends_with(b"hello\n"));
///         Ok(())
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn serve_connection<S, P, H, B, E>(
    stream: S,
    peer: P,
    handler: H,
) -> impl Future<Output = Result<()>>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    P: fmt::Debug,
    H: AsyncFn(Request<Incoming>) -> Result<Response<B>, E>,
    B: IntoBody,
    E: Into<Error>,
{
    Connection::new(stream, peer).serve(handler)
}

/// A connection that is to be [served](Self::serve), and how.
///
/// ```
/// use hyper::{Request, Response, body::Incoming};
/// use seedbed::hyper::{Connection, Limits};
/// use seedbed::net::TcpListener;
/// use std::time::Duration;
///
/// async fn serve_one(listener: &TcpListener) -> seedbed::Result<()> {
///     let (stream, peer) = listener.accept().await?;
///     Connection::new(stream, peer)
///         .limits(Limits::new().idle(Duration::from_secs(5)))
///         .on_error(|error, peer| eprintln!("{peer}: {error}"))
///         .serve(async |_: Request<Incoming>| {
///             Ok::<_, seedbed::Error>(Response::new(String::from("hello\n")))
///         })
///         .await
/// }
/// ```
#[must_use = "a connection is not served until its `serve` is awaited"]
pub struct Connection<'a, S, P> {
    stream: S,
    peer: P,
    limits: Limits,
    on_error: Option<OnError<'a, P>>,
    mark: Option<Mark<P>>,
    on_panic: OnPanic,
    place: &'static Location<'static>,
}

pub(crate) type OnError<'a, P> = Box<dyn Fn(Error, &P) + 'a>;
/// Puts a [`Peer`] into a request.
pub(crate) type Mark<P> = fn(&P, &mut Extensions);

impl<'a, S, P: fmt::Debug> Connection<'a, S, P> {
    /// A connection with the default [`Limits`]. Reports identify it by this peer.
    #[track_caller]
    pub fn new(stream: S, peer: P) -> Self {
        let place = Location::caller();
        Connection {
            stream,
            peer,
            limits: Limits::new(),
            on_error: None,
            mark: None,
            on_panic: OnPanic::Report,
            place,
        }
    }

    /// Sets limits other than the default ones.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Calls this with each error of a handler or of a body, and with the peer. A panic is passed
    /// as a [`HandlerPanicked`](crate::HandlerPanicked). By default errors are reported through
    /// `tracing` as warnings, and panics as errors.
    pub fn on_error(mut self, report: impl Fn(Error, &P) + 'a) -> Self {
        self.on_error = Some(Box::new(report));
        self
    }

    /// Resumes a handler's panic in the caller, as a [nursery](crate::nursery()) does with that of
    /// a child. By default the answer has the status 500, and the panic is reported.
    pub fn resume_panics(self) -> Self {
        self.on_panic(OnPanic::Resume)
    }

    pub(crate) fn on_panic(mut self, on_panic: OnPanic) -> Self {
        self.on_panic = on_panic;
        self
    }

    /// Puts a [`Peer`] into the extensions of each request, which takes an allocation.
    pub fn with_peer(mut self) -> Self
    where
        P: Clone + Send + Sync + 'static,
    {
        self.mark = Some(mark);
        self
    }

    pub(crate) fn marked(mut self, mark: Option<Mark<P>>) -> Self {
        self.mark = mark;
        self
    }

    pub(crate) fn at(mut self, place: &'static Location<'static>) -> Self {
        self.place = place;
        self
    }

    /// Serves HTTP/1 or HTTP/2, whichever the client begins with, until the connection ends. Each
    /// request runs `handler` in a task.
    ///
    /// What a handler may rely on is described at the [module](crate::hyper#handlers).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), once the handlers have ended, if a scope around this is
    /// cancelled; a [`hyper::Error`] if the client violates HTTP. It is not an error if a client
    /// goes away, and the errors of handlers are [reported](Self::on_error).
    ///
    /// # Panics
    ///
    /// If a handler panics and [`resume_panics`](Self::resume_panics) was called; if the closure
    /// given to `on_error` panics.
    pub async fn serve<H, B, E>(self, handler: H) -> Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
        H: AsyncFn(Request<Incoming>) -> Result<Response<B>, E>,
        B: IntoBody,
        E: Into<Error>,
    {
        let Connection { stream, peer, limits, on_error, mark, on_panic, place } = self;
        let peer_ref = &peer;
        let mark = mark.map(|mark| move |extensions: &mut Extensions| mark(peer_ref, extensions));
        let reports = Reports::new("request", place);
        let report = |error: Error| match &on_error {
            Some(on_error) => on_error(error, &peer),
            None => reports.failed(&error, &peer),
        };
        let failures = Failures { report: &report, on_panic };
        let (handler, failures, limits) = (&handler, &failures, &limits);
        let mark = mark.as_ref().map(|mark| mark as &dyn Fn(&mut Extensions));
        let mut stream = stream;
        // The handlers finish their work, as those of every server do.
        finishing_at(
            place,
            nursery::open(place, async |n| {
                let opening = open(&mut stream, limits, &peer, place).await?;
                let Some(Opening { version, read, begun }) = opening else { return Ok(()) };
                let pace = Pace::begun_at(begun, limits);
                let state = State::new(Kind::Served, place);
                let stream = Shared::new(stream);
                let io = Io::of(stream.clone(), read, state.clone());
                state.client.set_ahead(|| Ahead::new(stream.clone()));
                let serving = Serving { nursery: n, limits, failures, mark, state, pace };
                let outcome = match version {
                    Version::Http1 => serving.http1(io, handler).await,
                    Version::Http2 => serving.http2(io, handler).await,
                };
                // If this is cancelled the stream has been closed, and whatever waits next will fail.
                let _ = closing::end(stream).await;
                outcome
            }),
        )
        .await
    }
}

impl<S: fmt::Debug, P: fmt::Debug> fmt::Debug for Connection<'_, S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("stream", &self.stream)
            .field("peer", &self.peer)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

pub(crate) fn mark<P: Clone + Send + Sync + 'static>(peer: &P, extensions: &mut Extensions) {
    extensions.insert(Peer(peer.clone()));
}

/// Sets hyper up for a connection whose version of HTTP is known, and drives it to its end.
struct Serving<'scope, 'env> {
    nursery: &'scope Nursery<'scope, 'env>,
    limits: &'env Limits,
    failures: &'env Failures<'env>,
    mark: Option<&'env dyn Fn(&mut Extensions)>,
    state: Rc<State>,
    pace: Pace,
}

impl<'scope, 'env> Serving<'scope, 'env> {
    fn requests<H>(&self, handler: &'env H) -> Requests<'scope, 'env, H> {
        Requests {
            nursery: self.nursery,
            handler,
            failures: self.failures,
            mark: self.mark,
            state: self.state.clone(),
        }
    }

    async fn http1<S, H, B, E>(self, io: Io<S>, handler: &'env H) -> Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
        H: AsyncFn(Request<Incoming>) -> Result<Response<B>, E>,
        B: IntoBody + 'scope,
        E: Into<Error> + 'scope,
    {
        let mut builder = http1::Builder::new();
        builder.timer(Timer).half_close(true).header_read_timeout(None); // hyper takes idle connections for slow ones
        self.limits.set_http1(&mut builder);
        let connection = builder.serve_connection(io, self.requests(handler)).with_upgrades();
        let shutdown = |connection: Pin<&mut _>| {
            http1::UpgradeableConnection::graceful_shutdown(connection);
        };
        let scope = ScopeRef::new(self.state.place());
        let drive =
            Drive::new(connection, shutdown, scope, self.state.clone(), self.limits, self.pace);
        ended(&self.state, self.failures, drive.reporting(self.failures).await?)
    }

    async fn http2<S, H, B, E>(self, io: Io<S>, handler: &'env H) -> Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        H: AsyncFn(Request<Incoming>) -> Result<Response<B>, E>,
        B: IntoBody + 'scope,
        E: Into<Error> + 'scope,
    {
        let mut builder = http2::Builder::new(NurseryExecutor::new(self.nursery));
        builder.timer(Timer);
        self.limits.set_http2(&mut builder);
        let connection = builder.serve_connection(io, self.requests(handler));
        let scope = ScopeRef::new(self.state.place());
        let shutdown = http2::Connection::graceful_shutdown;
        let drive =
            Drive::new(connection, shutdown, scope, self.state.clone(), self.limits, self.pace);
        ended(&self.state, self.failures, drive.reporting(self.failures).await?)
    }
}

/// The result for a connection that has ended in this way.
fn ended(state: &State, failures: &Failures<'_>, end: End) -> Result<()> {
    failures.report_those_of(state);
    match end {
        End::Over => Ok(()),
        End::Departed(error) => {
            tracing::debug!(?error, "a client went away in the middle of something");
            Ok(())
        }
        End::Cancelled(why) => Err(why.into()),
        End::Failed(error) => match error.downcast_ref::<hyper::Error>() {
            // It has been reported as the handler's error.
            Some(error) if error.is_user() => Ok(()),
            // The client does not answer pings: it has gone without a word.
            Some(hyper) if hyper.is_timeout() => {
                tracing::debug!(error = %hyper, "a client went away");
                Ok(())
            }
            _ => Err(error.at(state.place())),
        },
    }
}
