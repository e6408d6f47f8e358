//! System calls on another thread, and their limiter.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::buffer::spare_capacity;

use crate::error::{NotRunning, Result};
use crate::operation::sync::limiter::CapacityLimiter;
use crate::platform::part::part;
use crate::threads::ToThread;
use crate::threads::stop::Stop;
use crate::world::fs::failure::{Doing, Unit};

/// How many file operations of a `run` may be under way at once. Each occupies a thread, and where
/// a file system hangs all of them do. Fewer would not keep a disk or a server busy that works on
/// many at once.
const MOST_UNDER_WAY: usize = 64;

/// How much a thread reads into a buffer of somebody else's, or writes, at a time. So much is
/// copied for it.
pub(super) const MOST_AT_ONCE: usize = 1 << 20;

/// How much is read or copied before it is looked for a cancellation. That takes the system a few
/// milliseconds at most where it has the file in memory.
pub(super) const PIECE: usize = 8 << 20;

/// The limiter for the file operations of a run.
pub(crate) struct Files(CapacityLimiter);

impl Default for Files {
    fn default() -> Self {
        Files(CapacityLimiter::new(MOST_UNDER_WAY))
    }
}

part! {
    /// The limiter for the file operations of the present run.
    pub(crate) const FILES: Files;
}

/// Returns the limiter of the file operations that other threads do: 64 in each `run`, unless its
/// [`set_total`](CapacityLimiter::set_total) is called. It is not a checkpoint.
///
/// # Errors
///
/// [`NotRunning`](crate::NotRunning) outside [`run`](crate::run).
///
/// ```
/// use seedbed::fs;
///
/// seedbed::run(async {
///     fs::current_limiter()?.set_total(8); // a single disk that has to seek
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub fn current_limiter() -> Result<CapacityLimiter> {
    Ok(limiter().ok_or(NotRunning)?)
}

fn limiter() -> Option<CapacityLimiter> {
    FILES.with(|files| Some(files?.0.clone()))
}

/// The future of most functions in [`fs`](super). It has its own copy of the path, so it borrows
/// nothing.
#[must_use = "futures do nothing unless awaited"]
pub struct Call<T: 'static> {
    job: ToThread<Result<T>>,
    place: &'static Location<'static>,
}

/// What an operation of several system calls looks at between two, and where it counts.
pub(super) struct Steps {
    stop: Arc<Stop>,
    done: u64,
    unit: Unit,
    /// What failed, if it is not what the operation was called with.
    at: Option<Arc<Path>>,
}

impl Steps {
    /// To be called before each system call.
    ///
    /// # Errors
    ///
    /// If nobody wants the call any more.
    pub(super) fn next(&self) -> io::Result<()> {
        self.stop.check()
    }

    /// Counts what was done.
    pub(super) fn add(&mut self, done: u64) {
        self.done += done;
    }

    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// Has the error name this path.
    #[cold]
    pub(super) fn at(&mut self, path: &Path) {
        self.at = Some(path.into());
    }
}

impl<T: Send + 'static> Call<T> {
    /// One system call.
    pub(super) fn one(
        doing: Doing,
        place: &'static Location<'static>,
        f: impl FnOnce(&Doing) -> io::Result<T> + Send + 'static,
    ) -> Self {
        Call {
            job: one(place, move || f(&doing).map_err(|e| doing.failed(e, 0, Unit::Bytes))),
            place,
        }
    }

    /// Several system calls.
    pub(super) fn several(
        doing: Doing,
        unit: Unit,
        place: &'static Location<'static>,
        f: impl FnOnce(&Doing, &mut Steps) -> io::Result<T> + Send + 'static,
    ) -> Self {
        let stop = Arc::new(Stop::default());
        let mut steps = Steps { stop: stop.clone(), done: 0, unit, at: None };
        let job = one(place, move || {
            f(&doing, &mut steps).map_err(|error| {
                let path = steps.at.unwrap_or_else(|| doing.path.clone());
                Doing { path, ..doing }.failed(error, steps.done, steps.unit)
            })
        });
        Call { job: job.stopped_by(stop), place }
    }
}

impl<T> Call<T> {
    /// Whether a thread has it.
    pub(super) fn has_begun(&self) -> bool {
        self.job.has_begun()
    }
}

/// A function under the limiter of file operations.
fn one<T: Send + 'static>(
    place: &'static Location<'static>,
    f: impl FnOnce() -> Result<T> + Send + 'static,
) -> ToThread<Result<T>> {
    ToThread::new(f, place).limited_by_part(limiter)
}

/// Makes a system call again when a signal has interrupted it.
pub(super) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Reads a file from where the system's position is, which is this, to the end.
pub(super) fn read_rest(mut file: &File, position: u64, steps: &mut Steps) -> io::Result<Vec<u8>> {
    steps.next()?;
    // It may be anything: files of `/proc` say 0, and any other may grow.
    let length = usize::try_from(file.metadata()?.len().saturating_sub(position));
    let length = length.unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length.saturating_add(1).max(32))?;
    loop {
        steps.next()?;
        if bytes.len() == bytes.capacity() {
            bytes.try_reserve(32)?;
        }
        let room = bytes.capacity() - bytes.len();
        let read = if room <= PIECE {
            uninterrupted(|| Ok(rustix::io::read(file, spare_capacity(&mut bytes))?))?
        } else {
            let before = bytes.len();
            let piece = Read::by_ref(&mut file).take(PIECE as u64).read_to_end(&mut bytes);
            piece.inspect_err(|_| steps.add((bytes.len() - before) as u64))?
        };
        if read == 0 {
            return Ok(bytes);
        }
        steps.add(read as u64);
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let place = self.place;
        let outcome = ready!(Pin::new(&mut self.job).poll(cx)).flatten();
        Poll::Ready(outcome.map_err(|error| error.at(place)))
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("place", &self.place).finish_non_exhaustive()
    }
}
