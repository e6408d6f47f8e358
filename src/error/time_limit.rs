//! [`TooSlow`]: the time of a `fail_after`, a `fail_at` or an item of a flow ran out.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// The work in a `fail_after` or `fail_at` did not end in time: Trio's `TooSlowError`. Or an item of
/// a flow took longer than its [`timeout`](crate::flow::Flow::timeout) allows.
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
    limit: Limit,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    /// Of a `fail_after`.
    Work(Duration),
    /// Of a `fail_at`.
    Deadline,
    /// Of a flow's `timeout`.
    Item(Duration),
}

impl TooSlow {
    pub(crate) fn new(place: &'static Location<'static>, limit: Option<Duration>) -> TooSlow {
        TooSlow { place, limit: limit.map_or(Limit::Deadline, Limit::Work) }
    }

    /// The error for an item of a flow.
    pub(crate) fn of_item(place: &'static Location<'static>, limit: Duration) -> TooSlow {
        TooSlow { place, limit: Limit::Item(limit) }
    }

    /// Where `fail_after`, `fail_at` or a flow's `timeout` was called.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// The time limit; `None` if it was a deadline.
    pub fn limit(&self) -> Option<Duration> {
        match self.limit {
            Limit::Work(limit) | Limit::Item(limit) => Some(limit),
            Limit::Deadline => None,
        }
    }
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place;
        match self.limit {
            Limit::Work(limit) => write!(
                f,
                "too slow: the work in the `fail_after` at {place} was cut short by its limit of {limit:?}"
            ),
            Limit::Deadline => write!(
                f,
                "too slow: the work in the `fail_at` at {place} was cut short at its deadline"
            ),
            Limit::Item(limit) => write!(
                f,
                "too slow: an item took longer than the limit of {limit:?} of the `timeout` at {place}"
            ),
        }?;
        f.write_str("; allow it more time there, or find what holds it up")
    }
}

impl StdError for TooSlow {}
