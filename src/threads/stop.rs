//! Asking a function on another thread to stop.

use std::io;
use std::sync::OnceLock;

use crate::error::{Cancelled, Result};

/// How a function on another thread, that consists of several steps, learns that it is to take no
/// further ones. A thread cannot be stopped, but between two steps it can look.
#[derive(Default)]
pub(crate) struct Stop(OnceLock<Unwanted>);

/// Why nobody wants the rest of a function's work.
enum Unwanted {
    /// The task that waits for it was cancelled.
    Cancelled(Cancelled),
    /// The future that waited for it was dropped.
    Dropped,
}

impl Stop {
    /// To be called between two steps, on any thread.
    ///
    /// # Errors
    ///
    /// The [`Cancelled`] of the task that waits, inside an [`io::Error`], from which `?` takes it
    /// out again. Nobody sees the error if that task has dropped the future.
    pub(crate) fn check(&self) -> io::Result<()> {
        match self.0.get() {
            None => Ok(()),
            Some(Unwanted::Cancelled(why)) => Err(crate::error::Error::from(why.clone()).into()),
            Some(Unwanted::Dropped) => Err(io::ErrorKind::Interrupted.into()),
        }
    }

    /// Whether the function has been asked to stop.
    pub(super) fn is_asked(&self) -> bool {
        self.0.get().is_some()
    }

    /// Asks the function to stop if the task that waits for it is cancelled, which `look` finds
    /// out.
    pub(super) fn ask_if_cancelled(&self, look: Result<()>) {
        if let Err(error) = look
            && let Ok(why) = error.downcast::<Cancelled>()
        {
            let _ = self.0.set(Unwanted::Cancelled(why));
        }
    }

    /// Asks the function to stop because nobody waits for it any more.
    pub(super) fn ask_as_dropped(&self) {
        let _ = self.0.set(Unwanted::Dropped);
    }
}
