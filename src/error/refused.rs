//! Errors about calls from other threads that were not made.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

use crate::error::Error;

/// A call through a [`Token`](crate::Token) was refused.
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
                 the call in `to_thread`, or use `run_sync_soon`"
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
