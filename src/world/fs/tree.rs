//! Removing a directory with everything in it.
//!
//! Each directory is opened below its parent's descriptor, and a symbolic link is never followed.
//! So nobody who exchanges a directory for a link meanwhile can have something else removed.

use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::panic::Location;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;

use crate::world::fs::call::{Call, Steps};
use crate::world::fs::failure::{Doing, Unit};

/// Removes a directory with everything in it, like [`std::fs::remove_dir_all`]. A symbolic link is
/// removed itself, and what it refers to is left alone.
///
/// This is a [checkpoint](crate::checkpoint()). It takes several system calls: if it is cancelled
/// it stops between two, and the rest of the tree is left. [`Failure::done`](super::Failure::done)
/// is the number of files and directories that were removed.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names what could not be
/// removed.
#[track_caller]
pub fn remove_dir_all(path: impl AsRef<Path>) -> Call<()> {
    let doing = Doing::new("removing all of", path.as_ref());
    Call::several(doing, Unit::Entries, Location::caller(), |doing, steps| {
        steps.next()?;
        if fs::symlink_metadata(&doing.path)?.is_symlink() {
            steps.next()?;
            return fs::remove_file(&doing.path);
        }
        remove(&doing.path, steps)
    })
}

/// A directory on the way down to what is being removed.
struct Level {
    entries: Dir,
    /// Its name in the level above.
    name: CString,
}

fn remove(root: &Path, steps: &mut Steps) -> io::Result<()> {
    let name = CString::new(root.as_os_str().as_bytes())?;
    steps.next()?;
    let mut levels = vec![Level { entries: Dir::new(open(CWD, &name)?)?, name }];
    while let Some(level) = levels.last_mut() {
        steps.next()?;
        let outcome = match level.entries.read() {
            Some(Ok(entry)) if matches!(entry.file_name().to_bytes(), b"." | b"..") => Ok(None),
            Some(Ok(entry)) => {
                let (name, kind) = (entry.file_name(), entry.file_type());
                let outcome = enter_or_remove(level.entries.fd()?, name, kind, steps);
                outcome.map_err(|error| (error, Some(name.to_owned())))
            }
            Some(Err(error)) => Err((error.into(), None)),
            None => {
                let Level { entries, name } = levels.pop().expect("it is the last one");
                drop(entries);
                let parent = levels.last().map_or(Ok(CWD), |level| level.entries.fd())?;
                let removed = gone_is_fine(unlinkat(parent, &name, AtFlags::REMOVEDIR));
                steps.add(1);
                removed.map(|()| None).map_err(|error| (error, Some(name)))
            }
        };
        match outcome {
            Ok(None) => {}
            Ok(Some(below)) => levels.push(below),
            Err((error, name)) => {
                let names = levels.iter().map(|level| &level.name).chain(&name);
                steps
                    .at(&names.map(|name| OsStr::from_bytes(name.to_bytes())).collect::<PathBuf>());
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Removes an entry, or opens it if it is a directory.
fn enter_or_remove(
    parent: BorrowedFd<'_>,
    name: &CStr,
    kind: FileType,
    steps: &mut Steps,
) -> io::Result<Option<Level>> {
    if matches!(kind, FileType::Directory | FileType::Unknown) {
        match open(parent, name) {
            Ok(below) => {
                return Ok(Some(Level { entries: Dir::new(below)?, name: name.to_owned() }));
            }
            Err(Errno::NOENT) => return Ok(None),
            // It is something else, perhaps only now.
            Err(Errno::NOTDIR | Errno::LOOP) => steps.next()?,
            Err(error) => return Err(error.into()),
        }
    }
    gone_is_fine(unlinkat(parent, name, AtFlags::empty()))?;
    steps.add(1);
    Ok(None)
}

fn open(parent: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

/// Others may remove the same things.
fn gone_is_fine(outcome: rustix::io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(Errno::NOENT) => Ok(()),
        outcome => Ok(outcome?),
    }
}
