//! The errors of sending and receiving.

use std::fmt;
use std::panic::Location;

use crate::error::Error;

/// The channel is closed, or its other end is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message cannot be sent: the channel was closed, or its receivers are gone")
    }
}

impl std::error::Error for Closed {}

/// A message that was not sent, and the reason: [`Cancelled`](crate::Cancelled) or [`Closed`].
///
/// `?` turns it into an [`Error`], without the message.
pub struct SendError<T> {
    pub(super) message: T,
    pub(super) why: Error,
}

impl<T> SendError<T> {
    /// The message was not sent for this reason.
    pub(crate) fn new(message: T, why: Error) -> SendError<T> {
        SendError { message, why }
    }

    /// Nobody receives the message.
    #[cold]
    pub(crate) fn closed(message: T) -> SendError<T> {
        SendError { message, why: Closed.into() }
    }

    /// Returns the message.
    pub fn into_inner(self) -> T {
        self.message
    }

    /// Why the message was not sent.
    pub fn error(&self) -> &Error {
        &self.why
    }
}

impl<T> From<SendError<T>> for Error {
    #[track_caller]
    fn from(error: SendError<T>) -> Error {
        error.why.at(Location::caller())
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").field("why", &self.why).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

/// A message that could not be sent at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// There is no space for it, and no receiver is waiting.
    Full(T),
    /// The channel is closed, or its other end is gone.
    Closed(T),
}

impl<T> TrySendError<T> {
    /// Returns the message.
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(message) | TrySendError::Closed(message) => message,
        }
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "Full(..)",
            TrySendError::Closed(_) => "Closed(..)",
        })
    }
}

/// Why no message could be received at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryRecvError {
    /// There is no message yet.
    Empty,
    /// There will be no more messages.
    Ended,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "there is no message yet",
            TryRecvError::Ended => "the channel has ended",
        })
    }
}

impl std::error::Error for TryRecvError {}
