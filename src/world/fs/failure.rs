//! Errors that say what was being done, to which path, and how far it came.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;

/// What a file operation was doing when it failed or was cancelled.
///
/// Where the system has failed it is inside an [`io::Error`] of the same kind. Where a cancellation
/// has stopped an operation half-way it is inside the [`Cancelled`](crate::Cancelled). In either
/// case [`Error::find`](crate::Error::find) finds it.
///
/// ```
/// use seedbed::{fs, move_on_after};
/// use std::time::Duration;
///
/// /// Copies as much as there is time for, and returns how much that was.
/// async fn copy_for(limit: Duration, from: &str, to: &str) -> seedbed::Result<u64> {
///     let mut copied = 0;
///     move_on_after(limit, async {
///         let outcome = fs::copy(from, to).await;
///         copied = match &outcome {
///             Ok(all) => *all,
///             Err(error) => error.find().map_or(0, fs::Failure::done),
///         };
///         outcome
///     })
///     .await?;
///     Ok(copied)
/// }
/// # let folder = tempfile::tempdir()?;
/// # let [from, to] = ["from", "to"].map(|name| folder.path().join(name).display().to_string());
/// # std::fs::write(&from, "hello")?;
/// # seedbed::run(async {
/// #     assert_eq!(copy_for(Duration::from_secs(60), &from, &to).await?, 5);
/// #     Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Debug)]
pub struct Failure {
    doing: Doing,
    done: u64,
    unit: Unit,
    /// `None` if it was cancelled.
    error: Option<io::Error>,
}

/// What an operation does, and to what.
#[derive(Clone, Debug)]
pub(super) struct Doing {
    pub(super) operation: &'static str,
    pub(super) path: Arc<Path>,
    /// The second path of an operation that has two.
    pub(super) to: Option<Arc<Path>>,
}

/// What an operation of several system calls counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    Bytes,
    /// Files and directories.
    Entries,
}

impl Failure {
    /// What was being done, such as `reading`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.doing.operation
    }

    /// The path. For an operation on two, such as a rename, it is the one named first.
    ///
    /// For a [`File`](super::File) that was made from one of the standard library it is the
    /// descriptor, as `/dev/fd/3`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.doing.path
    }

    /// The second path of an operation that has two.
    #[must_use]
    pub fn to(&self) -> Option<&Path> {
        self.doing.to.as_deref()
    }

    /// How far it had come: the number of bytes that were read, written or copied, or of entries
    /// that were made or removed. It is 0 for operations of a single system call, which has not
    /// happened.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    /// The system's own error, with its number. `None` if the operation was cancelled.
    #[must_use]
    pub fn io_error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }
}

impl Doing {
    pub(super) fn new(operation: &'static str, path: &Path) -> Doing {
        Doing { operation, path: path.into(), to: None }
    }

    pub(super) fn on(operation: &'static str, path: &Arc<Path>) -> Doing {
        Doing { operation, path: path.clone(), to: None }
    }

    /// The error for an operation that has failed with this one.
    #[cold]
    pub(super) fn failed(self, error: io::Error, done: u64, unit: Unit) -> Error {
        let kind = error.kind();
        match Error::from(error).downcast::<io::Error>() {
            Ok(error) => {
                io::Error::new(kind, Failure { doing: self, done, unit, error: Some(error) }).into()
            }
            Err(cancelled) => self.stopped(cancelled, done, unit),
        }
    }

    /// The error for one that was cancelled when it had come so far.
    fn stopped(self, cancelled: Error, done: u64, unit: Unit) -> Error {
        cancelled.having_stopped(Failure { doing: self, done, unit, error: None })
    }
}

/// Says how far an operation had come of which one part has failed with this error.
#[cold]
pub(super) fn having_done(error: Error, done: u64, doing: impl FnOnce() -> Doing) -> Error {
    if error.is_cancelled() {
        return if done == 0 { error } else { doing().stopped(error, done, Unit::Bytes) };
    }
    let place = error.place();
    let error = match error.downcast::<io::Error>() {
        Ok(error) => error,
        Err(other) => return other,
    };
    let kind = error.kind();
    let failed: Error = match error.downcast::<Failure>() {
        Ok(failure) => io::Error::new(kind, Failure { done, ..failure }).into(),
        Err(other) => doing().failed(other, done, Unit::Bytes),
    };
    match place {
        Some(place) => failed.at(place),
        None => failed,
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.operation, self.path.display())?;
        match &self.to {
            Some(to) => write!(f, " to `{}`", to.display()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match (self.unit, self.done) {
            (Unit::Bytes, 1) => "byte",
            (Unit::Bytes, _) => "bytes",
            (Unit::Entries, 1) => "entry",
            (Unit::Entries, _) => "entries",
        };
        match &self.error {
            None => write!(f, "{} was stopped after {} {unit}", self.doing, self.done),
            Some(error) if self.done == 0 => write!(f, "{}: {error}", self.doing),
            Some(error) => write!(f, "{}, after {} {unit}: {error}", self.doing, self.done),
        }
    }
}

impl StdError for Failure {
    /// The cause of the system's error, because the text of that error is already part of this
    /// one's.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let error = self.error.as_ref()?;
        error.get_ref().map(|inner| inner as _).or_else(|| error.source())
    }
}

/// The path of what has none that is known.
pub(super) fn path_of_descriptor(number: std::os::fd::RawFd) -> PathBuf {
    PathBuf::from(format!("/dev/fd/{number}"))
}
