//! Reading and writing a stream, for hyper.

use std::fmt;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::slice;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBufCursor, Write};

use crate::error::{Error, Result};
use crate::platform::downcast::downcast;
use crate::serve::hyper::cancellation;
use crate::serve::hyper::connection::state::State;
use crate::serve::hyper::rt::shared::Shared;
use crate::serve::hyper::rt::thread_bound::ThreadBound;
use crate::world::net::{TcpStream, UnixStream};
use crate::world::reactor::chunks::ReadinessRef;
#[cfg(feature = "tls")]
use crate::world::tls::TlsStream;

/// A stream that hyper can read and write, over any stream of this crate and anything else that
/// implements [`AsyncRead`] and [`AsyncWrite`].
///
/// Reads and writes are checkpoints, as the stream's own are: hyper fails with an error that has
/// the [`Cancelled`](crate::Cancelled) as its cause. They are not in a connection that is driven by
/// [`gracefully`](crate::hyper::gracefully), which itself decides when hyper has to fail, because
/// hyper then drops the handlers.
///
/// It is `Send`, because hyper asks for that where a connection may be upgraded, but is of no use
/// on another thread: there it panics when it is used, and is leaked when it is dropped.
///
/// ```
/// use seedbed::{hyper::Io, net::UnixStream};
///
/// let (ours, _theirs) = UnixStream::pair()?;
/// let io = Io::new(ours);
/// let ours = io.into_inner();
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Debug)]
pub struct Io<S>(ThreadBound<Inner<S>>);

struct Inner<S> {
    stream: S,
    /// Bytes that were read from the stream earlier, and that hyper has not read yet.
    prefix: Vec<u8>,
    prefix_read: usize,
    /// The connection that the stream belongs to, once that is driven.
    state: Option<Rc<State>>,
}

impl<S> Io<S> {
    /// Wraps a stream.
    pub fn new(stream: S) -> Self {
        Io::with_prefix(stream, Vec::new())
    }

    /// Wraps a stream from which these bytes have been read already, for example to find out which
    /// protocol its peer speaks. hyper reads them first.
    pub fn with_prefix(stream: S, read: Vec<u8>) -> Self {
        cancellation::recognise();
        Io(ThreadBound::new(Inner { stream, prefix: read, prefix_read: 0, state: None }))
    }

    /// Returns the stream. The rest of the prefix is lost.
    ///
    /// # Panics
    ///
    /// On any thread except the one it was made on.
    pub fn into_inner(self) -> S {
        self.0.into_inner().stream
    }

    /// The stream, for its addresses and options.
    ///
    /// # Panics
    ///
    /// On any thread except the one it was made on.
    pub fn get_ref(&self) -> &S {
        &self.0.get().stream
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Io<S> {
    /// Wraps the stream of a connection that is going to be driven.
    pub(crate) fn of(stream: S, read: Vec<u8>, state: Rc<State>) -> Self {
        let mut io = Io::with_prefix(stream, read);
        let inner = io.0.get_mut();
        state.set_bound();
        inner.join(state);
        io
    }
}

impl<S: fmt::Debug> fmt::Debug for Inner<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl<S> Inner<S> {
    /// The connection that the stream belongs to, while the connection is driven.
    fn state(&mut self) -> Option<Rc<State>> {
        if self.state.is_none()
            && let Some(state) = State::bind()
        {
            self.join(state);
        }
        self.state.clone().filter(|state| !state.is_over())
    }

    fn join(&mut self, state: Rc<State>) {
        state.traffic.input(&self.prefix);
        // If the stream cannot be observed, its reads and writes tell.
        if let Some(peer) = observe(&self.stream).and_then(Result::ok) {
            state.client.set_peer(peer);
        }
        self.state = Some(state);
    }
}

/// What the kernel says about the other end of a stream of this crate.
fn observe<S>(stream: &S) -> Option<Result<ReadinessRef>> {
    if let Some(stream) = downcast::<S, TcpStream>(stream) {
        return Some(stream.observe());
    }
    if let Some(stream) = downcast::<S, Shared<TcpStream>>(stream) {
        return Some(stream.borrow().observe());
    }
    if let Some(stream) = downcast::<S, Shared<UnixStream>>(stream) {
        return Some(stream.borrow().observe());
    }
    if let Some(stream) = downcast::<S, UnixStream>(stream) {
        return Some(stream.observe());
    }
    #[cfg(feature = "tls")]
    return observe_under_tls(stream);
    #[cfg(not(feature = "tls"))]
    None
}

/// The same for a stream of TLS over one.
#[cfg(feature = "tls")]
fn observe_under_tls<S>(stream: &S) -> Option<Result<ReadinessRef>> {
    if let Some(stream) = downcast::<S, Shared<TlsStream<TcpStream>>>(stream) {
        return Some(stream.borrow().with_stream(TcpStream::observe));
    }
    if let Some(stream) = downcast::<S, TlsStream<TcpStream>>(stream) {
        return Some(stream.with_stream(TcpStream::observe));
    }
    if let Some(stream) = downcast::<S, Shared<TlsStream<UnixStream>>>(stream) {
        return Some(stream.borrow().with_stream(UnixStream::observe));
    }
    let stream = downcast::<S, TlsStream<UnixStream>>(stream)?;
    Some(stream.with_stream(UnixStream::observe))
}

/// Reads from a stream of this crate, into memory that need not be initialized: hyper offers 8 KiB
/// or more, three times per request, and does not say whether it has already been zeroed. `None`
/// for other streams.
fn poll_read_ours<S>(
    stream: &S,
    cx: &mut Context<'_>,
    unfilled: &mut [MaybeUninit<u8>],
) -> Option<Poll<io::Result<usize>>> {
    if let Some(stream) = downcast::<S, Shared<TcpStream>>(stream) {
        return Some(stream.borrow().poll_read_uninit(cx, unfilled));
    }
    if let Some(stream) = downcast::<S, Shared<UnixStream>>(stream) {
        return Some(stream.borrow().poll_read_uninit(cx, unfilled));
    }
    if let Some(stream) = downcast::<S, TcpStream>(stream) {
        return Some(stream.poll_read_uninit(cx, unfilled));
    }
    if let Some(stream) = downcast::<S, UnixStream>(stream) {
        return Some(stream.poll_read_uninit(cx, unfilled));
    }
    #[cfg(feature = "tls")]
    {
        if let Some(stream) = downcast::<S, Shared<TlsStream<TcpStream>>>(stream) {
            return Some(stream.borrow().poll_read_uninit(cx, unfilled));
        }
        if let Some(stream) = downcast::<S, TlsStream<TcpStream>>(stream) {
            return Some(stream.poll_read_uninit(cx, unfilled));
        }
    }
    None
}

impl<S: AsyncRead + Unpin> Inner<S> {
    /// Reads into `buffer`, and returns how much.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<usize>> {
        /// How much is read at once from a foreign stream. `AsyncRead` reads only into initialized
        /// memory, which has to be zeroed first, and after some large reads hyper offers up to
        /// 400 KiB.
        const MOST: usize = 16 * 1024;
        let rest = &self.prefix[self.prefix_read..];
        if !rest.is_empty() {
            let n = rest.len().min(buffer.remaining());
            buffer.put_slice(&rest[..n]);
            self.prefix_read += n;
            if self.prefix_read == self.prefix.len() {
                (self.prefix, self.prefix_read) = (Vec::new(), 0);
            }
            return Poll::Ready(Ok(n));
        }
        if let Some(state) = &self.state
            && let Some(n) = state.read_ahead(buffer)
        {
            return Poll::Ready(Ok(n));
        }
        // SAFETY: nothing that is initialized is made uninitialized.
        let unfilled = unsafe { buffer.as_mut() };
        let most = unfilled.len().min(MOST);
        let n = match poll_read_ours(&self.stream, cx, unfilled) {
            Some(polled) => ready!(polled)?,
            None => {
                let unfilled = buffer.initialize_unfilled_to(most);
                let n = ready!(Pin::new(&mut self.stream).poll_read(cx, unfilled))?;
                assert!(n <= most, "a stream claims to have read more than fits in the buffer");
                n
            }
        };
        // SAFETY: that many bytes were read into the buffer, or initialized before.
        unsafe {
            if let Some(state) = &self.state
                && state.traffic.looks_at_bytes()
            {
                let read = slice::from_raw_parts(buffer.as_mut().as_ptr().cast::<u8>(), n);
                state.traffic.input(read);
            }
            buffer.advance(n);
        }
        Poll::Ready(Ok(n))
    }
}

/// What hyper is told about an operation on a stream that is driven.
fn told<T>(state: &State, outcome: io::Result<T>) -> Poll<io::Result<T>> {
    match outcome {
        Ok(value) => Poll::Ready(Ok(value)),
        // The driver will see the error when hyper has nothing more to do.
        Err(error) => {
            state.client.fail(error);
            Poll::Pending
        }
    }
}

impl<S: AsyncRead + Unpin> Read for Io<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let inner = self.get_mut().0.get_mut();
        let Some(state) = inner.state() else {
            return inner.poll_read(cx, &mut buffer).map_ok(drop);
        };
        if let Some(why) = state.stopped() {
            return Poll::Ready(Err(Error::from(why).into()));
        }
        if state.client.has_met_end() && state.keeps_end_back() || state.client.has_failed() {
            return Poll::Pending;
        }
        let Poll::Ready(outcome) = state.calmly(|| inner.poll_read(cx, &mut buffer)) else {
            state.read_polled(Poll::Pending);
            return Poll::Pending;
        };
        let n = ready!(told(&state, outcome))?;
        state.read_polled(Poll::Ready(n));
        if n == 0 && state.keeps_end_back() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Io<S> {
    /// Polls an operation of the side that writes; `sent` says how many bytes one has written.
    fn poll_write_with<T>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
        sent: impl FnOnce(&T, &State) -> usize,
    ) -> Poll<io::Result<T>> {
        let inner = self.get_mut().0.get_mut();
        let Some(state) = inner.state() else {
            return poll(Pin::new(&mut inner.stream), cx);
        };
        if let Some(why) = state.stopped() {
            return Poll::Ready(Err(Error::from(why).into()));
        }
        if state.client.has_failed() {
            return Poll::Pending;
        }
        let Poll::Ready(outcome) = state.calmly(|| poll(Pin::new(&mut inner.stream), cx)) else {
            state.traffic.write_polled(Poll::Pending);
            return Poll::Pending;
        };
        let value = ready!(told(&state, outcome))?;
        state.traffic.write_polled(Poll::Ready(sent(&value, &state)));
        Poll::Ready(Ok(value))
    }
}

impl<S: AsyncWrite + Unpin> Write for Io<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(
            cx,
            |stream, cx| stream.poll_write(cx, bytes),
            |n, state| {
                state.traffic.output(&bytes[..*n]);
                *n
            },
        )
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_with(cx, |stream, cx| stream.poll_flush(cx), |(), _| 0)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_with(cx, |stream, cx| stream.poll_close(cx), |(), _| 0)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(
            cx,
            |stream, cx| stream.poll_write_vectored(cx, buffers),
            |n, state| {
                let mut rest = *n;
                for buffer in buffers {
                    let written = rest.min(buffer.len());
                    state.traffic.output(&buffer[..written]);
                    rest -= written;
                }
                *n
            },
        )
    }
}
