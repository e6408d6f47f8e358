//! Which descriptors can be waited for.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::FileType;

/// Fails if the system does not tell when such a descriptor is ready, and says what to do instead.
///
/// Devices like `/dev/null` pass, although Linux would not watch them: they are always ready, so
/// nothing ever waits for them.
pub(super) fn check(io: &impl AsFd) -> io::Result<()> {
    let fd = io.as_fd();
    let status = rustix::fs::fstat(fd)?;
    let (what, instead) = match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile => {
            ("a file", "read and write it with `seedbed::fs::File` (feature `fs`)")
        }
        FileType::Directory => {
            ("a directory", "list it with `seedbed::fs::read_dir` (feature `fs`)")
        }
        FileType::BlockDevice => {
            ("a block device", "read and write it with `seedbed::fs::File` (feature `fs`)")
        }
        FileType::Symlink => ("a symbolic link", "open what it points to"),
        _ => return Ok(()),
    };
    let fd = fd.as_raw_fd();
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "descriptor {fd} is {what}, which the system always reports as ready, even while it \
             would block: {instead}, or block in `seedbed::to_thread`"
        ),
    ))
}
