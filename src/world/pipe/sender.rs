//! The end of a pipe that writes.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::AsyncWrite;

use crate::error::{Error, Result};
use crate::world::by_reference::writes_by_reference;
use crate::world::pipe::{into_blocking, prepare};
use crate::world::reactor::readiness::Side;
use crate::world::reactor::registration::{Operation, Registration};
use crate::world::reactor::verb;
use crate::world::reactor::would_block;

/// The end of a [pipe](crate::pipe) that writes. Dropping the last one ends the pipe: its reader
/// reads to the end.
///
/// Several tasks can write to it by `&`. A write of at most `PIPE_BUF` bytes (4096 on Linux) is not
/// mixed with others.
pub struct Sender {
    io: Registration<OwnedFd>,
}

impl Sender {
    /// Of a pipe in non-blocking mode.
    pub(super) fn new(fd: OwnedFd) -> Sender {
        Sender { io: Registration::new(fd) }
    }

    /// Of any pipe, which is put into non-blocking mode.
    pub(in crate::world) fn of_pipe(fd: OwnedFd) -> io::Result<Sender> {
        Ok(Sender::new(prepare(fd)?))
    }

    /// Writes as much of `bytes` as there is room for, and waits while there is none. Returns the
    /// number of bytes written. At most `PIPE_BUF` bytes are written whole or not at all.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been written; the [`io::Error`] of the
    /// system call, of the kind [`BrokenPipe`](io::ErrorKind::BrokenPipe) if nobody has the other
    /// end open any more.
    #[track_caller]
    pub fn write(&self, bytes: &[u8]) -> impl Future<Output = Result<usize>> {
        self.io.operate(verb::Write, |io| Ok(rustix::io::write(io, bytes)?))
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
        let mut operation = Operation::new(&self.io, verb::Write);
        poll_fn(move |cx| {
            if bytes.is_empty() {
                return operation.poll_checkpoint(cx);
            }
            loop {
                let write = |io: &Registration<OwnedFd>| Ok(rustix::io::write(io, bytes)?);
                bytes = &bytes[ready!(operation.poll(cx, write))?..];
                if bytes.is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
        })
    }

    /// Waits until a write would not wait: until there is room, or nobody reads any more.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn writable(&self) -> impl Future<Output = Result<()>> {
        self.io.operate(verb::Writable, |io| would_block::check(io, Side::Write))
    }

    /// Returns the descriptor in blocking mode, for a program that expects that.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    #[track_caller]
    pub fn into_blocking(self) -> Result<OwnedFd> {
        Ok(into_blocking(self.into())?)
    }
}

/// Writes as [`write`](Sender::write) does, and is a [checkpoint](crate::checkpoint()). Flushing
/// does nothing, and neither does closing: dropping the `Sender` ends the pipe.
impl AsyncWrite for &Sender {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io.poll_operation(Side::Write, cx, |io| Ok(rustix::io::write(io, bytes)?))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_checkpoint(Side::Write, cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

writes_by_reference!([] Sender);

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("pipe::Sender").field(self.io.source()).finish()
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl AsRawFd for Sender {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// The descriptor is still in non-blocking mode.
impl From<Sender> for OwnedFd {
    fn from(sender: Sender) -> Self {
        sender.io.into_source()
    }
}

/// Takes over the end of a pipe that writes, and puts it into non-blocking mode. It fails for what
/// is no pipe.
impl TryFrom<OwnedFd> for Sender {
    type Error = Error;

    #[track_caller]
    fn try_from(fd: OwnedFd) -> Result<Self> {
        Ok(Sender::of_pipe(fd)?)
    }
}
