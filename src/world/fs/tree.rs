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
use rustix::io::{Errno, retry_on_intr};

use crate::world::fs::call::{Call, Steps};
use crate::world::fs::failure::{Doing, Unit};

/// Removes a directory with everything in it, like [`std::fs::remove_dir_all`]. A symbolic link is
/// removed itself, and what it refers to is left alone.
///
/// This is a [checkpoint](crate::checkpoint()). It takes several system calls: if it is cancelled
/// it stops between two, and the rest of the tree is left. [`Failure::done`](super::Failure::done)
/// is the number of files and directories that were removed, without those that somebody else has
/// removed meanwhile.
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
                let (parent, name) = (level.entries.fd()?, entry.file_name());
                steps.next()?;
                let outcome = match enter(parent, name, entry.file_type()) {
                    Ok(Entry::Directory(below)) => Ok(Some(below)),
                    Ok(Entry::Gone) => Ok(None),
                    Ok(Entry::Other) => {
                        steps.next()?;
                        remove_entry(parent, name, AtFlags::empty(), steps).map(|()| None)
                    }
                    Err(error) => Err(error),
                };
                outcome.map_err(|error| (error, Some(name.to_owned())))
            }
            Some(Err(error)) => Err((error.into(), None)),
            None => {
                steps.next()?;
                let Level { entries, name } = levels.pop().expect("it is the last one");
                drop(entries);
                let parent = levels.last().map_or(Ok(CWD), |level| level.entries.fd())?;
                let removed = remove_entry(parent, &name, AtFlags::REMOVEDIR, steps);
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

/// What an entry turns out to be.
enum Entry {
    Directory(Level),
    Gone,
    Other,
}

/// Opens an entry if it is a directory.
fn enter(parent: BorrowedFd<'_>, name: &CStr, kind: FileType) -> io::Result<Entry> {
    if !matches!(kind, FileType::Directory | FileType::Unknown) {
        return Ok(Entry::Other);
    }
    match open(parent, name) {
        Ok(below) => {
            let entries = Dir::new(below)?;
            Ok(Entry::Directory(Level { entries, name: name.to_owned() }))
        }
        Err(Errno::NOENT) => Ok(Entry::Gone),
        // It is something else, perhaps only now.
        Err(Errno::NOTDIR | Errno::LOOP) => Ok(Entry::Other),
        Err(error) => Err(error.into()),
    }
}

/// Removes an entry, or finds that somebody else has: others may remove the same things. What they
/// have removed is not counted.
fn remove_entry(
    parent: BorrowedFd<'_>,
    name: &CStr,
    flags: AtFlags,
    steps: &mut Steps,
) -> io::Result<()> {
    match unlinkat(parent, name, flags) {
        Ok(()) => {
            steps.add(1);
            Ok(())
        }
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn open(parent: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    retry_on_intr(|| openat(parent, name, flags, Mode::empty()))
}
