//! Reading and making directories.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, FileType, Metadata, ReadDir};
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::generator::{Generator, Yielder, generator};
use crate::world::fs::call::{Call, uninterrupted};
use crate::world::fs::failure::{Doing, Unit};

/// How many entries a thread reads at once: as many as the system gives in one or two calls. One by
/// one they would cost a trip to a thread and back each.
const BATCH: usize = 1000;

/// Makes a directory: [`std::fs::create_dir`].
///
/// This is a [checkpoint](crate::checkpoint()): if it is cancelled, it has not happened.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
#[track_caller]
pub fn create_dir(path: impl AsRef<Path>) -> Call<()> {
    let doing = Doing::new("making the directory", path.as_ref());
    Call::one(doing, Location::caller(), |doing| fs::create_dir(&doing.path))
}

/// Makes a directory and those above it that are missing, like [`std::fs::create_dir_all`]. It is
/// fine if it is there already.
///
/// This is a [checkpoint](crate::checkpoint()). It takes several system calls: if it is cancelled
/// it stops between two, and [`Failure::done`](super::Failure::done) is the number of directories
/// that were made.
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path that could not
/// be made.
#[track_caller]
pub fn create_dir_all(path: impl AsRef<Path>) -> Call<()> {
    let doing = Doing::new("making the directory", path.as_ref());
    Call::several(doing, Unit::Entries, Location::caller(), |doing, steps| {
        // Upwards until one can be made, or is there, and then down again.
        let mut missing = Vec::new();
        let mut next = Some(&*doing.path).filter(|path| !path.as_os_str().is_empty());
        while let Some(path) = next {
            steps.next()?;
            next = match fs::create_dir(path) {
                Ok(()) => {
                    steps.add(1);
                    missing.pop()
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                    if parent.is_none() || steps.done() > 0 {
                        steps.at(path);
                        return Err(error);
                    }
                    missing.push(path);
                    parent
                }
                Err(_) if path.is_dir() => missing.pop(),
                Err(error) => {
                    steps.at(path);
                    return Err(error);
                }
            };
        }
        Ok(())
    })
}

/// Reads a directory: a generator of its entries, without `.` and `..`, in the system's order. What
/// is added or removed meanwhile may be among them or not.
///
/// Entries are read a thousand at a time, on another thread. A generator that is left half-way
/// keeps the directory open until it is closed: use [`aclosing`](crate::aclosing()).
///
/// ```
/// use seedbed::{aclosing, fs};
///
/// seedbed::run(async {
///     aclosing(fs::read_dir("src"), async |entries| {
///         while let Some(entry) = entries.anext().await? {
///             if entry.file_name() == "lib.rs" {
///                 assert!(entry.file_type()?.is_file());
///                 break;
///             }
///         }
///         Ok(())
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`anext`](Generator::anext), where the generator ends: [`Cancelled`](crate::Cancelled);
/// the system's [`io::Error`], which names the path.
#[track_caller]
pub fn read_dir(path: impl AsRef<Path>) -> Generator<'static, DirEntry> {
    let doing = Doing::new("reading the directory", path.as_ref());
    let place = Location::caller();
    generator(async move |y: Yielder<DirEntry>| {
        let open = |doing: &Doing| Batch::read(uninterrupted(|| fs::read_dir(&doing.path))?);
        let mut batch = Call::one(doing.clone(), place, open).await?;
        loop {
            for entry in batch.entries {
                y.yield_(entry).await?;
            }
            batch = match batch.rest {
                Rest::End => return Ok(()),
                Rest::Failed(error) => {
                    let failed = doing.clone().failed(error, 0, Unit::Entries);
                    return Err(failed.at(place));
                }
                Rest::More(more) => Call::one(doing.clone(), place, |_| Batch::read(more)).await?,
            };
        }
    })
}

/// Entries that were read at once.
struct Batch {
    entries: Vec<DirEntry>,
    rest: Rest,
}

/// What comes after them.
enum Rest {
    More(ReadDir),
    End,
    Failed(io::Error),
}

impl Batch {
    fn read(mut directory: ReadDir) -> io::Result<Batch> {
        let mut entries = Vec::new();
        while entries.len() < BATCH {
            match directory.next() {
                Some(Ok(entry)) => {
                    let file_type = entry.file_type();
                    entries.push(DirEntry { entry, file_type });
                }
                Some(Err(error)) => return Ok(Batch { entries, rest: Rest::Failed(error) }),
                None => return Ok(Batch { entries, rest: Rest::End }),
            }
        }
        Ok(Batch { entries, rest: Rest::More(directory) })
    }
}

/// An entry of a [directory](read_dir).
pub struct DirEntry {
    entry: fs::DirEntry,
    /// The system nearly always gives it along with the name. Where it does not, the thread has
    /// asked.
    file_type: io::Result<FileType>,
}

impl DirEntry {
    /// The path: that of the directory, and the name.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.entry.path()
    }

    /// The name, which need not be UTF-8.
    #[must_use]
    pub fn file_name(&self) -> OsString {
        self.entry.file_name()
    }

    /// Whether it is a file, a directory, a symbolic link or something else. Links are not
    /// followed. It was read along with the name, so this does not wait.
    ///
    /// # Errors
    ///
    /// The system's [`io::Error`], which names the path.
    #[track_caller]
    pub fn file_type(&self) -> Result<FileType> {
        self.file_type.as_ref().map(FileType::clone).map_err(|error| {
            let error = match error.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => error.kind().into(),
            };
            let doing = Doing::new("reading the metadata of", &self.path());
            doing.failed(error, 0, Unit::Bytes).at(Location::caller())
        })
    }

    /// What the system knows of it. Links are not followed.
    ///
    /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, it has not happened.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
    #[track_caller]
    pub fn metadata(&self) -> Call<Metadata> {
        super::symlink_metadata(self.path())
    }

    /// The number of its inode.
    #[must_use]
    pub fn ino(&self) -> u64 {
        std::os::unix::fs::DirEntryExt::ino(&self.entry)
    }
}

impl fmt::Debug for DirEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DirEntry").field(&self.path()).finish()
    }
}
