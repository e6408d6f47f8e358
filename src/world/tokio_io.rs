//! tokio's [`AsyncRead`] and [`AsyncWrite`] for streams and their halves (feature `tokio-io`), so
//! that libraries that need tokio's traits, but not its runtime, work over them.
//!
//! These are the functions of `futures_io` under other names, and are checkpoints too: a
//! [`Cancelled`](crate::Cancelled) comes inside the [`io::Error`].

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::world::net::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, Socket, SocketStream, WriteHalf};

macro_rules! reads {
    ($($reader:ty),*) => {$(
        /// The same as the `AsyncRead` of `futures`. This needs the feature `tokio-io`.
        #[cfg_attr(docsrs, doc(cfg(feature = "tokio-io")))]
        impl<S: Socket> AsyncRead for $reader {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let unfilled = buffer.initialize_unfilled();
                let n = ready!(futures_io::AsyncRead::poll_read(self, cx, unfilled))?;
                buffer.advance(n);
                Poll::Ready(Ok(()))
            }
        }
    )*};
}

reads!(&SocketStream<S>, SocketStream<S>, ReadHalf<'_, S>, OwnedReadHalf<S>);

macro_rules! writes {
    ($($writer:ty),*) => {$(
        /// The same as the `AsyncWrite` of `futures`. This needs the feature `tokio-io`.
        #[cfg_attr(docsrs, doc(cfg(feature = "tokio-io")))]
        impl<S: Socket> AsyncWrite for $writer {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                futures_io::AsyncWrite::poll_write(self, cx, bytes)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                futures_io::AsyncWrite::poll_write_vectored(self, cx, buffers)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                futures_io::AsyncWrite::poll_flush(self, cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                futures_io::AsyncWrite::poll_close(self, cx)
            }
        }
    )*};
}

writes!(&SocketStream<S>, SocketStream<S>, WriteHalf<'_, S>, OwnedWriteHalf<S>);
