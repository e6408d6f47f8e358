//! Errors about how things went: any correct program may meet them.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use super::{Asks, Cancelled};

/// The work under `fail_after` or `fail_at` did not end in time: Trio's `TooSlowError`.
///
/// It comes only from the scope whose own deadline it was (or which, as in Trio, was cancelled by
/// hand). Work cut short by another scope fails with [`Cancelled`] and leaves it to that one to
/// tell.
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

    /// The time it was given; `None` if it was given a deadline.
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
                "too slow: the work under `fail_after` at {place} was cut short, its limit being {limit:?}"
            ),
            None => write!(
                f,
                "too slow: the work under `fail_at` at {place} was cut short at its deadline"
            ),
        }?;
        f.write_str("; give it longer there, or find what holds it up")
    }
}

impl StdError for TooSlow {}

/// The user pressed Ctrl-C, and that ended the run.
///
/// As Python's `KeyboardInterrupt` is raised by `trio.run` once all tasks have unwound, `run`
/// fails with this after everything has been cancelled and cleaned up.
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

/// A body was interrupted, which was no failure, before it had a value to return: the body of a
/// nursery that was cancelled through its own scope, or of a `with` whose context manager handled
/// the error.
///
/// All is well where the body's value is `()`, as it always is in Trio. Any other value cannot be
/// made up.
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

    /// A context manager handled the error of a body.
    pub(crate) fn handled(place: &'static Location<'static>) -> NoValue {
        NoValue { place, cancelled: None }
    }

    /// Where the nursery was opened, or the context manager entered.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// The cancellation that interrupted the body, if it was one.
    pub fn cancelled(&self) -> Option<&Cancelled> {
        self.cancelled.as_ref()
    }
}

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cancelled {
            Some(_) => write!(f, "the nursery opened at {} was cancelled before", self.place),
            None => {
                write!(f, "the context manager entered at {} handled an error before", self.place)
            }
        }?;
        f.write_str(
            " its body had a value; to allow that, let the body return `()` and put the value in \
             a variable outside",
        )
    }
}

impl StdError for NoValue {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cancelled.as_ref().map(|why| why as &(dyn StdError + 'static))
    }
}

/// Every task waits, and nothing in sight can wake one. See
/// [`Builder::detect_deadlock`](crate::Builder::detect_deadlock).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Deadlock {
    /// A function on another thread that waits for the run, and the call by which it does.
    asks: Option<Asks>,
}

impl Deadlock {
    pub(crate) fn new(asks: Option<Asks>) -> Deadlock {
        Deadlock { asks }
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadlock: every task waits, no timer is set and no input is waited for; ")?;
        match self.asks {
            Some(asks) => asks.fmt(f),
            None => f.write_str(
                "look for an event that nobody sets, or a channel whose other end is kept but not \
                 used",
            ),
        }
    }
}

impl StdError for Deadlock {}
