//! [`EmptyRace`]: there was nothing to race.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

/// A [`race`](crate::race) or [`race_ok`](crate::race_ok) was given no futures, so there can be no
/// first value.
///
/// ```
/// fn had_no_servers(error: &seedbed::Error) -> bool {
///     error.is::<seedbed::EmptyRace>()
/// }
/// assert!(!had_no_servers(&seedbed::Error::msg("out of paper")));
/// ```
#[derive(Clone, Debug)]
pub struct EmptyRace {
    place: &'static Location<'static>,
}

impl EmptyRace {
    pub(crate) fn new(place: &'static Location<'static>) -> EmptyRace {
        EmptyRace { place }
    }

    /// Where `race` or `race_ok` was called.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }
}

impl fmt::Display for EmptyRace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the race at {} was given no futures, so there is no first value; \
             look whether there are any before you call it",
            self.place
        )
    }
}

impl StdError for EmptyRace {}
