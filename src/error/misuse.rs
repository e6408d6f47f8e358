//! Errors about how this crate is used: mostly the program wants changing.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

use super::Error;

/// The child of a `start` ended, without an error, before it had called `started.ready`.
///
/// In Trio a `RuntimeError`, "child exited without calling task_status.started()".
///
/// ```
/// fn forgot_to_tell(error: &seedbed::Error) -> bool {
///     error.is::<seedbed::NotStarted>()
/// }
/// assert!(!forgot_to_tell(&seedbed::Error::msg("out of paper")));
/// ```
#[derive(Clone, Debug)]
pub struct NotStarted {
    place: &'static Location<'static>,
}

impl NotStarted {
    pub(crate) fn new(place: &'static Location<'static>) -> NotStarted {
        NotStarted { place }
    }

    /// Where `start` was called.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the child of the `start` at {} ended without calling `started.ready`; \
             call it when the child is up, or use `spawn`",
            self.place
        )
    }
}

impl StdError for NotStarted {}

/// Something was to be spawned through the handle of a nursery that had closed.
///
/// The call itself fails with [`NotSpawned`], which gives the future back; this is what `?`
/// leaves of it.
///
/// ```
/// fn too_late(error: &seedbed::Error) -> bool {
///     error.is::<seedbed::NurseryClosed>()
/// }
/// assert!(!too_late(&seedbed::Error::msg("out of paper")));
/// ```
#[derive(Clone, Debug)]
pub struct NurseryClosed {
    place: &'static Location<'static>,
    spawned_at: &'static Location<'static>,
}

impl NurseryClosed {
    pub(crate) fn new(
        place: &'static Location<'static>,
        spawned_at: &'static Location<'static>,
    ) -> NurseryClosed {
        NurseryClosed { place, spawned_at }
    }

    /// Where the nursery was opened.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }
}

impl fmt::Display for NurseryClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the spawn at {} came too late: the nursery opened at {} has closed; \
             keep its body or a child running for as long as its handles are in use",
            self.spawned_at, self.place
        )
    }
}

impl StdError for NurseryClosed {}

/// A future that was not spawned because the nursery had [closed](NurseryClosed), given back.
///
/// `?` drops the future and goes on with the [`NurseryClosed`]. That works with futures that
/// are not `Send` as well, which is why this type is no [`std::error::Error`] of its own: those
/// have to be `Send` to become an [`Error`].
///
/// ```
/// use seedbed::NotSpawned;
///
/// fn run_here_instead<F: Future>(refused: NotSpawned<F>) -> F {
///     eprintln!("{refused}");
///     refused.into_inner()
/// }
/// ```
pub struct NotSpawned<F> {
    future: F,
    why: NurseryClosed,
}

impl<F> NotSpawned<F> {
    /// `place` is the nursery's, `spawned_at` that of the call which was refused.
    pub(crate) fn new(
        future: F,
        place: &'static Location<'static>,
        spawned_at: &'static Location<'static>,
    ) -> NotSpawned<F> {
        NotSpawned { future, why: NurseryClosed::new(place, spawned_at) }
    }

    /// The future.
    pub fn into_inner(self) -> F {
        self.future
    }

    /// The error without the future.
    pub fn error(&self) -> &NurseryClosed {
        &self.why
    }
}

impl<F> fmt::Display for NotSpawned<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.why, f)
    }
}

/// Futures seldom implement `Debug`, and `unwrap` should work all the same.
impl<F> fmt::Debug for NotSpawned<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotSpawned").field("why", &self.why).finish_non_exhaustive()
    }
}

impl<F> From<NotSpawned<F>> for Error {
    #[track_caller]
    fn from(refused: NotSpawned<F>) -> Error {
        Error::from(refused.why)
    }
}

/// `run` was called inside of another `run` on the same thread.
///
/// ```
/// fn nested(error: &seedbed::Error) -> bool {
///     error.is::<seedbed::AlreadyRunning>()
/// }
/// assert!(!nested(&seedbed::Error::msg("out of paper")));
/// ```
#[derive(Clone, Debug)]
pub struct AlreadyRunning {
    place: &'static Location<'static>,
    outer: &'static Location<'static>,
}

impl AlreadyRunning {
    /// `place` is the inner `run`'s, `outer` that of the one which is running.
    pub(crate) fn new(
        place: &'static Location<'static>,
        outer: &'static Location<'static>,
    ) -> AlreadyRunning {
        AlreadyRunning { place, outer }
    }

    /// Where the inner `run` was called.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }
}

impl fmt::Display for AlreadyRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`seedbed::run` at {} was called inside of the one at {}; \
             await the future there instead, or run it on a thread of its own",
            self.place, self.outer
        )
    }
}

impl StdError for AlreadyRunning {}

/// An operation of this crate was used outside of `seedbed::run`.
///
/// ```
/// fn nothing_runs(error: &seedbed::Error) -> bool {
///     error.is::<seedbed::NotRunning>()
/// }
/// assert!(!nothing_runs(&seedbed::Error::msg("out of paper")));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NotRunning;

impl fmt::Display for NotRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an operation of seedbed was used while no `seedbed::run` is running on this thread; \
             use it in a future that is given to `seedbed::run`",
        )
    }
}

impl StdError for NotRunning {}

/// A cancel scope was entered a second time.
///
/// In Trio a `RuntimeError`, "each CancelScope may only be used for a single 'with' block".
///
/// ```
/// fn reused(error: &seedbed::Error) -> bool {
///     error.is::<seedbed::ScopeReused>()
/// }
/// assert!(!reused(&seedbed::Error::msg("out of paper")));
/// ```
#[derive(Clone, Debug)]
pub struct ScopeReused {
    place: &'static Location<'static>,
}

impl ScopeReused {
    pub(crate) fn new(place: &'static Location<'static>) -> ScopeReused {
        ScopeReused { place }
    }

    /// Where the scope was made.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }
}

impl fmt::Display for ScopeReused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the cancel scope made at {} was entered before; \
             make a new `CancelScope` for each time",
            self.place
        )
    }
}

impl StdError for ScopeReused {}
