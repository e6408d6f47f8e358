//! Open files.
//!
//! | file | concept |
//! |---|---|
//! | `options` | how a file is opened |
//! | `positional` | reading and writing at positions |
//! | `in_memory` | reading and writing at once what the system has in memory |
//! | `cursor` | the position that reads and writes move |
//! | `reading`, `writing` | reads and writes at the cursor |
//! | `foreign` | the traits of other libraries |

mod cursor;
mod foreign;
mod in_memory;
mod options;
mod positional;
mod reading;
mod writing;

use std::cell::Cell;
use std::fmt;
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;

pub use options::{OpenOptions, Opening};
pub(super) use positional::in_pieces;
use rustix::fs::{OFlags, fcntl_getfl};

use crate::error::{Result, placed};
use crate::platform::Mutex;
use crate::world::fs::call::Call;
use crate::world::fs::failure::{Doing, Unit, path_of_descriptor};
use crate::world::fs::file::cursor::Cursor;
use crate::world::fs::file::in_memory::{Offers, Storage};

/// An open file: [`std::fs::File`].
///
/// There are two ways to read and write it.
///
/// * **At a position:** [`read_at`](File::read_at), [`write_at`](File::write_at) and their like take
///   a `&File`, so several tasks can use one file at the same time.
/// * **At the cursor:** [`read`](File::read), [`write`](File::write) and their like take a
///   `&mut File`, and begin where the one before has ended. `File` implements
///   [`AsyncRead`](futures_io::AsyncRead), [`AsyncWrite`](futures_io::AsyncWrite) and
///   [`AsyncSeek`](futures_io::AsyncSeek) of the `futures` crate in this way, and with the feature
///   `tokio-io` the first two of tokio.
///
/// Nothing is buffered here, and there is nothing to flush: when a write returns, it has happened.
/// An operation moves up to 1 MiB at a time; those for a whole buffer make several.
///
/// ```
/// use seedbed::fs::File;
/// use std::io::SeekFrom;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("greeting");
/// seedbed::run(async {
///     let mut options = File::options();
///     let mut file = options.read(true).write(true).create(true).truncate(true).open(&path).await?;
///     file.write_all(b"hello, world").await?;
///     file.write_all_at(b"W", 7).await?;
///     file.seek(SeekFrom::Start(7)).await?;
///     let mut text = String::new();
///     file.read_to_string(&mut text).await?;
///     assert_eq!(text, "World");
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// # The cursor
///
/// The cursor belongs to this `File` and not to the system. It moves when an operation returns, by
/// as much as was read or written:
///
/// * A read that is cancelled or dropped leaves it where it was.
/// * A write that is cancelled has not happened, and leaves it too; a `write_all` says [how far it
///   came](super::Failure::done), and that is where the cursor is.
/// * A write that is **dropped** when it has begun happens all the same. The next operation at the
///   cursor first waits for it, and begins where it has ended. If it failed nobody learns of that.
///
/// If the file was opened to [append](OpenOptions::append), each write goes to the end of the file
/// at that moment, and the cursor is put behind it. Such a file has no positions to write at:
/// [`write_at`](File::write_at) fails with [`InvalidInput`](io::ErrorKind::InvalidInput).
///
/// # Closing
///
/// A file is closed when it is dropped, on this thread, which for a file on a disk takes
/// microseconds. The system tells nobody whether what was written is safe then:
/// [`sync_all`](File::sync_all) does.
pub struct File {
    opened: Arc<Opened>,
    cursor: Cursor,
    /// Whether it can be read without waiting.
    offers: Cell<Offers>,
    /// A buffer for the next thread.
    spare: Cell<Vec<u8>>,
}

/// What threads work on.
struct Opened {
    file: fs::File,
    path: Arc<Path>,
    writes: Writes,
    storage: Storage,
    /// Held by a thread that uses the position which the system keeps.
    own_position: Mutex<()>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Writes {
    AtAPosition,
    AtTheEnd,
}

impl Writes {
    fn of(file: &fs::File) -> Writes {
        match fcntl_getfl(file) {
            Ok(flags) if flags.contains(OFlags::APPEND) => Writes::AtTheEnd,
            _ => Writes::AtAPosition,
        }
    }
}

impl File {
    fn new(file: fs::File, path: Arc<Path>, position: u64) -> File {
        let (writes, storage) = (Writes::of(&file), Storage::of(&file));
        let own_position = Mutex::new(());
        File {
            opened: Arc::new(Opened { file, path, writes, storage, own_position }),
            cursor: Cursor::at(position),
            offers: Cell::new(Offers::Perhaps),
            spare: Cell::default(),
        }
    }

    /// Opens a file to read it: [`std::fs::File::open`].
    ///
    /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, it has not happened.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
    ///
    /// ```
    /// use seedbed::fs::File;
    ///
    /// seedbed::run(async {
    ///     let mut file = File::open("Cargo.toml").await?;
    ///     let mut start = [0; 10];
    ///     file.read_exact(&mut start).await?;
    ///     assert_eq!(file.position(), 10);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> Opening {
        OpenOptions::new().read(true).open(path)
    }

    /// Opens a file to write it, which is made if it is not there, and emptied if it is:
    /// [`std::fs::File::create`].
    ///
    /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, it has not happened.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> Opening {
        OpenOptions::new().write(true).create(true).truncate(true).open(path)
    }

    /// Makes a file, to read and write it, and fails if it is there:
    /// [`std::fs::File::create_new`].
    ///
    /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, it has not happened.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
    #[track_caller]
    pub fn create_new(path: impl AsRef<Path>) -> Opening {
        OpenOptions::new().read(true).write(true).create_new(true).open(path)
    }

    /// Options of which none is set, to open a file in another way.
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// The path with which it was opened. It may have another by now, or none.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.opened.path
    }

    /// Waits until the disk has everything that was written: [`std::fs::File::sync_all`].
    ///
    /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, it has not happened.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path. What was
    /// written before may be lost then, even if a second call succeeds.
    #[track_caller]
    pub fn sync_all(&self) -> Call<()> {
        self.call("syncing", Location::caller(), fs::File::sync_all)
    }

    /// Like [`sync_all`](Self::sync_all), without metadata that nobody needs to read the file, such
    /// as the time of the last change: [`std::fs::File::sync_data`].
    ///
    /// # Errors
    ///
    /// The same.
    #[track_caller]
    pub fn sync_data(&self) -> Call<()> {
        self.call("syncing", Location::caller(), fs::File::sync_data)
    }

    /// Cuts the file off, or extends it with zeros: [`std::fs::File::set_len`]. The cursor stays
    /// where it is.
    ///
    /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, it has not happened.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
    #[track_caller]
    pub fn set_len(&self, length: u64) -> Call<()> {
        self.call("setting the length of", Location::caller(), move |file| file.set_len(length))
    }

    /// What the system knows of it: [`std::fs::File::metadata`].
    ///
    /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, it has not happened.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
    #[track_caller]
    pub fn metadata(&self) -> Call<Metadata> {
        self.call("reading the metadata of", Location::caller(), fs::File::metadata)
    }

    /// Changes what may be done to the file: [`std::fs::File::set_permissions`].
    ///
    /// This is a [checkpoint](crate::checkpoint()): if it is cancelled, it has not happened.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled); the system's [`io::Error`], which names the path.
    #[track_caller]
    pub fn set_permissions(&self, permissions: Permissions) -> Call<()> {
        let place = Location::caller();
        self.call("setting the permissions of", place, move |file| {
            file.set_permissions(permissions)
        })
    }

    /// Returns the file of the standard library, whose position is where the cursor is.
    ///
    /// It waits for a write at the cursor that was dropped, and is no checkpoint. If a thread is
    /// still at work for another operation that was dropped, this is a duplicate of the descriptor.
    ///
    /// # Errors
    ///
    /// The system's [`io::Error`] if there can be no duplicate, which names the path.
    #[track_caller]
    pub fn into_std(mut self) -> impl Future<Output = Result<fs::File>> {
        placed(async move {
            self.settle().await;
            let (doing, position) = (self.doing("taking"), self.cursor.position);
            let file = match Arc::try_unwrap(self.opened) {
                Ok(opened) => Ok(opened.file),
                Err(opened) => opened.file.try_clone(),
            };
            let file = file.map_err(|error| doing.failed(error, 0, Unit::Bytes))?;
            // A pipe has no position.
            let _ = rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(position));
            Ok(file)
        })
    }

    /// One system call.
    fn call<T: Send + 'static>(
        &self,
        operation: &'static str,
        place: &'static Location<'static>,
        f: impl FnOnce(&fs::File) -> io::Result<T> + Send + 'static,
    ) -> Call<T> {
        let opened = self.opened.clone();
        Call::one(self.doing(operation), place, move |_| f(&opened.file))
    }

    fn doing(&self, operation: &'static str) -> Doing {
        Doing::on(operation, &self.opened.path)
    }
}

/// Its path is the descriptor's, such as `/dev/fd/3`, and the cursor is where the system's position
/// is.
impl From<fs::File> for File {
    fn from(file: fs::File) -> File {
        let position = rustix::fs::tell(&file).unwrap_or(0);
        let path = path_of_descriptor(file.as_raw_fd()).into();
        File::new(file, path, position)
    }
}

impl AsFd for File {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.opened.file.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.opened.file.as_raw_fd()
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.cursor.position;
        f.debug_struct("File").field("path", &self.path()).field("position", &position).finish()
    }
}
