//! A stream as two halves, one that reads and one that writes.
//!
//! Borrowed and owned halves are the same except for the pointer to their stream.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::error::{Error, Result};
use crate::world::net::stream::SocketStream;
use crate::world::net::stream::kind::Socket;

/// The half of a [stream](SocketStream::split) that reads.
#[derive(Debug)]
pub struct ReadHalf<'a, S: Socket> {
    stream: &'a SocketStream<S>,
}

/// The half of a [stream](SocketStream::split) that writes.
#[derive(Debug)]
pub struct WriteHalf<'a, S: Socket> {
    stream: &'a SocketStream<S>,
}

/// The half of a [stream](SocketStream::into_split) that reads, and owns the stream together with
/// the other half. When it is dropped, its direction stays open until the other half is dropped
/// too.
#[derive(Debug)]
pub struct OwnedReadHalf<S: Socket> {
    stream: Rc<SocketStream<S>>,
}

/// The half of a [stream](SocketStream::into_split) that writes, and owns the stream together with
/// the other half. Dropping it ends its direction: the peer reads to the end.
#[derive(Debug)]
pub struct OwnedWriteHalf<S: Socket> {
    stream: Rc<SocketStream<S>>,
    on_drop: OnDrop,
}

/// What becomes of a direction when the half that writes is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum OnDrop {
    End,
    LeaveOpen,
}

impl<S: Socket> SocketStream<S> {
    /// Splits the stream into two halves for two tasks, one that reads and one that writes.
    ///
    /// If the `AsyncReadExt` of the `futures` crate is in scope, `stream.split()` is that trait's
    /// method, which takes the stream by value. In that case write `TcpStream::split(&mut stream)`.
    ///
    /// ```
    /// use seedbed::net::UnixStream;
    /// use seedbed::nursery;
    ///
    /// seedbed::run(async {
    ///     let (mut stream, peer) = UnixStream::pair()?;
    ///     let (mut reader, mut writer) = stream.split();
    ///     nursery(async |n| {
    ///         n.spawn(async { writer.write_all(b"ping").await });
    ///         n.spawn(async { peer.write_all(b"pong").await });
    ///         let mut answer = [0; 4];
    ///         reader.read_exact(&mut answer).await
    ///     })
    ///     .await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn split(&mut self) -> (ReadHalf<'_, S>, WriteHalf<'_, S>) {
        (ReadHalf { stream: self }, WriteHalf { stream: self })
    }

    /// Like [`split`](Self::split), but the halves own the stream together. The half that writes
    /// ends its direction when it is dropped.
    ///
    /// ```
    /// use seedbed::net::UnixStream;
    ///
    /// seedbed::run(async {
    ///     let (stream, peer) = UnixStream::pair()?;
    ///     let (reader, writer) = stream.into_split();
    ///     drop(writer);
    ///     assert_eq!(peer.read(&mut [0; 8]).await?, 0);
    ///     peer.write_all(b"still heard").await?;
    ///     # drop(reader);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
        let stream = Rc::new(self);
        (OwnedReadHalf { stream: stream.clone() }, OwnedWriteHalf { stream, on_drop: OnDrop::End })
    }
}

/// The whole stream, for its addresses and options.
macro_rules! whole {
    ($($half:ty),*) => {$(
        impl<S: Socket> AsRef<SocketStream<S>> for $half {
            fn as_ref(&self) -> &SocketStream<S> {
                &self.stream
            }
        }
    )*};
}

whole!(ReadHalf<'_, S>, WriteHalf<'_, S>, OwnedReadHalf<S>, OwnedWriteHalf<S>);

/// Gives both halves that read the same methods.
macro_rules! reads {
    ($half:ty) => {
        impl<S: Socket> $half {
            /// Like [`SocketStream::read`].
            ///
            /// # Errors
            ///
            /// The same as for [`SocketStream::read`].
            #[track_caller]
            pub fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = Result<usize>> {
                self.stream.read(buffer)
            }

            /// Like [`SocketStream::read_vectored`].
            ///
            /// # Errors
            ///
            /// The same as for [`SocketStream::read_vectored`].
            #[track_caller]
            pub fn read_vectored(
                &mut self,
                buffers: &mut [IoSliceMut<'_>],
            ) -> impl Future<Output = Result<usize>> {
                self.stream.read_vectored(buffers)
            }

            /// Like [`SocketStream::read_exact`], which says what a cancellation leaves behind.
            ///
            /// # Errors
            ///
            /// The same as for [`SocketStream::read_exact`].
            #[track_caller]
            pub fn read_exact(&mut self, buffer: &mut [u8]) -> impl Future<Output = Result<()>> {
                self.stream.read_exact(buffer)
            }

            /// Like [`SocketStream::read_to_end`].
            ///
            /// # Errors
            ///
            /// The same as for [`SocketStream::read_to_end`].
            #[track_caller]
            pub fn read_to_end(
                &mut self,
                buffer: &mut Vec<u8>,
            ) -> impl Future<Output = Result<usize>> {
                self.stream.read_to_end(buffer)
            }

            /// Like [`SocketStream::readable`].
            ///
            /// # Errors
            ///
            /// The same as for [`SocketStream::readable`].
            #[track_caller]
            pub fn readable(&mut self) -> impl Future<Output = Result<()>> {
                self.stream.readable()
            }
        }

        /// The same as for a [`SocketStream`].
        impl<S: Socket> AsyncRead for $half {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut &*self.stream).poll_read(cx, buffer)
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut &*self.stream).poll_read_vectored(cx, buffers)
            }
        }
    };
}

reads!(ReadHalf<'_, S>);
reads!(OwnedReadHalf<S>);

/// Gives both halves that write the same methods.
macro_rules! writes {
    ($half:ty) => {
        impl<S: Socket> $half {
            /// Like [`SocketStream::write`].
            ///
            /// # Errors
            ///
            /// The same as for [`SocketStream::write`].
            #[track_caller]
            pub fn write(&mut self, bytes: &[u8]) -> impl Future<Output = Result<usize>> {
                self.stream.write(bytes)
            }

            /// Like [`SocketStream::write_vectored`].
            ///
            /// # Errors
            ///
            /// The same as for [`SocketStream::write_vectored`].
            #[track_caller]
            pub fn write_vectored(
                &mut self,
                buffers: &[IoSlice<'_>],
            ) -> impl Future<Output = Result<usize>> {
                self.stream.write_vectored(buffers)
            }

            /// Like [`SocketStream::write_all`], which says what a cancellation leaves behind.
            ///
            /// # Errors
            ///
            /// The same as for [`SocketStream::write_all`].
            #[track_caller]
            pub fn write_all(&mut self, bytes: &[u8]) -> impl Future<Output = Result<()>> {
                self.stream.write_all(bytes)
            }

            /// Like [`SocketStream::flush`].
            ///
            /// # Errors
            ///
            /// The same as for [`SocketStream::flush`].
            #[track_caller]
            pub fn flush(&mut self) -> impl Future<Output = Result<()>> {
                self.stream.flush()
            }

            /// Ends this direction, like [`SocketStream::shutdown`]: it is not a checkpoint.
            ///
            /// # Errors
            ///
            /// The same as for [`SocketStream::shutdown`].
            #[track_caller]
            pub fn shutdown(&mut self) -> Result<()> {
                self.stream.shutdown(Shutdown::Write)
            }

            /// Like [`SocketStream::writable`].
            ///
            /// # Errors
            ///
            /// The same as for [`SocketStream::writable`].
            #[track_caller]
            pub fn writable(&mut self) -> impl Future<Output = Result<()>> {
                self.stream.writable()
            }
        }

        /// The same as for a [`SocketStream`].
        impl<S: Socket> AsyncWrite for $half {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut &*self.stream).poll_write(cx, bytes)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut &*self.stream).poll_write_vectored(cx, buffers)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut &*self.stream).poll_flush(cx)
            }

            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut &*self.stream).poll_close(cx)
            }
        }
    };
}

writes!(WriteHalf<'_, S>);
writes!(OwnedWriteHalf<S>);

impl<S: Socket> OwnedReadHalf<S> {
    /// Puts the two halves together into the stream again.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`], with both halves, if they belong to different streams.
    ///
    /// ```
    /// use seedbed::net::UnixStream;
    ///
    /// let (stream, _peer) = UnixStream::pair()?;
    /// let (reader, writer) = stream.into_split();
    /// let stream: UnixStream = reader.reunite(writer)?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn reunite(self, other: OwnedWriteHalf<S>) -> Result<SocketStream<S>, ReuniteError<S>> {
        if !Rc::ptr_eq(&self.stream, &other.stream) {
            return Err(ReuniteError(self, other));
        }
        other.forget();
        Ok(Rc::into_inner(self.stream).expect("a stream has two halves"))
    }
}

impl<S: Socket> OwnedWriteHalf<S> {
    /// Like [`OwnedReadHalf::reunite`].
    ///
    /// # Errors
    ///
    /// The same as for [`OwnedReadHalf::reunite`].
    pub fn reunite(self, other: OwnedReadHalf<S>) -> Result<SocketStream<S>, ReuniteError<S>> {
        other.reunite(self)
    }

    /// Drops the half, but leaves its direction open until the other half is dropped too.
    pub fn forget(mut self) {
        self.on_drop = OnDrop::LeaveOpen;
    }
}

impl<S: Socket> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        if self.on_drop == OnDrop::End {
            // This fails only if the direction has already ended.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}

/// The error when two halves that belong to different streams were to be reunited. It contains
/// both.
///
/// It does not implement [`std::error::Error`], because such an error has to be `Send` to become an
/// [`Error`], and the halves are not. With `?` the halves are dropped and the message is kept.
pub struct ReuniteError<S: Socket>(pub OwnedReadHalf<S>, pub OwnedWriteHalf<S>);

impl<S: Socket> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves belong to different streams")
    }
}

impl<S: Socket> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReuniteError").field(&self.0).field(&self.1).finish()
    }
}

impl<S: Socket> From<ReuniteError<S>> for Error {
    #[track_caller]
    fn from(error: ReuniteError<S>) -> Error {
        Error::msg(error.to_string())
    }
}
