//! What hyper is told when an answer fails.

use std::error::Error as StdError;
use std::fmt;

/// On this error, hyper ends the connection, or the stream. The failure itself is reported
/// elsewhere.
#[derive(Debug)]
pub(crate) struct CutOff;

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was abandoned")
    }
}

impl StdError for CutOff {}
