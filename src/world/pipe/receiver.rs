//! The end of a pipe that reads.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::AsyncRead;
use rustix::buffer::spare_capacity;

use crate::error::{Error, Result};
use crate::world::by_reference::reads_by_reference;
use crate::world::pipe::{into_blocking, prepare};
use crate::world::reactor::readiness::Side;
use crate::world::reactor::registration::{Operation, Registration};
use crate::world::reactor::verb;
use crate::world::reactor::would_block;

/// The end of a [pipe](crate::pipe) that reads.
///
/// Several tasks can read from it by `&`, and each byte is read by one of them.
pub struct Receiver {
    io: Registration<OwnedFd>,
}

impl Receiver {
    /// Of a pipe in non-blocking mode.
    pub(super) fn new(fd: OwnedFd) -> Receiver {
        Receiver { io: Registration::new(fd) }
    }

    /// Of any pipe, which is put into non-blocking mode.
    pub(in crate::world) fn of_pipe(fd: OwnedFd) -> io::Result<Receiver> {
        Ok(Receiver::new(prepare(fd)?))
    }

    /// Reads whatever is available, at most `buffer.len()` bytes, and waits while there is nothing.
    /// Returns the number of bytes; 0 means the end: nobody has the other end open any more.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been read; the [`io::Error`] of the system
    /// call.
    #[track_caller]
    pub fn read(&self, buffer: &mut [u8]) -> impl Future<Output = Result<usize>> {
        self.io.operate(verb::Read, |io| receive(io, buffer))
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
        /// There is at least so much room for each read. It grows with what was read.
        const ROOM: usize = 4096;
        let before = buffer.len();
        let mut operation = Operation::new(&self.io, verb::Read);
        poll_fn(move |cx| {
            loop {
                let read = |io: &Registration<OwnedFd>| {
                    buffer.reserve(ROOM);
                    unless_too_early(io, rustix::io::read(io, spare_capacity(buffer))?)
                };
                if ready!(operation.poll(cx, read))? == 0 {
                    return Poll::Ready(Ok(buffer.len() - before));
                }
            }
        })
    }

    /// Waits until a read would not wait: until there are bytes, the end, or an error.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn readable(&self) -> impl Future<Output = Result<()>> {
        self.io.operate(verb::Readable, |io| would_block::check(io, Side::Read))
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

fn receive(io: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    match buffer {
        [] => Ok(0),
        _ => unless_too_early(io, rustix::io::read(io, buffer)?),
    }
}

/// A FIFO that nobody has opened for writing yet looks as if it had ended, except to `poll`.
fn unless_too_early(io: &impl AsFd, read: usize) -> io::Result<usize> {
    if read == 0 {
        would_block::check(io, Side::Read)?;
    }
    Ok(read)
}

/// Reads as [`read`](Receiver::read) does, and is a [checkpoint](crate::checkpoint()).
impl AsyncRead for &Receiver {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.io.poll_operation(Side::Read, cx, |io| receive(io, buffer))
    }
}

reads_by_reference!([] Receiver);

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("pipe::Receiver").field(self.io.source()).finish()
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl AsRawFd for Receiver {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// The descriptor is still in non-blocking mode.
impl From<Receiver> for OwnedFd {
    fn from(receiver: Receiver) -> Self {
        receiver.io.into_source()
    }
}

/// Takes over the end of a pipe that reads, and puts it into non-blocking mode. It fails for what is
/// no pipe.
impl TryFrom<OwnedFd> for Receiver {
    type Error = Error;

    #[track_caller]
    fn try_from(fd: OwnedFd) -> Result<Self> {
        Ok(Receiver::of_pipe(fd)?)
    }
}
