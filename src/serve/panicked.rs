//! Handlers that panic.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

/// The handler of a connection panicked. See [`Server::on_error`](crate::Server::on_error).
///
/// ```
/// fn is_a_bug(error: &seedbed::Error) -> bool {
///     error.is::<seedbed::HandlerPanicked>()
/// }
/// assert!(!is_a_bug(&seedbed::Error::msg("out of paper")));
/// ```
#[derive(Clone, Debug)]
pub struct HandlerPanicked {
    message: String,
}

impl HandlerPanicked {
    pub(crate) fn new(payload: &(dyn Any + Send)) -> HandlerPanicked {
        HandlerPanicked { message: crate::error::panic::text(payload).to_owned() }
    }

    /// What the panic said; empty if it was not a text.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for HandlerPanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the handler of a connection panicked: {}", self.message)
    }
}

impl StdError for HandlerPanicked {}
