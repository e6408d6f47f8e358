//! Handlers that panic.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

use crate::error::panic::{quietly, text};

/// How a server deals with a handler that panics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnPanic {
    /// It reports a [`HandlerPanicked`].
    Report,
    /// The panic resumes in the caller of `serve`.
    Resume,
}

/// The error for a connection whose handler panicked. See
/// [`Server::on_error`](crate::Server::on_error). This needs the feature `net`, which is on by
/// default.
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
    /// The error for a panic with this payload, which is dropped.
    pub(crate) fn caught(payload: Box<dyn Any + Send>) -> HandlerPanicked {
        let message = text(&*payload).to_owned();
        quietly(|| drop(payload)); // foreign code
        HandlerPanicked { message }
    }

    /// The message of the panic; empty if it had none.
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
