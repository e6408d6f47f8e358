//! Traits of other libraries that streams implement.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::error::{Error, Result};
use crate::world::by_reference::{reads_by_reference, writes_by_reference};
use crate::world::net::stream::kind::Socket;
use crate::world::net::stream::transfer::{self, at_once, receive, send, send_vectored};
use crate::world::net::stream::{SocketStream, learn};
use crate::world::reactor::readiness::Side;

impl<S: Socket> AsyncRead for &SocketStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.io.poll_operation(Side::Read, cx, |io| {
            learn(io, Side::Read, buffer.len(), receive(io, buffer))
        })
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let (pieces, length) = at_once(buffers);
        let buffers = &mut buffers[..pieces];
        self.io.poll_operation(Side::Read, cx, |io| {
            learn(io, Side::Read, length, io.source().io().read_vectored(buffers))
        })
    }
}

impl<S: Socket> AsyncWrite for &SocketStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io.poll_operation(Side::Write, cx, |io| {
            learn(io, Side::Write, bytes.len(), send(io, bytes))
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let (pieces, length) = at_once(buffers);
        let buffers = &buffers[..pieces];
        self.io.poll_operation(Side::Write, cx, |io| {
            learn(io, Side::Write, length, send_vectored(io, buffers, length))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_checkpoint(Side::Write, cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.io.poll_checkpoint(Side::Write, cx))?;
        Poll::Ready(transfer::shutdown(self.io.source(), Shutdown::Write))
    }
}

reads_by_reference!([S: Socket] SocketStream<S>);

writes_by_reference!([S: Socket] SocketStream<S>);

impl<S: Socket> fmt::Debug for SocketStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

impl<S: Socket> AsFd for SocketStream<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.source().as_fd()
    }
}

impl<S: Socket> AsRawFd for SocketStream<S> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<S: Socket> From<SocketStream<S>> for OwnedFd {
    fn from(stream: SocketStream<S>) -> Self {
        stream.into_std().into()
    }
}

/// Takes over a connected socket, and puts it into non-blocking mode, which may fail.
impl<S: Socket> TryFrom<OwnedFd> for SocketStream<S> {
    type Error = Error;

    #[track_caller]
    fn try_from(fd: OwnedFd) -> Result<Self> {
        Self::from_std(fd.into())
    }
}
