//! Errors of the system that say what was being done, and with which address.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::error::Error;

/// Puts these words in front of the text of an [`io::Error`], and leaves every other error as it
/// is.
pub(super) fn doing(what: &'static str, address: impl fmt::Display) -> impl FnOnce(Error) -> Error {
    move |error| match error.downcast::<io::Error>() {
        Ok(error) => {
            let kind = error.kind();
            io::Error::new(kind, Doing { text: format!("{what} {address}"), error }).into()
        }
        Err(other) => other,
    }
}

/// The error inside such an [`io::Error`].
#[derive(Debug)]
struct Doing {
    text: String,
    error: io::Error,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.text, self.error)
    }
}

impl StdError for Doing {
    /// The cause of the system's error, because the text of that error is already part of this
    /// one's.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}
