//! The ends of the pipes that lead to a process and back.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use rustix::buffer::spare_capacity;

use crate::error::{Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::world::reactor::readiness::{Reads, Side, Writes};
use crate::world::reactor::registration::Registration;

/// An end of a pipe. The other end is an open file of its own, so that the process does not notice
/// that this one does not block.
fn not_blocking(end: OwnedFd) -> io::Result<Registration<OwnedFd>> {
    rustix::io::ioctl_fionbio(&end, true)?;
    Ok(Registration::new(end))
}

fn blocking(end: OwnedFd) -> Result<OwnedFd> {
    rustix::io::ioctl_fionbio(&end, false).map_err(io::Error::from)?;
    Ok(end)
}

fn read(io: &Registration<OwnedFd>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(io.source(), buffer)?)
}

fn write(io: &Registration<OwnedFd>, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::io::write(io.source(), bytes)?)
}

/// What leads to a process's standard input. When it is dropped, the process reads to the end of
/// what was written.
///
/// It implements [`AsyncWrite`] of the `futures` crate, and with the feature `tokio-io` that of
/// tokio. Their `close` and `shutdown` close the pipe.
///
/// If the process has closed its input, writing fails with an [`io::Error`] of the kind
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe).
pub struct ChildStdin {
    /// `None` if it was closed through a foreign trait.
    io: Option<Registration<OwnedFd>>,
}

impl ChildStdin {
    pub(super) fn new(end: OwnedFd) -> io::Result<ChildStdin> {
        Ok(ChildStdin { io: Some(not_blocking(end)?) })
    }

    fn io(&self) -> io::Result<&Registration<OwnedFd>> {
        self.io.as_ref().ok_or_else(|| {
            io::Error::new(io::ErrorKind::BrokenPipe, "this end of the pipe has been closed")
        })
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
        placed(async move {
            let io = self.io()?;
            io.operate(Writes, |io| write(io, bytes)).await
        })
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
    pub fn write_all(&self, mut bytes: &[u8]) -> impl Future<Output = Result<()>> {
        placed(async move {
            if bytes.is_empty() {
                return checkpoint().await;
            }
            while !bytes.is_empty() {
                let written = self.write(bytes).await?;
                bytes = &bytes[written..];
            }
            Ok(())
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
    pub fn into_owned_fd(self) -> Result<OwnedFd> {
        self.io()?;
        blocking(self.io.expect("it has just been there").into_source())
    }
}

impl AsyncWrite for ChildStdin {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io()?.poll_operation(Side::Write, cx, |io| write(io, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_checkpoint(Side::Write, cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(io) = &self.io {
            ready!(io.poll_checkpoint(Side::Write, cx))?;
        }
        drop(self.io.take());
        Poll::Ready(Ok(()))
    }
}

/// What leads from a process's standard output, or from its standard error.
///
/// It implements [`AsyncRead`] of the `futures` crate, and with the feature `tokio-io` that of
/// tokio.
///
/// The end comes when every process that has the other end has closed it or has ended. These may be
/// more than the process itself: see [what outlives it](super#what-outlives-the-process).
pub struct ChildOutput {
    io: Registration<OwnedFd>,
}

impl ChildOutput {
    pub(super) fn new(end: OwnedFd) -> io::Result<ChildOutput> {
        Ok(ChildOutput { io: not_blocking(end)? })
    }

    /// Reads whatever is in the pipe, at most `buffer.len()` bytes, and waits while there is
    /// nothing. Returns the number of bytes; 0 means the end.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been read; the [`io::Error`] of the system
    /// call.
    #[track_caller]
    pub fn read(&self, buffer: &mut [u8]) -> impl Future<Output = Result<usize>> {
        self.io.operate(Reads, |io| read(io, buffer))
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
        /// There is at least so much room for each read.
        const ROOM: usize = 4096;
        placed(async move {
            let before = buffer.len();
            loop {
                buffer.reserve(ROOM);
                let read = self.io.operate(Reads, |io| {
                    Ok(rustix::io::read(io.source(), spare_capacity(&mut *buffer))?)
                });
                if read.await? == 0 {
                    return Ok(buffer.len() - before);
                }
            }
        })
    }

    /// Returns the end of the pipe, in blocking mode, as it is wanted for the standard input of
    /// another process.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of a system call.
    ///
    /// ```
    /// use seedbed::nursery;
    /// use seedbed::process::{Command, Stdio};
    ///
    /// seedbed::run(async {
    ///     let sorted = nursery(async |n| {
    ///         let mut printf = Command::new("printf");
    ///         let mut printf = printf.arg("b\\na\\n").stdout(Stdio::piped()).spawn(n)?;
    ///         let words = printf.stdout.take().unwrap().into_owned_fd()?;
    ///         Command::new("sort").stdin(Stdio::from(words)).run().await
    ///     })
    ///     .await?;
    ///     assert_eq!(sorted.stdout, b"a\nb\n");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn into_owned_fd(self) -> Result<OwnedFd> {
        blocking(self.io.into_source())
    }
}

impl AsyncRead for ChildOutput {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.io.poll_operation(Side::Read, cx, |io| read(io, buffer))
    }
}

impl AsFd for ChildOutput {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.source().as_fd()
    }
}

impl fmt::Debug for ChildOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChildOutput").field(&self.io).finish()
    }
}

impl fmt::Debug for ChildStdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChildStdin").field(&self.io).finish()
    }
}

#[cfg(feature = "tokio-io")]
mod of_tokio {
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::{ChildOutput, ChildStdin, Context, Pin, Poll, io, ready};

    /// The same as the `AsyncRead` of `futures`. This needs the feature `tokio-io`.
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio-io")))]
    impl AsyncRead for ChildOutput {
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

    /// The same as the `AsyncWrite` of `futures`. This needs the feature `tokio-io`.
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio-io")))]
    impl AsyncWrite for ChildStdin {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            futures_io::AsyncWrite::poll_write(self, cx, bytes)
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            futures_io::AsyncWrite::poll_flush(self, cx)
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            futures_io::AsyncWrite::poll_close(self, cx)
        }
    }
}
