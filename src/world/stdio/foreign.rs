//! Traits of other libraries that the standard streams implement.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::world::stdio::input::Input;
use crate::world::stdio::output::Output;

/// It is a checkpoint, and a [`Cancelled`](crate::Cancelled) comes inside the [`io::Error`].
impl AsyncRead for Input {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_read_some(buffer, cx)
    }
}

/// It is a checkpoint, and a [`Cancelled`](crate::Cancelled) comes inside the [`io::Error`].
///
/// If a write is given up while a thread is at it, it happens all the same: the next one first
/// waits for it. If that one has the same bytes it is the same write.
///
/// There is nothing to flush. Closing is flushing: the descriptor belongs to others as well.
impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_some(bytes, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_settle(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
