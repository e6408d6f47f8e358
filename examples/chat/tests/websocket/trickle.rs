//! A stream that takes and gives a few bytes at a time, and lets others run in between.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};

/// How many bytes pass at once.
const AT_ONCE: usize = 7;

pub struct Trickle<S> {
    stream: S,
    reads: Turn,
    writes: Turn,
}

#[derive(Clone, Copy, PartialEq)]
enum Turn {
    Ours,
    OfOthers,
}

impl<S> Trickle<S> {
    pub fn new(stream: S) -> Trickle<S> {
        Trickle { stream, reads: Turn::OfOthers, writes: Turn::OfOthers }
    }
}

/// Pends every other time.
fn let_others_run(turn: &mut Turn, cx: &Context<'_>) -> Poll<()> {
    match turn {
        Turn::Ours => {
            *turn = Turn::OfOthers;
            Poll::Ready(())
        }
        Turn::OfOthers => {
            *turn = Turn::Ours;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Trickle<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(let_others_run(&mut self.reads, cx));
        let length = buffer.len().min(AT_ONCE);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut buffer[..length]);
        if polled.is_pending() {
            self.reads = Turn::Ours; // it has let others run
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Trickle<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(let_others_run(&mut self.writes, cx));
        let length = bytes.len().min(AT_ONCE);
        let polled = Pin::new(&mut self.stream).poll_write(cx, &bytes[..length]);
        if polled.is_pending() {
            self.writes = Turn::Ours;
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
