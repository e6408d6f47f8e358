//! tokio's [`AsyncRead`] and [`AsyncWrite`] (feature `tokio-io`) for streams, their halves, TLS,
//! pipes, files, processes and standard streams, so that libraries that need tokio's traits, but not
//! its runtime, work over them.
//!
//! These are the functions of `futures_io` under other names, and are checkpoints too: a
//! [`Cancelled`](crate::Cancelled) comes inside the [`io::Error`].

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

macro_rules! reads {
    ($([$($generics:tt)*] $reader:ty),*) => {$(
        /// The same as the `AsyncRead` of `futures`. This needs the feature `tokio-io`.
        #[cfg_attr(docsrs, doc(cfg(feature = "tokio-io")))]
        impl<$($generics)*> AsyncRead for $reader {
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

macro_rules! writes {
    ($([$($generics:tt)*] $writer:ty, $vectored:expr);*) => {$(
        /// The same as the `AsyncWrite` of `futures`. This needs the feature `tokio-io`.
        #[cfg_attr(docsrs, doc(cfg(feature = "tokio-io")))]
        impl<$($generics)*> AsyncWrite for $writer {
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
                $vectored
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

#[cfg(feature = "net")]
mod of_net {
    use super::*;
    use crate::world::net::{
        OwnedReadHalf, OwnedWriteHalf, ReadHalf, Socket, SocketStream, WriteHalf,
    };

    reads!(
        [S: Socket] &SocketStream<S>,
        [S: Socket] SocketStream<S>,
        [S: Socket] ReadHalf<'_, S>,
        [S: Socket] OwnedReadHalf<S>
    );

    writes!(
        [S: Socket] &SocketStream<S>, true;
        [S: Socket] SocketStream<S>, true;
        [S: Socket] WriteHalf<'_, S>, true;
        [S: Socket] OwnedWriteHalf<S>, true
    );
}

#[cfg(any(feature = "net", feature = "process"))]
mod of_pipes {
    use super::*;
    use crate::world::pipe::{Receiver, Sender};

    reads!([] &Receiver, [] Receiver);
    writes!([] &Sender, false; [] Sender, false);
}

#[cfg(feature = "process")]
mod of_processes {
    use super::*;

    writes!([] crate::world::process::ChildStdin, false);
}

#[cfg(feature = "fs")]
mod of_files {
    use super::*;
    use crate::world::fs::File;

    reads!([] File);
    writes!([] File, false);
}

#[cfg(feature = "stdio")]
mod of_standard_streams {
    use super::*;
    use crate::world::stdio::{Input, Output};

    reads!([] Input);
    writes!([] Output, false);
}

#[cfg(feature = "tls")]
mod of_tls {
    use super::*;
    use crate::world::tls::TlsStream;

    reads!(
        [S: futures_io::AsyncRead + futures_io::AsyncWrite + Unpin] &TlsStream<S>,
        [S: futures_io::AsyncRead + futures_io::AsyncWrite + Unpin] TlsStream<S>
    );

    writes!(
        [S: futures_io::AsyncRead + futures_io::AsyncWrite + Unpin] &TlsStream<S>, true;
        [S: futures_io::AsyncRead + futures_io::AsyncWrite + Unpin] TlsStream<S>, true
    );
}
