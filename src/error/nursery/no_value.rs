//! [`NoValue`]: a body was interrupted before it had its value.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

use crate::error::Cancelled;

/// A body was interrupted, without a failure, before it had a value to return. It was the body of a
/// nursery that was cancelled through its own scope, or of a `with` whose context manager handled
/// the error.
///
/// That is no problem if the body's value is `()`, as it always is in Trio. Any other value cannot
/// be made up.
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
