//! A connection whose handshake is done.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::mem;
#[cfg(feature = "hyper")]
use std::mem::MaybeUninit;
use std::panic::Location;
use std::task::{Context, Poll, Waker, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::error::{Result, placed};
use crate::operation::paid::Paid;
use crate::schedule::current;
use crate::scope::current::in_scope;
use crate::scope::move_on_after;
use crate::scope::tree::pool::ScopeRef;
use crate::world::net::closing::LIMIT;
use crate::world::tls::io::Io;
use crate::world::tls::transfer::Transfer;

/// A connection with TLS over a stream `S`, for which [`connect`](super::connect) or
/// [`accept`](super::accept) has done the handshake.
///
/// Two tasks can use it at the same time, by `&`: one reads, the other writes. Both may wait, and
/// neither keeps the other waiting. (Two that read, or two that write, are not supported.)
///
/// # Cancellation
///
/// All methods that return a future are [checkpoints](crate::checkpoint()), over whatever stream. A
/// [`read`](Self::read) or a [`write`](Self::write) has either happened or failed with
/// [`Cancelled`](crate::Cancelled), never both, and the connection can be used afterwards.
///
/// # How it ends
///
/// The peer says that it sends no more by a *close_notify*; only then is there an end to be read.
/// If the stream underneath ends without that, reading fails, once everything before has been
/// read: somebody may have cut off the rest.
///
/// * [`shutdown`](Self::shutdown) ends our direction in this way. The peer can still send.
/// * [`close`](Self::close) does that and then waits for the peer, so that nothing that was written
///   is cut off.
/// * Dropping it says nothing: the peer reads an error. So a task that fails half-way through an
///   answer, or is cancelled, cannot make what it has sent look complete.
///
/// # Code for other runtimes
///
/// A `TlsStream`, and a `&` of one, implements [`AsyncRead`] and [`AsyncWrite`] of the `futures`
/// crate, and with the feature `tokio-io` those of tokio. Whatever is written through these has to
/// be flushed. They are checkpoints; but while they wait, it is the stream underneath that has to
/// notice a cancellation, as those of this crate do. A state machine such as a WebSocket goes into a
/// [`cancellable_stream`](crate::cancellable_stream), because an error ends it.
///
/// ```
/// use futures::AsyncReadExt;
/// use seedbed::net::TcpStream;
/// use seedbed::tls::TlsStream;
///
/// async fn send_back(stream: TlsStream<TcpStream>) -> seedbed::Result<()> {
///     futures::io::copy(&stream, &mut &stream).await?;
///     stream.close().await
/// }
/// ```
pub struct TlsStream<S> {
    /// What rustls keeps is more than a kilobyte, and streams are moved around.
    io: Box<Io<S>>,
    /// Whether what is read, or written, through foreign traits has been counted.
    reading: Paid,
    writing: Paid,
}

impl<S> TlsStream<S> {
    pub(super) fn new(io: Box<Io<S>>) -> Self {
        TlsStream { io, reading: Paid::default(), writing: Paid::default() }
    }

    /// The protocol that the two sides have agreed on by ALPN, such as `h2`. `None` if one side has
    /// offered none.
    #[must_use]
    pub fn alpn_protocol(&self) -> Option<Vec<u8>> {
        self.with_connection(|connection| connection.alpn_protocol().map(<[u8]>::to_vec))
    }

    /// Calls `f` with what rustls knows of the connection: certificates, versions, the name that
    /// the client asked for.
    ///
    /// # Panics
    ///
    /// If `f` does, or if this is called by something that the connection itself has called, such
    /// as a verifier of certificates.
    ///
    /// ```
    /// use seedbed::tls::TlsStream;
    /// use seedbed::tls::rustls::{Connection, ProtocolVersion};
    ///
    /// fn version<S>(stream: &TlsStream<S>) -> Option<ProtocolVersion> {
    ///     stream.with_connection(|connection| connection.protocol_version())
    /// }
    ///
    /// /// The name that the client has asked for.
    /// fn name<S>(stream: &TlsStream<S>) -> Option<String> {
    ///     stream.with_connection(|connection| match connection {
    ///         Connection::Server(server) => server.server_name().map(String::from),
    ///         Connection::Client(_) => None,
    ///     })
    /// }
    /// ```
    pub fn with_connection<R>(&self, f: impl FnOnce(&rustls::Connection) -> R) -> R {
        self.io.with_session(|session| f(session.connection()))
    }

    /// Calls `f` with the stream underneath, for its addresses and options.
    ///
    /// # Panics
    ///
    /// If `f` does, or if this is called by the stream underneath.
    pub fn with_stream<R>(&self, f: impl FnOnce(&S) -> R) -> R {
        self.io.with_stream(f)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    /// Reads whatever is available, at most `buffer.len()` bytes, and waits while there is nothing.
    /// Returns the number of bytes; 0 means that the peer has said that it sends no more.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been read; [`TlsFailed`](super::TlsFailed),
    /// inside an [`io::Error`], also if the connection has ended in another way; the error of the
    /// stream underneath.
    #[track_caller]
    pub fn read(&self, buffer: &mut [u8]) -> impl Future<Output = Result<usize>> {
        let mut transfer = Transfer::new();
        poll_fn(move |cx| transfer.poll(cx, |cx| self.poll_read_some(cx, buffer)))
    }

    /// Fills the whole buffer.
    ///
    /// This takes several [reads](Self::read): if it fails or is dropped, part of `buffer` may have
    /// been filled, and there is no telling how much.
    ///
    /// This is a [checkpoint](crate::checkpoint()), even if the buffer is empty.
    ///
    /// # Errors
    ///
    /// The same as for [`read`](Self::read); an [`io::Error`] of the kind
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the end comes first.
    #[track_caller]
    pub fn read_exact(&self, mut buffer: &mut [u8]) -> impl Future<Output = Result<()>> {
        let mut transfer = Transfer::new();
        poll_fn(move |cx| {
            loop {
                let is_all = buffer.is_empty();
                let read = transfer.poll(cx, |cx| match is_all {
                    true => Poll::Ready(Ok(0)), // but it is a checkpoint
                    false => self.poll_read_some(cx, buffer),
                });
                match ready!(read)? {
                    0 if is_all => return Poll::Ready(Ok(())),
                    0 => {
                        let error = io::Error::from(io::ErrorKind::UnexpectedEof);
                        return Poll::Ready(Err(transfer.failure(error)));
                    }
                    n => buffer = &mut mem::take(&mut buffer)[n..],
                }
                if buffer.is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
        })
    }

    /// Reads to the end, and returns how many bytes were added to `buffer`.
    ///
    /// Nothing is lost if this fails or is dropped: what was read is in `buffer`, and another call
    /// appends to it.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// The same as for [`read`](Self::read).
    #[track_caller]
    pub fn read_to_end(&self, buffer: &mut Vec<u8>) -> impl Future<Output = Result<usize>> {
        let before = buffer.len();
        let mut transfer = Transfer::new();
        poll_fn(move |cx| {
            loop {
                let mut take = |piece: &[u8]| {
                    buffer.extend_from_slice(piece);
                    piece.len()
                };
                let read = transfer.poll(cx, |cx| self.io.poll_read(cx, &mut take));
                if ready!(read)? == 0 {
                    return Poll::Ready(Ok(buffer.len() - before));
                }
            }
        })
    }

    /// Writes some of `bytes`, and waits while the stream underneath takes none. Returns the number
    /// of bytes written.
    ///
    /// If the stream underneath has not taken all of the ciphertext, the rest goes out with the next
    /// write, flush or close, and also while the connection is being read.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been written; the error of the stream
    /// underneath, perhaps for bytes that were written earlier; [`TlsFailed`](super::TlsFailed),
    /// inside an [`io::Error`].
    #[track_caller]
    pub fn write(&self, bytes: &[u8]) -> impl Future<Output = Result<usize>> {
        let mut transfer = Transfer::new();
        poll_fn(move |cx| transfer.poll(cx, |cx| self.poll_write_some(cx, bytes)))
    }

    /// Writes all of `bytes`, and returns when the stream underneath has taken them.
    ///
    /// This takes several [writes](Self::write): if it fails or is dropped, some of the bytes may
    /// have been written, and there is no telling how many.
    ///
    /// This is a [checkpoint](crate::checkpoint()), even if there is nothing to write.
    ///
    /// # Errors
    ///
    /// The same as for [`write`](Self::write).
    #[track_caller]
    pub fn write_all(&self, mut bytes: &[u8]) -> impl Future<Output = Result<()>> {
        let mut transfer = Transfer::new();
        poll_fn(move |cx| {
            while !bytes.is_empty() {
                match ready!(transfer.poll(cx, |cx| self.poll_write_some(cx, bytes)))? {
                    0 => {
                        let error = io::Error::from(io::ErrorKind::WriteZero);
                        return Poll::Ready(Err(transfer.failure(error)));
                    }
                    n => bytes = &bytes[n..],
                }
            }
            transfer.poll(cx, |cx| self.io.poll_flush(cx))
        })
    }

    /// Waits until the stream underneath has taken everything that was written.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// The same as for [`write`](Self::write).
    #[track_caller]
    pub fn flush(&self) -> impl Future<Output = Result<()>> {
        let mut transfer = Transfer::new();
        poll_fn(move |cx| transfer.poll(cx, |cx| self.io.poll_flush(cx)))
    }

    /// Ends our direction: everything that was written is sent, then a close_notify, and then the
    /// same direction of the stream underneath is ended. The peer reads to the end, and may still
    /// write. (Some do not: TLS before 1.3 has them end their direction at once.)
    ///
    /// This is a [checkpoint](crate::checkpoint()). If it is cancelled or dropped, nothing more can
    /// be written, and another call goes on where it was.
    ///
    /// # Errors
    ///
    /// The same as for [`write`](Self::write).
    #[track_caller]
    pub fn shutdown(&self) -> impl Future<Output = Result<()>> {
        let mut transfer = Transfer::new();
        poll_fn(move |cx| transfer.poll(cx, |cx| self.io.poll_close(cx)))
    }

    /// Closes the connection without cutting off what was written to it: [shuts](Self::shutdown)
    /// our direction down, then reads and discards whatever comes until the peer has ended its
    /// direction too, for at most 2 seconds, and drops the stream.
    ///
    /// A client should do this even if it has read its answer to the end: servers send it more than
    /// the answer (tickets, for later connections), and a TCP connection that is dropped with
    /// something unread in it is reset, which may take away what was sent last.
    ///
    /// Success does not mean that the peer has read everything: only an answer from the peer could
    /// tell. It is not an error if the connection is broken.
    ///
    /// This is a [checkpoint](crate::checkpoint()). If it is cancelled or dropped, the stream is
    /// dropped then and there. The peer has been told that this is the end, even if it is cancelled
    /// from the start, if everything has been sent and the stream takes that at once.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); [`NotRunning`](crate::NotRunning) outside
    /// [`run`](crate::run).
    #[track_caller]
    pub fn close(self) -> impl Future<Output = Result<()>> {
        let place = Location::caller();
        placed(async move {
            if current::is_running() {
                let scope = ScopeRef::new(place);
                scope.set_shield(true);
                let cx = &mut Context::from_waker(Waker::noop());
                let _ = in_scope(&scope, || self.io.poll_close(cx)); // what is left comes below
            }
            let ended = async {
                match self.shutdown().await {
                    Err(error) if error.is_cancelled() => return Err(error),
                    _ => {} // if the connection is broken, this is the end as well
                }
                let mut transfer = Transfer::new();
                poll_fn(|cx| transfer.poll(cx, |cx| self.io.poll_discard(cx))).await
            };
            move_on_after(LIMIT, ended).await.map(drop)
        })
    }

    fn poll_read_some(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut rest = into;
        if rest.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.io.poll_read(cx, |piece| {
            let n = piece.len().min(rest.len());
            let (taken, left) = mem::take(&mut rest).split_at_mut(n);
            taken.copy_from_slice(&piece[..n]);
            rest = left;
            n
        })
    }

    fn poll_write_some(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.io.poll_write(cx, &[IoSlice::new(bytes)])
    }

    // The same through foreign traits, which have no state of their own: nothing tells where one
    // operation ends and the next begins.

    pub(super) fn poll_read_foreign(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.reading.operate(cx, |cx| self.poll_read_some(cx, into))
    }

    /// Like [`AsyncRead::poll_read`], but into memory that need not be initialized. The bytes that
    /// were read are at its beginning, and are initialized.
    #[cfg(feature = "hyper")]
    pub(crate) fn poll_read_uninit(
        &self,
        cx: &mut Context<'_>,
        into: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        let mut rest = into;
        self.reading.operate(cx, |cx| {
            self.io.poll_read(cx, |piece| {
                let n = piece.len().min(rest.len());
                let (taken, left) = mem::take(&mut rest).split_at_mut(n);
                taken.write_copy_of_slice(&piece[..n]);
                rest = left;
                n
            })
        })
    }

    pub(super) fn poll_write_foreign(
        &self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if pieces.iter().all(|piece| piece.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.writing.operate(cx, |cx| self.io.poll_write(cx, pieces))
    }

    pub(super) fn poll_flush_foreign(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writing.operate(cx, |cx| self.io.poll_flush(cx))
    }

    pub(super) fn poll_close_foreign(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writing.operate(cx, |cx| self.io.poll_close(cx))
    }
}

impl<S> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("peer", self.io.peer()).finish_non_exhaustive()
    }
}
