//! [`RetriesExhausted`]: something was tried as often as was asked for, and failed each time.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

use super::Error;

/// A [`flow::retry`](crate::flow::retry) has made its last attempt. The error that this one failed
/// with is the [cause](StdError::source), and can be looked for with
/// [`Error::find`](crate::Error::find).
///
/// ```
/// use seedbed::{Error, RetriesExhausted, flow};
///
/// # let clock = seedbed::testing::VirtualClock::new();
/// # seedbed::Builder::new().clock(&clock).run(async {
/// let ports = || flow::from_iter(["http"]).try_map(|text| Ok(text.parse::<u16>()?));
/// let error = flow::retry(flow::Retry::attempts(3), ports).last().await.unwrap_err();
/// let exhausted = error.find::<RetriesExhausted>().unwrap();
/// assert_eq!(exhausted.attempts(), 3);
/// assert!(error.find::<std::num::ParseIntError>().is_some());
/// # Ok(())
/// # })?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct RetriesExhausted {
    attempts: u32,
    place: &'static Location<'static>,
    last: Error,
}

impl RetriesExhausted {
    pub(crate) fn new(attempts: u32, place: &'static Location<'static>, last: Error) -> Self {
        RetriesExhausted { attempts, place, last }
    }

    /// How many attempts there were.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Where `retry` was called.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// What the last attempt failed with.
    pub fn last(&self) -> &Error {
        &self.last
    }
}

impl fmt::Display for RetriesExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RetriesExhausted { attempts, place, last } = self;
        let times = if *attempts == 1 { "attempt" } else { "attempts" };
        let last = last.one_line();
        write!(
            f,
            "the `retry` at {place} gave up after {attempts} {times}, the last of which failed: {last}"
        )
    }
}

impl StdError for RetriesExhausted {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.last.as_dyn())
    }
}
