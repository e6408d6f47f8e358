//! A thread that reads, when it is asked to, from a descriptor that may block.
//!
//! What it has read is in a socket until somebody takes it. A read that is cancelled has taken
//! nothing from there, so the next one gets it.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};

use crate::platform::spawn_thread;

/// How much is read at a time.
const AT_ONCE: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct ReaderThread {
    socket: UnixStream,
    /// Whether the thread has been asked for something that has not come.
    asked: Cell<Asked>,
    /// Why it has ended, if not because the input has.
    failure: Arc<OnceLock<io::Error>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    No,
    Yes,
}

impl ReaderThread {
    pub(super) fn start(descriptor: OwnedFd) -> io::Result<ReaderThread> {
        let (socket, mut theirs) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        let failure = Arc::new(OnceLock::new());
        let tell = failure.clone();
        spawn_thread("seedbed input", move || {
            let mut buffer = [0; AT_ONCE];
            // Nobody asks any more when the other end has been closed.
            while let Ok(1) = theirs.read(&mut [0]) {
                let read = loop {
                    match rustix::io::read(&descriptor, &mut buffer) {
                        Err(rustix::io::Errno::INTR) => {}
                        read => break read,
                    }
                };
                match read {
                    Ok(0) => return,
                    Ok(n) if theirs.write_all(&buffer[..n]).is_ok() => {}
                    Ok(_) => return,
                    Err(error) => {
                        let _ = tell.set(error.into());
                        return;
                    }
                }
            }
        })?;
        Ok(ReaderThread { socket, asked: Cell::new(Asked::No), failure })
    }

    /// Takes what has been read, and asks for more if there is nothing.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match (&self.socket).read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if self.asked.replace(Asked::Yes) == Asked::No {
                    // If it fails, the thread has ended, and the next read says why.
                    let _ = (&self.socket).write(&[0]);
                }
                Err(error)
            }
            Ok(0) if !buffer.is_empty() => match self.failure.get() {
                Some(error) => Err(match error.raw_os_error() {
                    Some(number) => io::Error::from_raw_os_error(number),
                    None => error.kind().into(),
                }),
                None => Ok(0),
            },
            read => {
                self.asked.set(Asked::No);
                read
            }
        }
    }
}

impl AsFd for ReaderThread {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
