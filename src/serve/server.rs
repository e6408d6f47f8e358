//! A server: its settings, how it runs and how it ends.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::nursery;
use crate::scope::graceful::finishing::finishing_at;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::{CancelScope, is_cancelled};
use crate::serve::accept;
use crate::serve::connection::{Care, Connection, OnError, Serving, Shared};
use crate::serve::connections::{Connections, Open, most_by_default};
use crate::serve::listener::Listener;
use crate::serve::panicked::OnPanic;
use crate::serve::parting::part;
use crate::serve::reports::{Reports, report_cut_short};
use crate::serve::shutdown::{GRACE, Shutdown};
use crate::serve::until_ending::until_ending;

type Signal<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// Runs `handler` for each connection, until it is cancelled. Short for
/// `Server::new(listener).serve(handler)`: see [`Server`]. This needs the feature `net`, which is
/// on by default.
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

/// A server: a listener, and how its connections are [served](Self::serve). This needs the feature
/// `net`, which is on by default.
///
/// # Shutdown
///
/// A server ends by a [graceful cancellation](crate::CancelScope::cancel_gracefully): its own, when
/// the future given to [`shutdown_on`](Self::shutdown_on) is ready, or that of a scope around it.
///
/// 1. It serves the clients that are waiting in the listener's queue: as far as they can tell,
///    their connections have been accepted. Then it closes the listener.
/// 2. Handlers go on, [finishing](crate::finishing()) their work. Whatever is [`idle`](crate::idle) in
///    them is cancelled, such as the wait for the next request on a connection that is kept open.
/// 3. When the grace is over, what is left is cancelled. This happens earlier if the user insists:
///    if the program has listened to `SIGINT` (Ctrl-C), `SIGTERM` or `SIGQUIT` through
///    [`Signals`](crate::signal::Signals), one of these that comes while its servers are shutting
///    down ends their grace. `serve` returns, and what comes after it runs. The next one ends the
///    process.
///
/// Any other cancellation reaches the handlers at once, and clients that are waiting in the queue
/// are not served.
///
/// # Closing
///
/// The end of a connection does not cut off what its handler has written. The kernel resets a
/// connection that is closed while its client is still sending, and the client may lose what it has
/// not read yet, such as the answer to an upload that was refused. So when a handler drops the
/// stream that was accepted, whatever it is wrapped in, the server ends its own direction, then
/// reads and discards until the client has ended the other, for at most two seconds. Meanwhile it
/// counts as a connection. While the server is shutting down, it waits only a tenth of a second if
/// the client sends nothing, and not beyond the grace. If the server is cancelled without a grace,
/// such connections still get their time.
///
/// A stream on which [`set_linger`](crate::net::TcpStream::set_linger) was called is closed
/// accordingly. A stream that was moved out of the handler's task and dropped elsewhere, or that
/// the handler has made itself, is simply closed, by the kernel.
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
    on_panic: OnPanic,
    place: &'static Location<'static>,
}

impl<'a, L: Listener> Server<'a, L> {
    /// A server of this listener's connections, with a [limit on their
    /// number](Self::max_connections) that suits the process, a grace of ten seconds, and reports
    /// through `tracing`.
    #[track_caller]
    pub fn new(listener: L) -> Self {
        Server {
            listener,
            most: None,
            grace: GRACE,
            signal: None,
            on_error: None,
            on_panic: OnPanic::Report,
            place: Location::caller(),
        }
    }

    /// Sets how many connections there may be at the same time; at least 1. At the limit no more
    /// are accepted: they wait in the kernel, in the listener's queue, and the kernel refuses
    /// connections beyond that.
    ///
    /// The default is three quarters of the descriptors that the process may have open when
    /// [`serve`](Self::serve) begins, by the soft limit `RLIMIT_NOFILE` (`ulimit -n`). It should be
    /// less if handlers open descriptors of their own, for example to ask another machine, or if
    /// several servers or cores share the process.
    pub fn max_connections(mut self, most: usize) -> Self {
        self.most = Some(most.max(1));
        self
    }

    /// Sets how long connections may take to finish once the server is shut down by the future
    /// given to [`shutdown_on`](Self::shutdown_on) or by an error of the listener. A scope around
    /// the server that is cancelled gracefully brings its own grace.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Shuts the server down when this future is ready: a [signal](crate::signal::Signals::recv),
    /// for example. If the future fails, so does the server, after the same shutdown.
    ///
    /// The future runs in a task of its own for as long as the server accepts connections, and is
    /// cancelled after that.
    pub fn shutdown_on<T>(mut self, signal: impl Future<Output = Result<T>> + 'a) -> Self {
        self.signal = Some(Box::pin(async { signal.await.map(drop) }));
        self
    }

    /// Calls this with each error that a handler returns, and with the address its connection came
    /// from. A panic is passed as a [`HandlerPanicked`](crate::HandlerPanicked).
    ///
    /// By default errors are reported through `tracing`, with all their causes: failures as
    /// warnings, panics as errors, and what a client can bring about by leaving or by being slow
    /// with the level `debug`. No more than ten warnings and ten errors are reported in ten
    /// seconds; the next one says how many were left out.
    ///
    /// It is not called with the [`Cancelled`](crate::Cancelled) of a server that is ending. How
    /// many connections were cut short is reported through `tracing`.
    pub fn on_error(mut self, report: impl Fn(Error, &L::Address) + 'a) -> Self {
        self.on_error = Some(Box::new(report));
        self
    }

    /// Lets a handler's panic end the server, as that of a child ends a [nursery](nursery()): the
    /// other handlers are cancelled, and the panic resumes here.
    ///
    /// By default a panic is an error of that connection alone. One client that has found a bug
    /// should not be able to end the service for all, and what the handler owned has been dropped.
    /// But what it had borrowed and was changing may be half changed. Choose this if that would be
    /// worse.
    pub fn resume_panics(mut self) -> Self {
        self.on_panic = OnPanic::Resume;
        self
    }

    /// Runs `handler` for each connection, in a nursery, until the server is shut down or
    /// cancelled. Handlers may borrow whatever lives outside the server.
    ///
    /// If a handler fails, that is [reported](Self::on_error), and the server goes on.
    ///
    /// Accepting is a [checkpoint](crate::checkpoint()). If it fails because the connection has
    /// failed, that connection is skipped. If descriptors or memory have run out (`EMFILE`,
    /// `ENFILE`, `ENOBUFS`, `ENOMEM`), the server says so once, waits until a connection closes, or
    /// for a time that grows from 10 milliseconds to a second, and tries again.
    ///
    /// # Errors
    ///
    /// Any other error of the listener, and that of the future given to
    /// [`shutdown_on`](Self::shutdown_on), both after a shutdown; [`Cancelled`](crate::Cancelled)
    /// if a scope around the server is cancelled, gracefully or not;
    /// [`NotRunning`](crate::NotRunning) outside [`run`](crate::run). After a shutdown of its own,
    /// the server returns `Ok`.
    ///
    /// # Panics
    ///
    /// If a handler panics and [`resume_panics`](Self::resume_panics) was called; if the closure
    /// given to `on_error` panics.
    pub async fn serve<H>(self, handler: H) -> Result<()>
    where
        H: AsyncFn(L::Stream, L::Address) -> Result<()>,
    {
        let Server { listener, most, grace, signal, on_error, on_panic, place } = self;
        let serving = Serving {
            connections: Connections::new(most.unwrap_or_else(most_by_default)),
            care: Care {
                on_error,
                reports: Reports::new("connection", place),
                on_panic,
                dropped: Rc::default(),
            },
            place,
        };
        let shutdown = Shutdown::new(grace, place);
        let draining = CancelScope::of(ScopeRef::new(place));
        let (serving, connections, handler) = (&serving, &serving.connections, &handler);
        let (shutdown, draining) = (&shutdown, &draining);
        // One scope lets all connections finish their work. Anything that has to stop at once takes
        // care of that itself.
        let outcome = shutdown.scope.enter(async |_| {
            let mut outcome = Ok(());
            finishing_at(
                place,
                nursery::open(place, async |n| {
                    if let Some(signal) = signal {
                        n.spawn_at(place, shutdown.begin_on(signal));
                    }
                    let part = |connection| {
                        drop(n.spawn_at(place, part(connection, Open::new(serving))));
                    };
                    let shared = Rc::new(Shared { serving, part });
                    let serve = |(stream, peer): (L::Stream, L::Address)| {
                        let call = move |peer| handler(stream, peer);
                        drop(n.spawn_at(place, Connection::new(call, peer, shared.clone())));
                    };
                    let accepting = accept::forever(&listener, connections, &serve);
                    let Err(error) = until_ending(accepting, Duration::ZERO, place).await;
                    outcome = shutdown.begin_after(error);
                    if !is_cancelled() {
                        connections.drain();
                        #[cfg(feature = "signal")]
                        {
                            let signal = shutdown.end_grace_on_signal();
                            n.spawn_at(place, draining.enter(async move |_| signal.await));
                        }
                    }
                    accept::last(listener, connections, &serve).await;
                    // If this is cancelled meanwhile, so are the connections.
                    let _ = connections.all_close().await;
                    draining.cancel();
                    Ok(())
                }),
            )
            .await?;
            outcome
        });
        let outcome = outcome.await.map(drop);
        report_cut_short(connections.cut_short(), place);
        shutdown.outcome().and(outcome)
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
