//! Waiting for any descriptor that can be polled.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll};

use rustix::fs::OFlags;
use rustix::pipe::PIPE_BUF;

use crate::error::Result;
use crate::world::fd::pollable;
use crate::world::reactor::readiness::Side;
use crate::world::reactor::registration::Registration;
use crate::world::reactor::verb::{self, Verb};
use crate::world::reactor::would_block;

/// Waits for a descriptor: a pipe, a terminal, an eventfd, a timerfd, inotify, a socket of another
/// library. What it owns or borrows is anything that [has a descriptor](AsFd), which must always be
/// the same one.
///
/// [`read`](Self::read) and [`write`](Self::write) move bytes. [`read_with`](Self::read_with) and
/// [`write_with`](Self::write_with) call a function of yours instead, and
/// [`readable`](Self::readable) and [`writable`](Self::writable) only wait. The module has an
/// [example](crate::fd), and says how to build on this.
///
/// Several tasks can use it by `&`, in both directions. A descriptor is registered with the run
/// when something has to wait for it for the first time, and deregistered when this is dropped or
/// [taken apart](Self::into_inner), inside a run or outside. It can move from one run on a thread
/// to the next. The same descriptor can be registered only once in a run: to wait for it in two
/// places, share the `AsyncFd`, or duplicate the descriptor.
///
/// # Blocking descriptors
///
/// A descriptor need not be in non-blocking mode, and its mode is left alone, because it belongs to
/// all who have inherited the descriptor: a shell and its programs share that of their terminal. For
/// one in blocking mode every call is preceded by a `poll`, so that it does not block, as long as
/// nobody else has used the descriptor in between. A read may be of any length; a write should be of
/// at most `PIPE_BUF` bytes (4096 on Linux), and [`write`](Self::write) writes no more at once. For
/// one that is only yours, [`set_nonblocking`](Self::set_nonblocking) saves these calls and lifts
/// the limits.
pub struct AsyncFd<T: AsFd> {
    io: Registration<T>,
    mode: Cell<Mode>,
}

/// What the system does when an operation cannot be done now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Blocks,
    Fails,
}

impl<T: AsFd> AsyncFd<T> {
    /// Prepares to wait for this descriptor. Nothing is registered yet, and the descriptor's mode is
    /// not changed.
    ///
    /// # Errors
    ///
    /// An [`io::Error`]: of the kind [`InvalidInput`](io::ErrorKind::InvalidInput) if this is a
    /// file, a directory or a block device, for which the system does not tell when they are ready;
    /// the error says what to do instead. Otherwise that of the system call.
    ///
    /// ```
    /// use seedbed::fd::AsyncFd;
    ///
    /// let file = std::fs::File::open(std::env::current_exe()?)?;
    /// let error = AsyncFd::new(&file).unwrap_err();
    /// assert!(error.to_string().contains("seedbed::fs::File"));
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn new(io: T) -> Result<AsyncFd<T>> {
        pollable::check(&io)?;
        let is_nonblocking = rustix::fs::fcntl_getfl(&io).map_err(io::Error::from)?;
        let mode = match is_nonblocking.contains(OFlags::NONBLOCK) {
            true => Mode::Fails,
            false => Mode::Blocks,
        };
        Ok(AsyncFd { io: Registration::new(io), mode: Cell::new(mode) })
    }

    /// Puts the descriptor into non-blocking mode, for all who share its open file description.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of the system call.
    #[track_caller]
    pub fn set_nonblocking(&self) -> Result<()> {
        rustix::io::ioctl_fionbio(&self.io, true).map_err(io::Error::from)?;
        self.mode.set(Mode::Fails);
        Ok(())
    }

    /// What this waits for.
    pub fn get_ref(&self) -> &T {
        self.io.source()
    }

    /// Deregisters the descriptor, and returns what this waited for.
    pub fn into_inner(self) -> T {
        self.io.into_source()
    }

    /// Waits until a read would not block: until there is something, the end, or an error.
    ///
    /// Nothing has to be drained: as long as something is left, the next call returns at once.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the [`io::Error`] of the system call, if the system does not
    /// watch such a descriptor, or if it is registered already.
    #[track_caller]
    pub fn readable(&self) -> impl Future<Output = Result<()>> {
        self.io.operate(verb::Readable, |io| would_block::check(io, Side::Read))
    }

    /// Waits until a write would not block: until there is room, or an error.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// The same as for [`readable`](Self::readable).
    #[track_caller]
    pub fn writable(&self) -> impl Future<Output = Result<()>> {
        self.io.operate(verb::Writable, |io| would_block::check(io, Side::Write))
    }

    /// Calls `read`, again each time the descriptor becomes readable, until it does not fail with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock), and returns its outcome. It is also called again
    /// after [`Interrupted`](io::ErrorKind::Interrupted).
    ///
    /// It is called at once, so `read` may be the first system call on the descriptor. It must not
    /// block, and must fail with `WouldBlock` only if that is what the descriptor says.
    ///
    /// This is a [checkpoint](crate::checkpoint()), and an operation like any other: `read` succeeds
    /// in the same step in which its value is returned. So if this is cancelled or dropped, nothing
    /// has been read.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and `read` has not succeeded; any other error of `read`; the
    /// same as for [`readable`](Self::readable).
    #[track_caller]
    pub fn read_with<R>(
        &self,
        read: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = Result<R>> {
        self.with(verb::ReadWith, read)
    }

    /// Like [`read_with`](Self::read_with), for when the descriptor becomes writable.
    ///
    /// # Errors
    ///
    /// The same as for [`read_with`](Self::read_with).
    #[track_caller]
    pub fn write_with<R>(
        &self,
        write: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = Result<R>> {
        self.with(verb::WriteWith, write)
    }

    #[track_caller]
    fn with<V: Verb, R>(
        &self,
        verb: V,
        mut attempt: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = Result<R>> {
        self.io.operate(verb, move |_| self.try_with(V::SIDE, &mut attempt))
    }

    /// Reads whatever is available, at most `buffer.len()` bytes, and waits while there is nothing.
    /// Returns the number of bytes; 0 means the end.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been read; the [`io::Error`] of the system
    /// call.
    #[track_caller]
    pub fn read(&self, buffer: &mut [u8]) -> impl Future<Output = Result<usize>> {
        self.with(verb::Read, move |io| Ok(rustix::io::read(io, &mut *buffer)?))
    }

    /// Writes as much of `bytes` as the system takes, and waits while it takes none. Returns the
    /// number of bytes written.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been written; the [`io::Error`] of the
    /// system call.
    #[track_caller]
    pub fn write(&self, bytes: &[u8]) -> impl Future<Output = Result<usize>> {
        self.with(verb::Write, move |io| {
            let most = match self.mode.get() {
                Mode::Blocks => bytes.len().min(PIPE_BUF),
                Mode::Fails => bytes.len(),
            };
            Ok(rustix::io::write(io, &bytes[..most])?)
        })
    }

    /// Like [`read_with`](Self::read_with), for `poll` functions of traits such as
    /// [`AsyncRead`](futures_io::AsyncRead), which have no state of their own. `Pending` means that
    /// the task will be woken.
    ///
    /// This is a [checkpoint](crate::checkpoint()) too.
    ///
    /// # Errors
    ///
    /// The same as for [`read_with`](Self::read_with). A [`Cancelled`](crate::Cancelled) comes
    /// inside the [`io::Error`], and `?` turns it back into the [`Error`](crate::Error) that it was.
    pub fn poll_read_with<R>(
        &self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.io.poll_operation(Side::Read, cx, |_| self.try_with(Side::Read, &mut read))
    }

    /// Like [`poll_read_with`](Self::poll_read_with), for when the descriptor becomes writable.
    ///
    /// # Errors
    ///
    /// The same as for [`poll_read_with`](Self::poll_read_with).
    pub fn poll_write_with<R>(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.io.poll_operation(Side::Write, cx, |_| self.try_with(Side::Write, &mut write))
    }

    /// A `poll_flush` for such traits: it does nothing, but is a checkpoint.
    pub(super) fn poll_checkpoint(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_checkpoint(Side::Write, cx)
    }

    /// Calls `attempt` if that does not block. This is foreign code.
    #[inline]
    fn try_with<R>(
        &self,
        side: Side,
        attempt: &mut impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        if self.mode.get() == Mode::Blocks {
            would_block::check(&self.io, side)?;
        }
        attempt(self.io.source())
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncFd").field(self.io.source()).finish()
    }
}

impl<T: AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl<T: AsFd> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
