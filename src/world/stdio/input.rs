//! Reading from a descriptor that is shared with others, and lines.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll};

use rustix::net::RecvFlags;

use crate::error::{Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::world::reactor::readiness::Side;
use crate::world::reactor::registration::Registration;
use crate::world::reactor::verb;
use crate::world::stdio::reader_thread::ReaderThread;
use crate::world::stdio::way::{Use, Way};

/// How much is read at a time for lines.
const AT_ONCE: usize = 8 * 1024;

/// Returns the standard input, as something to read from.
///
/// Reading a line may read more than the line, and the rest stays in the [`Input`]. So make one, and
/// keep it.
///
/// # Errors
///
/// An [`io::Error`]: the standard input is closed, or there are too many open files.
///
/// ```no_run
/// seedbed::run(async {
///     let mut input = seedbed::stdio::stdin()?;
///     while let Some(line) = input.next_line().await? {
///         println!("{line}");
///     }
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn stdin() -> Result<Input> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("standard input: {error}"));
    Ok(Input::open(&io::stdin()).map_err(named)?)
}

/// Reads from a descriptor whose flags are not to be changed, because others share them: the
/// [standard input](stdin), or something else that this process was given.
///
/// It implements `AsyncRead` of the `futures` crate, and with the feature `tokio-io` that of tokio.
pub struct Input {
    source: Registration<Source>,
    /// What was read and belongs to no line yet.
    ahead: Vec<u8>,
}

enum Source {
    Own(OwnedFd),
    Socket(OwnedFd),
    Thread(ReaderThread),
}

impl Input {
    /// Reads from this descriptor. It is duplicated, and may be closed.
    ///
    /// # Errors
    ///
    /// The [`io::Error`] of a system call.
    #[track_caller]
    pub fn new(descriptor: impl AsFd) -> Result<Input> {
        Ok(Input::open(&descriptor)?)
    }

    fn open(descriptor: &impl AsFd) -> io::Result<Input> {
        let source = match Way::to(descriptor, Use::Reading)? {
            Way::Own(file) => Source::Own(file),
            Way::Socket(socket) => Source::Socket(socket),
            Way::Blocks(descriptor) => Source::Thread(ReaderThread::start(descriptor)?),
        };
        Ok(Input { source: Registration::new(source), ahead: Vec::new() })
    }

    /// Reads whatever there is, at most `buffer.len()` bytes, and waits while there is nothing.
    /// Returns the number of bytes; 0 means the end.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing has been read; the [`io::Error`] of the system
    /// call.
    #[track_caller]
    pub fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = Result<usize>> {
        let Input { source, ahead } = self;
        source.operate(verb::Read, move |source| read(source, ahead, buffer))
    }

    /// Reads a line, and returns it without its end, which is `\n` or `\r\n`; `None` if there is
    /// none left. The last line need not have an end.
    ///
    /// If this is cancelled or dropped, nothing is lost: the next call returns the line from its
    /// beginning.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the [`io::Error`] of the system call, or of the kind
    /// [`InvalidData`](io::ErrorKind::InvalidData) if the line, which has been taken then, is not
    /// UTF-8.
    #[track_caller]
    pub fn next_line(&mut self) -> impl Future<Output = Result<Option<String>>> {
        placed(async move {
            let mut searched = 0;
            loop {
                if let Some(end) = self.ahead[searched..].iter().position(|&byte| byte == b'\n') {
                    if searched == 0 {
                        checkpoint().await?; // reading is one
                    }
                    let line: Vec<u8> = self.ahead.drain(..=searched + end).collect();
                    return Ok(Some(text(line)?));
                }
                searched = self.ahead.len();
                let mut buffer = [0; AT_ONCE];
                let read =
                    self.source.operate(verb::Read, |source| source.source().read(&mut buffer));
                match read.await? {
                    0 if self.ahead.is_empty() => return Ok(None),
                    0 => return Ok(Some(text(std::mem::take(&mut self.ahead))?)),
                    n => self.ahead.extend_from_slice(&buffer[..n]),
                }
            }
        })
    }

    /// Reads for a foreign trait.
    pub(super) fn poll_read_some(
        &mut self,
        buffer: &mut [u8],
        cx: &Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let Input { source, ahead } = self;
        source.poll_operation(Side::Read, cx, |source| read(source, ahead, buffer))
    }
}

/// A line without its end.
fn text(mut line: Vec<u8>) -> io::Result<String> {
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    String::from_utf8(line).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Takes what was read ahead, or reads.
fn read(
    source: &Registration<Source>,
    ahead: &mut Vec<u8>,
    buffer: &mut [u8],
) -> io::Result<usize> {
    if ahead.is_empty() {
        return source.source().read(buffer);
    }
    let n = buffer.len().min(ahead.len());
    buffer[..n].copy_from_slice(&ahead[..n]);
    ahead.drain(..n);
    Ok(n)
}

impl Source {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Own(file) => Ok(rustix::io::read(file, buffer)?),
            Source::Socket(socket) => {
                let (read, _) = rustix::net::recv(socket, buffer, RecvFlags::DONTWAIT)?;
                Ok(read)
            }
            Source::Thread(thread) => thread.read(buffer),
        }
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Source::Own(descriptor) | Source::Socket(descriptor) => descriptor.as_fd(),
            Source::Thread(thread) => thread.as_fd(),
        }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("read_ahead", &self.ahead.len()).finish_non_exhaustive()
    }
}
