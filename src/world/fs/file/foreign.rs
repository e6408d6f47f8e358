//! Traits of other libraries that files implement.

use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};

use crate::world::fs::file::File;

/// Reads at the [cursor](File#the-cursor). It is a checkpoint, and a
/// [`Cancelled`](crate::Cancelled) comes inside the [`io::Error`].
impl AsyncRead for File {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_some(buffer, cx).map_err(File::foreign)
    }
}

/// Writes at the [cursor](File#the-cursor). It is a checkpoint, and a
/// [`Cancelled`](crate::Cancelled) comes inside the [`io::Error`].
///
/// If a write is given up while a thread is at it, it happens all the same: the next one first
/// waits for it. If that one has the same bytes it is the same write.
///
/// There is nothing to flush. Closing is flushing, and the file is closed when it is dropped.
impl AsyncWrite for File {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_some(bytes, cx).map_err(File::foreign)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_settle(cx));
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// Moves the [cursor](File#the-cursor).
impl AsyncSeek for File {
    fn poll_seek(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        self.poll_seek_to(to, cx).map_err(File::foreign)
    }
}
