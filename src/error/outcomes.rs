//! Errors about how things went: any correct program may meet them.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use super::Cancelled;

/// The work in a `fail_after` or `fail_at` did not end in time: Trio's `TooSlowError`.
///
/// It comes only from the scope whose own deadline passed (or which, as in Trio, was cancelled by a
/// call). Work that another scope cut short fails with [`Cancelled`], and it is for that scope to
/// say more.
///
/// ```
/// use seedbed::{Result, TooSlow};
///
/// /// The answer, or nothing if it took too long; all other errors stay errors.
/// fn in_time(result: Result<String>) -> Result<Option<String>> {
///     match result {
///         Err(error) if error.is::<TooSlow>() => Ok(None),
///         other => other.map(Some),
///     }
/// }
/// assert_eq!(in_time(Ok("42".into())).unwrap().as_deref(), Some("42"));
/// ```
#[derive(Clone, Debug)]
pub struct TooSlow {
    place: &'static Location<'static>,
    limit: Option<Duration>,
}

impl TooSlow {
    pub(crate) fn new(place: &'static Location<'static>, limit: Option<Duration>) -> TooSlow {
        TooSlow { place, limit }
    }

    /// Where `fail_after` or `fail_at` was called.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// The time limit; `None` if it was a deadline.
    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place;
        match self.limit {
            Some(limit) => write!(
                f,
                "too slow: the work in the `fail_after` at {place} was cut short by its limit of {limit:?}"
            ),
            None => write!(
                f,
                "too slow: the work in the `fail_at` at {place} was cut short at its deadline"
            ),
        }?;
        f.write_str("; allow it more time there, or find what holds it up")
    }
}

impl StdError for TooSlow {}

/// The user pressed Ctrl-C, and that ended the run.
///
/// Like `trio.run`, which raises `KeyboardInterrupt` once all tasks have unwound, `run` fails with
/// this after everything has been cancelled and has cleaned up.
///
/// ```
/// use seedbed::{Interrupted, Result};
/// use std::process::ExitCode;
///
/// fn exit_code(result: &Result<()>) -> ExitCode {
///     match result {
///         Ok(()) => ExitCode::SUCCESS,
///         // What shells expect of a program ended by SIGINT.
///         Err(error) if error.is::<Interrupted>() => ExitCode::from(130),
///         Err(_) => ExitCode::FAILURE,
///     }
/// }
/// assert_eq!(exit_code(&Ok(())), ExitCode::SUCCESS);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted: Ctrl-C ended the run, once everything in it had cleaned up")
    }
}

impl StdError for Interrupted {}

/// A body was interrupted, without a failure, before it had a value to return. It was the body of a
/// nursery that was cancelled through its own scope, or of a `with` whose context manager handled
/// the error.
///
/// That is no problem where the body's value is `()`, as it always is in Trio. Any other value
/// cannot be made up.
///
/// ```
/// use seedbed::{NoValue, Result};
///
/// fn value_if_any(result: Result<u32>) -> Result<Option<u32>> {
///     match result {
///         Err(error) if error.is::<NoValue>() => Ok(None),
///         other => other.map(Some),
///     }
/// }
/// assert_eq!(value_if_any(Ok(42)).unwrap(), Some(42));
/// ```
#[derive(Clone, Debug)]
pub struct NoValue {
    place: &'static Location<'static>,
    cancelled: Option<Cancelled>,
}

impl NoValue {
    pub(crate) fn new(place: &'static Location<'static>, cancelled: Cancelled) -> NoValue {
        NoValue { place, cancelled: Some(cancelled) }
    }

    /// The error for a context manager that handled an error of its body.
    pub(crate) fn handled(place: &'static Location<'static>) -> NoValue {
        NoValue { place, cancelled: None }
    }

    /// Where the nursery was opened, or where the context manager was entered.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// The cancellation that interrupted the body, if it was a cancellation.
    pub fn cancelled(&self) -> Option<&Cancelled> {
        self.cancelled.as_ref()
    }
}

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cancelled {
            Some(_) => {
                write!(f, "the nursery opened at {} was cancelled before its body", self.place)
            }
            None => write!(
                f,
                "the context manager entered at {} handled an error before the body of the `with`",
                self.place
            ),
        }?;
        f.write_str(
            " had a value; to allow that, let the body return `()` and put the value in a variable \
             outside",
        )
    }
}

impl StdError for NoValue {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cancelled.as_ref().map(|why| why as &(dyn StdError + 'static))
    }
}
