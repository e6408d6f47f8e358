//! What leads to a process's standard input.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::AsyncWrite;

use crate::error::{Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::world::pipe::Sender;

/// The pipe that leads to a process's standard input. When it is dropped, the process reads to the
/// end of what was written.
///
/// It implements [`AsyncWrite`] of the `futures` crate, and with the feature `tokio-io` that of
/// tokio. Their `close` and `shutdown` close the pipe, unlike those of a [`Sender`], which several
/// tasks may share.
///
/// If the process has closed its input, writing fails with an [`io::Error`] of the kind
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe).
#[derive(Debug)]
pub struct ChildStdin {
    /// `None` if it was closed through a foreign trait.
    pipe: Option<Sender>,
}

impl ChildStdin {
    pub(super) fn new(pipe: Sender) -> ChildStdin {
        ChildStdin { pipe: Some(pipe) }
    }

    fn pipe(&self) -> io::Result<&Sender> {
        self.pipe.as_ref().ok_or_else(closed)
    }

    /// Writes as much of `bytes` as there is room for in the pipe, and waits while there is none.
    /// Returns the number of bytes written.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been written; the [`io::Error`] of the
    /// system call.
    #[track_caller]
    pub fn write(&self, bytes: &[u8]) -> impl Future<Output = Result<usize>> {
        placed(async move { self.pipe()?.write(bytes).await })
    }

    /// Writes all of `bytes`.
    ///
    /// This takes several [writes](Self::write): if it fails or is dropped, some of the bytes may
    /// have been written, and there is no telling how many. To be able to go on after a
    /// cancellation, call `write` in a loop.
    ///
    /// This is a [checkpoint](crate::checkpoint()), even if there is nothing to write.
    ///
    /// # Errors
    ///
    /// The same as for [`write`](Self::write).
    #[track_caller]
    pub fn write_all(&self, bytes: &[u8]) -> impl Future<Output = Result<()>> {
        placed(async move {
            match bytes {
                [] => checkpoint().await,
                _ => self.pipe()?.write_all(bytes).await,
            }
        })
    }

    /// Returns the end of the pipe, in blocking mode, as it is wanted for the standard output of
    /// another process.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of a system call; an [`io::Error`] of the kind
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if it has been closed.
    #[track_caller]
    pub fn into_blocking(self) -> Result<OwnedFd> {
        self.pipe.ok_or_else(closed)?.into_blocking()
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "this end of the pipe has been closed")
}

impl AsyncWrite for ChildStdin {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe()?).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe()?).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(mut pipe) = self.pipe.as_ref() {
            ready!(Pin::new(&mut pipe).poll_flush(cx))?;
        }
        drop(self.pipe.take());
        Poll::Ready(Ok(()))
    }
}
