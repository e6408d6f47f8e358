//! Errors about how the crate is used: a call in the wrong place, or too late. Usually it is the
//! program that has to change. What was refused is given back.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

use super::Error;

/// The child of a `start` ended without an error, but before it had called `started.ready`.
///
/// In Trio this is a `RuntimeError`, "child exited without calling task_status.started()".
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
             call it when the child is ready, or use `spawn`",
            self.place
        )
    }
}

impl StdError for NotStarted {}

/// The nursery in which something was to be spawned, through a handle, had closed.
///
/// The call itself fails with [`NotSpawned`], which gives the future back. `?` drops the future and
/// keeps this error.
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

/// A future that was not spawned because the nursery had [closed](NurseryClosed), and is given
/// back.
///
/// `?` drops the future and passes on the [`NurseryClosed`]. That also works with futures that are
/// not `Send`. This is why `NotSpawned` is not itself a [`std::error::Error`]: such a type has to
/// be `Send` to become an [`Error`].
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
    /// `place` is where the nursery was opened, `spawned_at` where the refused call was made.
    pub(crate) fn new(
        future: F,
        place: &'static Location<'static>,
        spawned_at: &'static Location<'static>,
    ) -> NotSpawned<F> {
        NotSpawned { future, why: NurseryClosed::new(place, spawned_at) }
    }

    /// Returns the future.
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

/// Works for every `F`, because futures seldom implement `Debug` and `unwrap` should work anyway.
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

/// `run` was called inside another `run` on the same thread.
///
/// ```
/// fn nested(error: &seedbed::Error) -> bool {
///     error.is::<seedbed::AlreadyRunning>()
/// }
/// assert!(!nested(&seedbed::Error::msg("out of paper")));
/// ```
#[derive(Clone, Debug)]
pub struct AlreadyRunning {
    inner: Inner,
    place: &'static Location<'static>,
    outer: &'static Location<'static>,
}

#[derive(Clone, Copy, Debug)]
enum Inner {
    Run,
    Guest,
}

impl AlreadyRunning {
    /// `place` is where the inner `run` was called, `outer` where the running one was.
    pub(crate) fn new(
        place: &'static Location<'static>,
        outer: &'static Location<'static>,
    ) -> AlreadyRunning {
        AlreadyRunning { inner: Inner::Run, place, outer }
    }

    /// The same for a guest that was made at `place`.
    pub(crate) fn of_guest(
        place: &'static Location<'static>,
        outer: &'static Location<'static>,
    ) -> AlreadyRunning {
        AlreadyRunning { inner: Inner::Guest, place, outer }
    }

    /// Where the inner `run` was called, or the guest was made.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }
}

impl fmt::Display for AlreadyRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AlreadyRunning { inner, place, outer } = self;
        match inner {
            Inner::Run => write!(
                f,
                "the `seedbed::run` at {place} was called inside the one at {outer}; \
                 await the future there instead, or run it on a thread of its own"
            ),
            Inner::Guest => write!(
                f,
                "the guest made at {place} was polled inside the `seedbed::run` or guest at {outer}; \
                 await its future there instead, without a guest"
            ),
        }
    }
}

impl StdError for AlreadyRunning {}

/// An operation of this crate was used outside `seedbed::run`.
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
            "an operation of seedbed was used on a thread where no `seedbed::run` is running; \
             use it in a future that is passed to `seedbed::run`",
        )
    }
}

impl StdError for NotRunning {}

/// A cancel scope was entered a second time.
///
/// In Trio this is a `RuntimeError`, "each CancelScope may only be used for a single 'with' block".
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
            "the cancel scope made at {} was entered a second time; \
             make a new `CancelScope` each time",
            self.place
        )
    }
}

impl StdError for ScopeReused {}

/// The error of a call of `function` at `place` in a process that was forked inside the run at
/// `run`.
#[track_caller]
pub(crate) fn used_in_a_fork(
    function: &str,
    place: &'static Location<'static>,
    run: &'static Location<'static>,
) -> Error {
    let text = format!(
        "`{function}` at {place} was used in a process that was forked inside of the run at {run}, \
         which goes on only in its parent: fork outside of `run`",
    );
    std::io::Error::other(text).into()
}

/// The error of a call at `place` that leaves something to another runtime, in a program that is
/// explored.
#[track_caller]
pub(crate) fn not_to_be_explored(place: &'static Location<'static>) -> Error {
    let text = format!(
        "the `tokio::call` at {place} cannot be explored, because what another runtime does cannot \
         be repeated; have the program be given what it calls, and give it a stand-in here that \
         needs no other runtime, or test this part in a plain `run`",
    );
    std::io::Error::other(text).into()
}

/// The error of a call at `place` that needs a tokio runtime, where none has been entered.
#[track_caller]
pub(crate) fn without_companion(place: &'static Location<'static>) -> Error {
    let text = format!(
        "the `tokio::call` at {place} needs a tokio runtime, and this run has none; give it one, as \
         in `Builder::new().tokio(Companion::new()).run(…)`",
    );
    std::io::Error::other(text).into()
}

// Calls from other threads that were not made.

/// A call through a [`Token`](crate::Token), or to the blocking end of a
/// [`thread_channel`](crate::thread_channel), was refused.
///
/// ```
/// use seedbed::{CallRefused, Refusal};
///
/// fn came_too_late(error: &seedbed::Error) -> bool {
///     error.find::<CallRefused>().is_some_and(|refused| refused.why() == Refusal::RunFinished)
/// }
/// assert!(!came_too_late(&seedbed::Error::msg("out of paper")));
/// ```
#[derive(Clone, Debug)]
pub struct CallRefused {
    place: &'static Location<'static>,
    why: Refusal,
}

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The run has ended, or is ending.
    RunFinished,
    /// The caller would have to wait for the answer on a thread with a `run` of its own. That run
    /// would stand still, and it might be the one that has to answer.
    WouldBlock,
    /// The run's thread did not come to answer: something there computes or blocks.
    Busy,
}

impl CallRefused {
    pub(crate) fn new(place: &'static Location<'static>, why: Refusal) -> CallRefused {
        CallRefused { place, why }
    }

    /// Where the call was made.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Why the call was refused.
    pub fn why(&self) -> Refusal {
        self.why
    }
}

impl fmt::Display for CallRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place;
        match self.why {
            Refusal::RunFinished => {
                write!(f, "the call at {place} came too late: the run it was meant for has ended")
            }
            Refusal::WouldBlock => write!(
                f,
                "the call at {place} would block a thread that has a `run` of its own to do; make \
                 the call in `to_thread`, or use what does not block: `run_sync_soon` of a token, \
                 `send` and `recv` of a channel"
            ),
            Refusal::Busy => write!(
                f,
                "the call at {place} was not answered: the thread of the run is held up by a task \
                 that computes or blocks, and nothing else runs there meanwhile"
            ),
        }
    }
}

impl StdError for CallRefused {}

/// A function or closure that was not called because the call was [refused](CallRefused), and is
/// given back.
///
/// `?` drops it and passes on the [`CallRefused`]. `NotRun` is not itself a [`std::error::Error`],
/// because what it gives back may be anything.
///
/// ```
/// use seedbed::NotRun;
///
/// fn call_here_instead(refused: NotRun<impl FnOnce()>) {
///     eprintln!("{refused}");
///     refused.into_inner()()
/// }
/// ```
pub struct NotRun<F> {
    f: F,
    why: CallRefused,
}

impl<F> NotRun<F> {
    pub(crate) fn new(f: F, place: &'static Location<'static>, why: Refusal) -> NotRun<F> {
        NotRun { f, why: CallRefused::new(place, why) }
    }

    /// Returns the function or closure.
    pub fn into_inner(self) -> F {
        self.f
    }

    /// The error without the function.
    pub fn error(&self) -> &CallRefused {
        &self.why
    }
}

impl<F> fmt::Display for NotRun<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.why, f)
    }
}

/// Works for every `F`, because closures do not implement `Debug` and `unwrap` should work anyway.
impl<F> fmt::Debug for NotRun<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotRun").field("why", &self.why).finish_non_exhaustive()
    }
}

impl<F> From<NotRun<F>> for Error {
    #[track_caller]
    fn from(refused: NotRun<F>) -> Error {
        Error::from(refused.why)
    }
}
