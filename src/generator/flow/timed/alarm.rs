//! A time that an operator waits for, whichever of its polls it is.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::operation::time::now;
use crate::operation::time::sleep::{Sleep, Until};

/// A time to wait for. It stays when a wait is dropped or cancelled.
pub(super) struct Alarm {
    due: Due,
    /// Present while somebody waits.
    sleep: Option<Sleep>,
    place: &'static Location<'static>,
}

#[derive(Clone, Copy)]
enum Due {
    Now,
    At(Instant),
    /// At a time that an `Instant` cannot represent.
    Never,
}

impl Alarm {
    /// An alarm that is due, for an operator that was called at `place`.
    pub(super) fn new(place: &'static Location<'static>) -> Self {
        Alarm { due: Due::Now, sleep: None, place }
    }

    /// It is due this long after `start`.
    pub(super) fn set(&mut self, start: Instant, after: Duration) {
        self.due = start.checked_add(after).map_or(Due::Never, Due::At);
        self.sleep = None;
    }

    /// Whether it is due at this time.
    pub(super) fn is_due(&self, at: Instant) -> bool {
        match self.due {
            Due::Now => true,
            Due::At(due) => due <= at,
            Due::Never => false,
        }
    }

    /// Waits until it is due.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), if it has to wait.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.is_due(now()) {
            self.sleep = None;
            return Poll::Ready(Ok(()));
        }
        let until = match self.due {
            Due::Now => return Poll::Ready(Ok(())),
            Due::At(due) => Until::Instant(due),
            Due::Never => Until::Never,
        };
        let sleep = self.sleep.get_or_insert_with(|| Sleep::new(until, self.place));
        let outcome = ready!(Pin::new(sleep).poll(cx));
        self.sleep = None;
        Poll::Ready(outcome)
    }
}
