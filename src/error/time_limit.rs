//! [`TooSlow`]: the time of a `fail_after` or `fail_at` ran out.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// The work in a `fail_after` or `fail_at` did not end in time: Trio's `TooSlowError`.
///
/// It comes only from the scope whose own deadline passed (or which, as in Trio, was cancelled by a
/// call). Work that another scope cut short fails with [`Cancelled`](crate::Cancelled), and it is
/// for that scope to say more.
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
