//! Files and directories: W4.
//!
//! Where a test needs an operation that is under way, it uses a FIFO, whose other end it holds:
//! nothing sleeps to let something happen.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod bad_luck;
mod cancellation;
mod cursor;
mod directories;
mod dropped;
mod errors;
mod foreign_traits;
#[cfg(target_os = "linux")]
mod in_memory;
mod positions;
mod whole;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use seedbed::{Result, fs, yield_now};
use tempfile::TempDir;

use crate::support::shielded;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The end of a FIFO that the test holds.
struct Fifo(File);

fn make_fifo(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("fifo");
    let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the name ends with a NUL.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0, "{}", io::Error::last_os_error());
    path
}

impl Fifo {
    /// Opens the end that writes, as soon as somebody has opened the one that reads, or is about to.
    async fn write_to(path: &Path) -> Result<Fifo> {
        loop {
            let mut options = File::options();
            match options.write(true).custom_flags(libc::O_NONBLOCK).open(path) {
                Ok(file) => return Ok(Fifo(file)),
                Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ENXIO), "{error}"),
            }
            shielded(yield_now()).await?;
        }
    }

    /// Opens the end that reads.
    fn read_from(path: &Path) -> Fifo {
        Fifo(File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap())
    }

    /// How many bytes are in it.
    fn filled(&self) -> usize {
        let mut filled: libc::c_int = 0;
        // SAFETY: `filled` is there to be written to.
        assert_eq!(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::FIONREAD, &mut filled) }, 0);
        usize::try_from(filled).unwrap()
    }

    /// Writes, and waits until it has been read.
    async fn pass(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes)?;
        while self.filled() > 0 {
            shielded(yield_now()).await?;
        }
        Ok(())
    }
}

/// Waits until so many operations have a thread.
async fn under_way(operations: usize) -> Result<()> {
    while fs::current_limiter()?.borrowed() < operations {
        shielded(yield_now()).await?;
    }
    Ok(())
}

/// Holds up every operation that comes after this one, until the FIFO's other end is closed.
async fn hold_up(path: PathBuf) -> Result<()> {
    fs::current_limiter()?.set_total(1);
    fs::read(path).await?;
    Ok(())
}

fn long() -> Vec<u8> {
    // Three pieces and a bit, not the same anywhere.
    (0..3_500_000_u32).map(|i| (i % 251) as u8).collect()
}
