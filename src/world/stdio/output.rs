//! Writing to a descriptor that is shared with others.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::Location;
use std::task::{Context, Poll};

use rustix::net::SendFlags;

use crate::error::{Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::world::reactor::readiness::Side;
use crate::world::reactor::registration::Registration;
use crate::world::reactor::verb;
use crate::world::stdio::way::{Use, Way};
use crate::world::stdio::writer_thread::WriterThread;

/// Returns the standard output, as something to write to.
///
/// Nothing is buffered: what has been written has been given to the system. What `println!` keeps
/// back, until its line ends, comes later.
///
/// # Errors
///
/// An [`io::Error`]: the standard output is closed, or there are too many open files.
#[track_caller]
pub fn stdout() -> Result<Output> {
    Output::named("standard output", &io::stdout())
}

/// Returns the standard error, as something to write to.
///
/// # Errors
///
/// The same as for [`stdout`].
#[track_caller]
pub fn stderr() -> Result<Output> {
    Output::named("standard error", &io::stderr())
}

/// Writes to a descriptor whose flags are not to be changed, because others share them: the
/// [standard output](stdout), or something else that this process was given.
///
/// It implements `AsyncWrite` of the `futures` crate, and with the feature `tokio-io` that of
/// tokio.
#[derive(Debug)]
pub struct Output(Sink);

enum Sink {
    Own(Registration<OwnedFd>),
    Socket(Registration<OwnedFd>),
    Thread(WriterThread),
}

impl Output {
    /// Writes to this descriptor. It is duplicated, and may be closed.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of a system call.
    #[track_caller]
    pub fn new(descriptor: impl AsFd) -> Result<Output> {
        Ok(Output::open(&descriptor)?)
    }

    #[track_caller]
    fn named(name: &str, descriptor: &impl AsFd) -> Result<Output> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
        Ok(Output::open(descriptor).map_err(named)?)
    }

    fn open(descriptor: &impl AsFd) -> io::Result<Output> {
        Ok(Output(match Way::to(descriptor, Use::Writing)? {
            Way::Own(file) => Sink::Own(Registration::new(file)),
            Way::Socket(socket) => Sink::Socket(Registration::new(socket)),
            Way::Blocks(descriptor) => Sink::Thread(WriterThread::new(descriptor)),
        }))
    }

    /// Writes as much of `bytes` as the system takes, and waits while it takes none. Returns the
    /// number of bytes written.
    ///
    /// This is a [checkpoint](crate::checkpoint()). Where a thread writes, a write that has begun is
    /// waited for, even if it is cancelled; if its future is dropped, it happens all the same, and
    /// the next write comes after it.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been written; the [`io::Error`] of the
    /// system call.
    #[track_caller]
    pub fn write(&mut self, bytes: &[u8]) -> impl Future<Output = Result<usize>> {
        let place = Location::caller();
        placed(async move {
            match &mut self.0 {
                Sink::Own(file) => file.operate(verb::Write, |file| write(file, bytes)).await,
                Sink::Socket(socket) => {
                    socket.operate(verb::Write, |socket| send(socket, bytes)).await
                }
                Sink::Thread(thread) => thread.write(bytes, place).await,
            }
        })
    }

    /// Writes all of `bytes`.
    ///
    /// This takes several [writes](Self::write): if it fails or is dropped, some of the bytes may
    /// have been written, and there is no telling how many.
    ///
    /// This is a [checkpoint](crate::checkpoint()), even if there is nothing to write.
    ///
    /// # Errors
    ///
    /// The same as for [`write`](Self::write).
    #[track_caller]
    pub fn write_all(&mut self, mut bytes: &[u8]) -> impl Future<Output = Result<()>> {
        placed(async move {
            if bytes.is_empty() {
                return checkpoint().await;
            }
            while !bytes.is_empty() {
                let written = self.write(bytes).await?;
                if written == 0 {
                    return Err(io::Error::from(io::ErrorKind::WriteZero).into());
                }
                bytes = &bytes[written..];
            }
            Ok(())
        })
    }

    /// Writes for a foreign trait.
    pub(super) fn poll_write_some(
        &mut self,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Sink::Own(file) => file.poll_operation(Side::Write, cx, |file| write(file, bytes)),
            Sink::Socket(socket) => {
                socket.poll_operation(Side::Write, cx, |socket| send(socket, bytes))
            }
            Sink::Thread(thread) => thread.poll_write(bytes, cx).map_err(io::Error::from),
        }
    }

    /// Waits, for a foreign trait, until nothing is being written.
    pub(super) fn poll_settle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Sink::Own(io) | Sink::Socket(io) => io.poll_checkpoint(Side::Write, cx),
            Sink::Thread(thread) => thread.poll_settle(cx).map(Ok),
        }
    }
}

fn write(file: &Registration<OwnedFd>, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::io::write(file.source(), bytes)?)
}

fn send(socket: &Registration<OwnedFd>, bytes: &[u8]) -> io::Result<usize> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    Ok(rustix::net::send(socket.source(), bytes, flags)?)
}

impl AsFd for Sink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Sink::Own(io) | Sink::Socket(io) => io.as_fd(),
            Sink::Thread(thread) => thread.as_fd(),
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_fd().fmt(f)
    }
}
