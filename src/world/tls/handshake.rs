//! The handshake, on either side.

use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

use crate::error::{Error, Result};
use crate::scope::timers::alarm::Alarm;
use crate::world::tls::failure::{Broken, TlsFailed, When, Why};
use crate::world::tls::io::Io;
use crate::world::tls::peer::Peer;
use crate::world::tls::session::Session;
use crate::world::tls::stream::TlsStream;
use crate::world::tls::transfer::Transfer;

/// How long a handshake may take, unless something else is [asked for](Handshake::limit).
const LIMIT: Duration = Duration::from_secs(10);

/// Begins TLS as a client, over a stream of any kind. The server's certificate has to be for
/// `name`, which is a host name or an IP address (also in brackets, as in a URL), and is sent to
/// the server, unless `config` says otherwise.
///
/// This is done within 10 seconds, or within another [limit](Handshake::limit). If it fails or is
/// dropped, the stream is dropped too. A peer that was sent something it does not like is told why,
/// by an alert, as far as the stream takes that without waiting.
///
/// This is a [checkpoint](crate::checkpoint()).
///
/// # Errors
///
/// [`TlsFailed`], inside an [`io::Error`]; an [`io::Error`] of the kind
/// [`InvalidInput`](io::ErrorKind::InvalidInput) if no certificate could be for such a name;
/// [`Cancelled`](crate::Cancelled).
///
/// ```
/// use seedbed::net::TcpStream;
/// use seedbed::tls::{self, rustls::ClientConfig};
/// use std::sync::Arc;
///
/// /// The configuration has no `alpn_protocols`, so the server expects HTTP/1.
/// async fn ask(config: &Arc<ClientConfig>) -> seedbed::Result<Vec<u8>> {
///     let stream = TcpStream::connect("example.org:443").await?;
///     let stream = tls::connect(config, "example.org", stream).await?;
///     stream.write_all(b"GET / HTTP/1.0\r\nhost: example.org\r\n\r\n").await?;
///     let mut answer = Vec::new();
///     stream.read_to_end(&mut answer).await?; // an answer that is cut off is an error
///     stream.close().await?;
///     Ok(answer)
/// }
/// ```
#[track_caller]
pub fn connect<S>(config: &Arc<ClientConfig>, name: &str, stream: S) -> Handshake<S> {
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    let Ok(server) = ServerName::try_from(bare.to_owned()) else {
        let text = format!("no certificate can be for `{name}`, which is no name of a host");
        return Handshake::failing(io::Error::new(io::ErrorKind::InvalidInput, text));
    };
    let peer = Peer::Server(server.clone());
    let connection = ClientConnection::new(config.clone(), server).map(Connection::from);
    Handshake::new(connection, stream, peer)
}

/// Begins TLS as a server, over a stream of any kind, such as a connection that was accepted.
///
/// This belongs into the task of the connection, where a slow client delays nobody else. It is done
/// within 10 seconds, or within another [limit](Handshake::limit). If it fails or is dropped, the
/// stream is dropped too. A client that has sent something bad is told, by an alert, as far as the
/// stream takes that without waiting.
///
/// This is a [checkpoint](crate::checkpoint()).
///
/// # Errors
///
/// [`TlsFailed`], inside an [`io::Error`]; [`Cancelled`](crate::Cancelled).
///
/// ```
/// use seedbed::net::TcpListener;
/// use seedbed::tls::{self, rustls::ServerConfig};
/// use std::sync::Arc;
///
/// async fn serve(listener: TcpListener, config: &Arc<ServerConfig>) -> seedbed::Result<()> {
///     seedbed::serve(listener, async |stream, _peer| {
///         let stream = tls::accept(config, stream).await?;
///         stream.write_all(b"hello\n").await?;
///         stream.close().await
///     })
///     .await
/// }
/// ```
#[track_caller]
pub fn accept<S>(config: &Arc<ServerConfig>, stream: S) -> Handshake<S> {
    let peer = Peer::client_of(&stream);
    let connection = ServerConnection::new(config.clone()).map(Connection::from);
    Handshake::new(connection, stream, peer)
}

/// The future of [`connect`] and [`accept`].
#[must_use = "futures do nothing unless awaited"]
pub struct Handshake<S> {
    state: State<S>,
    unflushed: bool,
    limit: Duration,
    alarm: Option<Alarm>,
    transfer: Transfer,
}

enum State<S> {
    Going(Box<Io<S>>),
    /// It cannot even begin.
    Failing(Error),
    Over,
}

impl<S> Handshake<S> {
    #[track_caller]
    fn new(connection: Result<Connection, rustls::Error>, stream: S, peer: Peer) -> Self {
        match connection {
            Ok(connection) => {
                let io = Io::new(Session::new(connection), stream, peer);
                Self::begin(State::Going(Box::new(io)))
            }
            Err(error) => {
                let why = Why::Broken(Broken::Rustls(error));
                Self::failing(TlsFailed::new(&peer, When::Handshake, why).into())
            }
        }
    }

    #[track_caller]
    fn failing(error: io::Error) -> Self {
        Self::begin(State::Failing(error.into()))
    }

    #[track_caller]
    fn begin(state: State<S>) -> Self {
        let transfer = Transfer::new();
        Handshake { state, unflushed: false, limit: LIMIT, alarm: None, transfer }
    }

    /// Sets how long it may take, counted from when it is first polled. After that it fails with an
    /// error of the kind [`TimedOut`](io::ErrorKind::TimedOut). [`Duration::MAX`] means no limit.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

// Nothing in it is pinned.
impl<S> Unpin for Handshake<S> {}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Handshake<S> {
    type Output = Result<TlsStream<S>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Handshake { state, unflushed, limit, alarm, transfer } = self.get_mut();
        let done = ready!(transfer.poll(cx, |cx| match state {
            State::Going(io) => {
                if let Poll::Ready(outcome) = io.poll_handshake(cx, unflushed) {
                    return Poll::Ready(outcome);
                }
                let alarm = alarm.get_or_insert_with(|| Alarm::after(*limit));
                ready!(Pin::new(alarm).poll(cx));
                let late = TlsFailed::new(io.peer(), When::Handshake, Why::Late(*limit));
                Poll::Ready(Err(io::Error::from(late).into()))
            }
            State::Failing(_) => {
                let State::Failing(error) = mem::replace(state, State::Over) else {
                    unreachable!("it was just looked at")
                };
                Poll::Ready(Err(error))
            }
            State::Over => panic!("a TLS handshake was polled after it was ready"),
        }));
        // Dropping this is foreign code.
        let former = mem::replace(state, State::Over);
        *alarm = None;
        Poll::Ready(match (done, former) {
            (Ok(()), State::Going(io)) => Ok(TlsStream::new(io)),
            (Ok(()), _) => unreachable!("only a handshake that goes on is done"),
            (Err(error), _) => Err(error),
        })
    }
}

impl<S> std::fmt::Debug for Handshake<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshake").field("limit", &self.limit).finish_non_exhaustive()
    }
}
