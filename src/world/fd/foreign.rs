//! The traits of `futures_io` for descriptors whose owner reads and writes in the standard library's
//! way.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::world::by_reference::{reads_by_reference, writes_by_reference};
use crate::world::fd::AsyncFd;

/// Reads as `T` does, and is a [checkpoint](crate::checkpoint()).
impl<T: AsFd> AsyncRead for &AsyncFd<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_with(cx, |mut io| io.read(buffer))
    }
}

/// Writes as `T` does, and is a [checkpoint](crate::checkpoint()). Flushing does nothing else than
/// `T`'s `flush`, and closing does the same: dropping the `AsyncFd` closes what it owns.
impl<T: AsFd> AsyncWrite for &AsyncFd<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |mut io| io.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_checkpoint(cx))?;
        let mut io = AsyncFd::get_ref(*self);
        Poll::Ready(io.flush())
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

reads_by_reference!([T: AsFd] AsyncFd<T> where for<'a> &'a T: Read);

writes_by_reference!([T: AsFd] AsyncFd<T> where for<'a> &'a T: Write);
