//! Errors of the system when a source is registered, which say what is the matter with it.

use std::io;
use std::os::fd::RawFd;

use rustix::io::Errno;

/// The error for a descriptor that the system does not watch.
#[cold]
pub(super) fn refused(fd: RawFd, error: io::Error) -> io::Error {
    let why = match Errno::from_io_error(&error) {
        Some(Errno::EXIST) => {
            "something else in this run waits for the same descriptor already. Use that by `&`, or \
             wait for a duplicate (`try_clone_to_owned`)"
        }
        Some(Errno::PERM) => {
            "the system does not tell when it is ready. Do what would block in \
             `seedbed::to_thread`"
        }
        Some(Errno::NOSPC) => {
            "the user's processes wait for as many descriptors as the system allows. On Linux the \
             limit is in `/proc/sys/fs/epoll/max_user_watches`"
        }
        _ => return error,
    };
    io::Error::new(error.kind(), format!("waiting for descriptor {fd}: {error}: {why}"))
}
