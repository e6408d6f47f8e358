//! Streams: what connections of TCP and of the Unix domain have in common, reading and writing.
//!
//! | file | concept |
//! |---|---|
//! | `kind` | the kinds of streams, and what differs between them |
//! | `transfer` | the system calls that move bytes |
//! | `halves` | a stream as a half that reads and a half that writes |
//! | `foreign` | the traits of other libraries |

mod foreign;
mod halves;
mod kind;
pub(super) mod transfer;

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::task::Context;
use std::task::{Poll, ready};

pub use halves::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use kind::Socket;

use crate::error::Result;
use crate::error::placed;
use crate::operation::checkpoint::checkpoint;
use crate::world::net::closing;
use crate::world::net::stream::transfer::receive_uninit;
use crate::world::net::stream::transfer::{at_once, receive, send, send_vectored};
use crate::world::reactor::readiness::{Kind, Side};
use crate::world::reactor::registration::{Operation, Registration};
use crate::world::reactor::verb;
use crate::world::reactor::would_block;

/// A stream of bytes to a peer, and one back: a [`TcpStream`](super::TcpStream) or a
/// [`UnixStream`](super::UnixStream).
///
/// Two tasks can use it at the same time, by `&`: one reads, the other writes. Two readers or two
/// writers are allowed too, but then nothing determines which of them gets which bytes. To rule
/// that out, [`split`](Self::split) the stream.
///
/// Dropping a stream leaves closing it to the kernel. What was written is still sent, unless there
/// is input that nobody has read, or more arrives: then the kernel resets the connection, and the
/// peer may lose what was written last. [`close`](Self::close) waits for the peer to end its
/// direction too, and a [server](crate::Server) does so for the streams that its handlers drop.
///
/// # Code for other runtimes
///
/// A stream, and a `&` of one, implements [`AsyncRead`](futures_io::AsyncRead) and
/// [`AsyncWrite`](futures_io::AsyncWrite) of the `futures` crate, and with the feature `tokio-io`
/// those of tokio. Their operations are checkpoints too: a [`Cancelled`](crate::Cancelled) comes
/// out inside an [`io::Error`], which `?` turns back into the [`Error`](crate::Error) that it was.
/// A state machine of another crate, such as a WebSocket, takes that for the end of the stream: put
/// it into a [`cancellable_stream`](crate::cancellable_stream), and it goes on.
///
/// ```
/// use futures::AsyncReadExt;
/// use seedbed::net::{SocketStream, Socket, UnixStream};
/// use std::net::Shutdown;
///
/// /// Works for either kind of stream.
/// async fn send_back<S: Socket>(stream: &SocketStream<S>) -> seedbed::Result<()> {
///     futures::io::copy(stream, &mut &*stream).await?;
///     stream.shutdown(Shutdown::Write)
/// }
///
/// seedbed::run(async {
///     let (client, server) = UnixStream::pair()?;
///     client.write_all(b"hello").await?;
///     client.shutdown(Shutdown::Write)?;
///     send_back(&server).await?;
///     let mut text = String::new();
///     (&client).read_to_string(&mut text).await?; // one of `AsyncReadExt`
///     assert_eq!(text, "hello");
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct SocketStream<S: Socket> {
    io: Registration<S>,
}

impl<S: Socket> SocketStream<S> {
    /// A stream over a socket in non-blocking mode that this side has connected.
    pub(super) fn new(socket: S) -> Self {
        SocketStream { io: Registration::new(socket) }
    }

    /// A stream over a socket in non-blocking mode that was accepted, or that comes from elsewhere.
    pub(super) fn accepted(socket: S) -> Self {
        SocketStream { io: Registration::of_kind(Kind::Accepted, socket) }
    }

    pub(super) fn registration(&self) -> &Registration<S> {
        &self.io
    }

    /// Takes over a connected stream of the standard library, and puts it into non-blocking mode.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    ///
    /// ```
    /// use seedbed::net::UnixStream;
    ///
    /// let (ours, _theirs) = std::os::unix::net::UnixStream::pair()?;
    /// let stream = UnixStream::from_std(ours)?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn from_std(stream: S) -> Result<Self> {
        stream.set_nonblocking()?;
        // The standard library does this for sockets that it makes itself, but not for others.
        #[cfg(target_vendor = "apple")]
        socket2::SockRef::from(&stream).set_nosigpipe(true)?;
        Ok(Self::accepted(stream))
    }

    /// Returns the stream of the standard library. It is still in non-blocking mode.
    pub fn into_std(mut self) -> S {
        self.io.take_source().expect("only dropping the stream takes it too")
    }

    /// Reads whatever is available, at most `buffer.len()` bytes, and waits while there is nothing.
    /// Returns the number of bytes; 0 means the end: the peer will send no more.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been read; the [`io::Error`] of the
    /// system call.
    #[track_caller]
    pub fn read(&self, buffer: &mut [u8]) -> impl Future<Output = Result<usize>> {
        self.io.operate(verb::Read, |io| learn(io, Side::Read, buffer.len(), receive(io, buffer)))
    }

    /// Like [`read`](Self::read), into several buffers, one after the other. The system takes a
    /// limited number of buffers in one call (1024 on Linux); the others are not used.
    ///
    /// # Errors
    ///
    /// The same as for [`read`](Self::read).
    #[track_caller]
    pub fn read_vectored(
        &self,
        buffers: &mut [IoSliceMut<'_>],
    ) -> impl Future<Output = Result<usize>> {
        let (pieces, length) = at_once(buffers);
        let buffers = &mut buffers[..pieces];
        self.io.operate(verb::Read, move |io| {
            learn(io, Side::Read, length, io.source().io().read_vectored(buffers))
        })
    }

    /// Fills the whole buffer.
    ///
    /// This takes several [reads](Self::read): if it fails or is dropped, part of `buffer` may have
    /// been filled, and there is no telling how much. To be able to go on after a cancellation,
    /// call `read` in a loop.
    ///
    /// This is a [checkpoint](crate::checkpoint()), even if the buffer is empty.
    ///
    /// # Errors
    ///
    /// The same as for [`read`](Self::read); an [`io::Error`] of the kind
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the end comes first.
    #[track_caller]
    pub fn read_exact(&self, mut buffer: &mut [u8]) -> impl Future<Output = Result<()>> {
        let mut operation = Operation::new(&self.io, verb::Read);
        poll_fn(move |cx| {
            if buffer.is_empty() {
                return operation.poll_checkpoint(cx);
            }
            loop {
                let rest = &mut *buffer;
                let read =
                    |io: &Registration<S>| learn(io, Side::Read, rest.len(), receive(io, rest));
                match ready!(operation.poll(cx, read))? {
                    0 => {
                        let error = io::Error::from(io::ErrorKind::UnexpectedEof);
                        return Poll::Ready(Err(operation.failure(error)));
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
        /// How many bytes may be read before the task's budget is checked again.
        const CHUNK: u64 = 64 * 1024;
        let before = buffer.len();
        let mut operation = Operation::new(&self.io, verb::Read);
        poll_fn(move |cx| {
            loop {
                let read = |io: &Registration<S>| io.source().io().take(CHUNK).read_to_end(buffer);
                if (ready!(operation.poll(cx, read))? as u64) < CHUNK {
                    return Poll::Ready(Ok(buffer.len() - before));
                }
            }
        })
    }

    /// Writes as much of `bytes` as the system takes, and waits while it takes none. Returns the
    /// number of bytes written.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been written; the [`io::Error`] of the
    /// system call.
    #[track_caller]
    pub fn write(&self, bytes: &[u8]) -> impl Future<Output = Result<usize>> {
        self.io.operate(verb::Write, |io| learn(io, Side::Write, bytes.len(), send(io, bytes)))
    }

    /// Like [`write`](Self::write), from several buffers, one after the other. The system takes a
    /// limited number of buffers in one call (1024 on Linux); the others are not written.
    ///
    /// # Errors
    ///
    /// The same as for [`write`](Self::write).
    #[track_caller]
    pub fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> impl Future<Output = Result<usize>> {
        let (pieces, length) = at_once(buffers);
        let buffers = &buffers[..pieces];
        self.io.operate(verb::Write, move |io| {
            learn(io, Side::Write, length, send_vectored(io, buffers, length))
        })
    }

    /// Writes all of `bytes`.
    ///
    /// This takes several [writes](Self::write): if it fails or is dropped, some of the bytes may
    /// have been written, and there is no telling how many. To be able to go on after a
    /// cancellation, call `write` in a loop. Otherwise the stream is of no further use if its peer
    /// must not get half a message.
    ///
    /// This is a [checkpoint](crate::checkpoint()), even if there is nothing to write.
    ///
    /// # Errors
    ///
    /// The same as for [`write`](Self::write).
    #[track_caller]
    pub fn write_all(&self, mut bytes: &[u8]) -> impl Future<Output = Result<()>> {
        let mut operation = Operation::new(&self.io, verb::Write);
        poll_fn(move |cx| {
            if bytes.is_empty() {
                return operation.poll_checkpoint(cx);
            }
            loop {
                let write =
                    |io: &Registration<S>| learn(io, Side::Write, bytes.len(), send(io, bytes));
                match ready!(operation.poll(cx, write))? {
                    0 => {
                        let error = io::Error::from(io::ErrorKind::WriteZero);
                        return Poll::Ready(Err(operation.failure(error)));
                    }
                    n => bytes = &bytes[n..],
                }
                if bytes.is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
        })
    }

    /// Does nothing, because a stream buffers nothing itself, but is a
    /// [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn flush(&self) -> impl Future<Output = Result<()>> {
        placed(checkpoint())
    }

    /// Ends one direction of the stream, or both: after `Shutdown::Write` the peer reads to the
    /// end, and may still write. What was written before is still sent.
    ///
    /// It is not an error if a direction has already ended, because it was shut down or because the
    /// peer has reset the connection. The `close` of `futures` and the `shutdown` of tokio's
    /// `AsyncWriteExt` do the same as `Shutdown::Write`, after a checkpoint.
    ///
    /// It does not wait for anything, so it is not a checkpoint, and works in a cancelled scope.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    #[track_caller]
    pub fn shutdown(&self, how: Shutdown) -> Result<()> {
        Ok(transfer::shutdown(self.io.source(), how)?)
    }

    /// Closes the stream without cutting off what was written to it.
    ///
    /// A stream that is merely dropped is closed by the kernel, which resets the connection if
    /// there is input that nobody has read, or if more arrives afterwards. Then the peer may lose
    /// what was written last, even if it has already received it: the answer to a request that was
    /// refused half-way, for example. So this ends the direction that writes, as
    /// [`shutdown`](Self::shutdown) does, then reads and discards whatever comes until the peer has
    /// ended its direction too, and closes the socket. It waits for at most 2 seconds; after that
    /// the kernel closes the connection.
    ///
    /// Success does not mean that the peer has read everything: only an answer from the peer could
    /// tell. It is not an error if the peer has reset the connection, or if the connection is
    /// broken in another way.
    ///
    /// This is a [checkpoint](crate::checkpoint()). If it is cancelled or dropped, the stream is
    /// closed then and there, as if it had been dropped.
    ///
    /// A stream in [owned halves](Self::into_split) has to be
    /// [put together](OwnedReadHalf::reunite) first. If the `AsyncWriteExt` of `futures` is in
    /// scope, `(&mut stream).close()` is the method of that trait, which waits for nothing and only
    /// ends the direction that writes.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); [`NotRunning`](crate::NotRunning) outside
    /// [`run`](crate::run).
    ///
    /// ```
    /// use seedbed::net::UnixStream;
    /// use seedbed::nursery;
    ///
    /// seedbed::run(async {
    ///     let (client, server) = UnixStream::pair()?;
    ///     client.write_all(b"a request that the server does not read to its end").await?;
    ///     let mut answer = Vec::new();
    ///     nursery(async |n| {
    ///         n.spawn(async {
    ///             server.read(&mut [0; 9]).await?;
    ///             server.write_all(b"no").await?;
    ///             server.close().await
    ///         });
    ///         client.read_to_end(&mut answer).await?;
    ///         client.close().await
    ///     })
    ///     .await?;
    ///     assert_eq!(answer, b"no");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn close(self) -> impl Future<Output = Result<()>> {
        placed(async move {
            let outcome = closing::linger(&self.io, closing::LIMIT).await;
            // The stream is done with: a server that collects dropped streams has nothing left to
            // do.
            drop(self.into_std());
            outcome
        })
    }

    /// Waits until a read would not wait: until there are bytes, the end, or an error.
    ///
    /// With this a task can wait for its peer without keeping a buffer, and make system calls for
    /// which this crate has no method.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn readable(&self) -> impl Future<Output = Result<()>> {
        self.io.operate(verb::Readable, |io| would_block::check(io, Side::Read))
    }

    /// Waits until a write would not wait: until the system takes bytes, or there is an error.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn writable(&self) -> impl Future<Output = Result<()>> {
        self.io.operate(verb::Writable, |io| would_block::check(io, Side::Write))
    }

    /// The kernel's reports about the other end, even while no operation is waiting.
    pub(crate) fn observe(&self) -> Result<crate::world::reactor::chunks::ReadinessRef> {
        self.io.observe()
    }

    /// Like [`AsyncRead::poll_read`](futures_io::AsyncRead::poll_read), but into memory that need
    /// not be initialized. The bytes that were read are at its beginning, and are initialized.
    pub(crate) fn poll_read_uninit(
        &self,
        cx: &Context<'_>,
        buffer: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        self.io.poll_operation(Side::Read, cx, |io| {
            let outcome = receive_uninit(io, buffer);
            learn(io, Side::Read, buffer.len(), outcome)
        })
    }
}

impl<S: Socket> Drop for SocketStream<S> {
    /// A connection that was accepted is parted with politely: see `closing`.
    fn drop(&mut self) {
        if self.io.kind() == Kind::Accepted
            && let Some(socket) = self.io.take_source()
        {
            closing::part(socket.into());
        }
    }
}

/// Passes on the outcome of a system call. If it shows that the next call would block, that call is
/// saved.
fn learn<S: Socket>(
    io: &Registration<S>,
    side: Side,
    asked: usize,
    outcome: io::Result<usize>,
) -> io::Result<usize> {
    if let Ok(n) = outcome
        && S::SHORT_IS_LAST
        && 0 < n
        && n < asked
    {
        io.exhausted(side);
    }
    outcome
}
