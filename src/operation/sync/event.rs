//! Something that happens once.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Result;
use crate::operation::checkpoint::{Checkpoint, checkpoint};
use crate::operation::waiters::{Kept, Outcome, Ticket, Waiters};
use crate::schedule::budget;
use crate::scope;

/// Something that happens once, and that any number of tasks may wait for. Trio's `Event`.
///
/// ```
/// use seedbed::{Event, nursery};
///
/// seedbed::run(async {
///     let ready = Event::new();
///     nursery(async |n| {
///         let waiting = n.spawn(ready.wait());
///         ready.set();
///         waiting.await
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub struct Event {
    set: Cell<bool>,
    waiters: Waiters<()>,
}

impl Event {
    /// An event that has not happened.
    #[must_use]
    pub const fn new() -> Self {
        Event { set: Cell::new(false), waiters: Waiters::new() }
    }

    /// Says that it has happened, and lets all go on who wait for it. Again, it has no effect.
    pub fn set(&self) {
        budget::count();
        self.set.set(true);
        self.waiters.serve_all();
    }

    /// Whether it has happened.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.set.get()
    }

    /// Waits until it has happened. If it has already, this is a
    /// [`checkpoint`](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    pub fn wait(&self) -> EventWait<'_> {
        EventWait { event: self, step: Step::Start }
    }
}

impl Default for Event {
    fn default() -> Self {
        Event::new()
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Event").field("is_set", &self.is_set()).finish_non_exhaustive()
    }
}

/// The future of [`Event::wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct EventWait<'a> {
    event: &'a Event,
    step: Step,
}

enum Step {
    Start,
    /// It has happened already, or the wait is cancelled.
    Checkpoint(Checkpoint),
    Wait(Ticket),
    End,
}

impl Future for EventWait<'_> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut kept = Kept::default();
        loop {
            match &mut this.step {
                Step::Start => {
                    this.step = if this.event.is_set() {
                        Step::Checkpoint(checkpoint())
                    } else if let Err(error) = scope::check() {
                        Step::Checkpoint(Checkpoint::failing(error, 1))
                    } else {
                        let joined = this.event.waiters.join(cx, &mut kept, "Event::wait", None);
                        let Some(ticket) = joined else { continue };
                        this.step = Step::Wait(ticket);
                        return Poll::Pending;
                    };
                }
                Step::Checkpoint(checkpoint) => return Pin::new(checkpoint).poll(cx),
                Step::Wait(ticket) => match this.event.waiters.look(*ticket, cx) {
                    Outcome::Waiting => return Poll::Pending,
                    Outcome::Served(()) => {
                        this.step = Step::End;
                        return Poll::Ready(Ok(()));
                    }
                    Outcome::Cancelled((), error, left) => {
                        this.step = Step::End;
                        drop(left);
                        return Poll::Ready(Err(error));
                    }
                    Outcome::PassedOver((), left) => {
                        this.step = Step::Start;
                        drop(left);
                    }
                },
                Step::End => panic!("`Event::wait` was polled after it was ready"),
            }
        }
    }
}

impl Drop for EventWait<'_> {
    fn drop(&mut self) {
        if let Step::Wait(ticket) = self.step {
            drop(self.event.waiters.leave(ticket)); // foreign code
        }
    }
}

impl std::fmt::Debug for EventWait<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventWait").field("event", self.event).finish_non_exhaustive()
    }
}
