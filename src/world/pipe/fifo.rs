//! Opening an end of a FIFO.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags};

use crate::error::{Result, placed};
use crate::operation::checkpoint::checkpoint;
use crate::operation::time::sleep;
use crate::world::pipe::{Receiver, Sender, check};

impl Receiver {
    /// Opens the end of this FIFO that reads. It does not wait for somebody to write; the first
    /// [`read`](Self::read) does.
    ///
    /// A read returns 0 when everybody who had opened the FIFO for writing has closed it, and waits
    /// again once somebody else has opened it. To serve any number of writers without seeing such
    /// ends, keep a [`Sender`] of your own open.
    ///
    /// This is a [checkpoint](crate::checkpoint()), but it does not wait.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); an [`io::Error`] with the path: of the kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is not a FIFO, otherwise that of a
    /// system call.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> impl Future<Output = Result<Receiver>> {
        placed(async move {
            checkpoint().await?;
            let path = path.as_ref();
            let fd = open(path, OFlags::RDONLY).map_err(|error| named("reading", path, &error))?;
            Ok(Receiver::new(fd))
        })
    }
}

impl Sender {
    /// Opens the end of this FIFO that writes, and waits until somebody has opened the other end, as
    /// the system does for a blocking open.
    ///
    /// The system does not report when that happens, so this tries again after pauses that grow from
    /// 1 to 50 milliseconds.
    ///
    /// This is a [checkpoint](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), and nothing is open; an [`io::Error`] with the path: of the
    /// kind [`InvalidInput`](io::ErrorKind::InvalidInput) if it is not a FIFO, otherwise that of a
    /// system call.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> impl Future<Output = Result<Sender>> {
        const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];
        placed(async move {
            checkpoint().await?;
            let path = path.as_ref();
            let [mut pause, longest] = PAUSES;
            loop {
                match open(path, OFlags::WRONLY) {
                    Ok(fd) => return Ok(Sender::new(fd)),
                    Err(error) if has_no_reader(&error, path) => {}
                    Err(error) => return Err(named("writing", path, &error).into()),
                }
                sleep(pause).await?;
                pause = longest.min(pause * 2);
            }
        })
    }
}

fn open(path: &Path, access: OFlags) -> io::Result<OwnedFd> {
    // Without `NONBLOCK`, it would wait for the other end.
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let fd = rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?;
    check(&fd)?;
    Ok(fd)
}

/// A socket and a device without a driver fail with the same error, but trying again would not help.
fn has_no_reader(error: &io::Error, path: &Path) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error())
        && rustix::fs::stat(path)
            .is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::Fifo)
}

fn named(purpose: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("opening the FIFO {path:?} for {purpose}: {error}"))
}
