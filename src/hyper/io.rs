//! A stream, for hyper.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
#[cfg(unix)]
use std::ptr;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBufCursor, Write};

#[cfg(unix)]
use crate::net::{TcpStream, UnixStream};

/// Makes a stream one that hyper reads and writes: any of this crate's, and whatever else is
/// [`AsyncRead`] and [`AsyncWrite`].
///
/// The reads and writes are checkpoints, as the stream's own are: hyper fails with an error that
/// has the [`Cancelled`](crate::Cancelled) as its cause.
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
pub struct Io<S> {
    stream: S,
    /// Read from the stream before, and not yet by hyper.
    prefix: Vec<u8>,
    prefix_read: usize,
}

impl<S> Io<S> {
    /// Over this stream.
    pub fn new(stream: S) -> Self {
        Io::with_prefix(stream, Vec::new())
    }

    /// Over a stream of which these bytes have been read already, for one to find out which
    /// protocol its peer speaks: hyper reads them first.
    pub fn with_prefix(stream: S, read: Vec<u8>) -> Self {
        Io { stream, prefix: read, prefix_read: 0 }
    }

    /// The stream. What is left of the prefix is lost.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// The stream, for its addresses and options.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

/// Reads from a stream of this crate, into memory that need not be initialized. hyper offers 8 KiB or
/// more, three times per request, and does not say that it was zeroed before. `None` for other
/// streams.
#[cfg(unix)]
fn poll_read_ours<S>(
    stream: &S,
    cx: &Context<'_>,
    room: &mut [MaybeUninit<u8>],
) -> Option<Poll<io::Result<usize>>> {
    fn downcast<S, T: 'static>(stream: &S) -> Option<&T> {
        let is_same = typeid::of::<S>() == typeid::of::<T>();
        // SAFETY: it is the same type, and has no lifetimes.
        is_same.then(|| unsafe { &*ptr::from_ref(stream).cast::<T>() })
    }
    if let Some(stream) = downcast::<S, TcpStream>(stream) {
        return Some(stream.poll_read_uninit(cx, room));
    }
    downcast::<S, UnixStream>(stream).map(|stream| stream.poll_read_uninit(cx, room))
}

#[cfg(not(unix))]
fn poll_read_ours<S>(
    _: &S,
    _: &Context<'_>,
    _: &mut [MaybeUninit<u8>],
) -> Option<Poll<io::Result<usize>>> {
    None
}

impl<S: AsyncRead + Unpin> Read for Io<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        /// How much is read at once from a stream of others. `AsyncRead` reads into initialized
        /// memory only, so the room is zeroed before, and hyper offers up to 400 KiB after some
        /// large reads.
        const MOST: usize = 16 * 1024;
        let this = self.get_mut();
        let rest = &this.prefix[this.prefix_read..];
        if !rest.is_empty() {
            let n = rest.len().min(buffer.remaining());
            buffer.put_slice(&rest[..n]);
            this.prefix_read += n;
            if this.prefix_read == this.prefix.len() {
                (this.prefix, this.prefix_read) = (Vec::new(), 0);
            }
            return Poll::Ready(Ok(()));
        }
        // SAFETY: what is initialized stays so.
        let room = unsafe { buffer.as_mut() };
        let most = room.len().min(MOST);
        let n = match poll_read_ours(&this.stream, cx, room) {
            Some(polled) => ready!(polled)?,
            None => {
                let room = buffer.initialize_unfilled_to(most);
                let n = ready!(Pin::new(&mut this.stream).poll_read(cx, room))?;
                assert!(n <= most, "a stream says that it has read more than there was room for");
                n
            }
        };
        // SAFETY: that many bytes were read into it, or initialized before.
        unsafe { buffer.advance(n) };
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Write for Io<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }
}
