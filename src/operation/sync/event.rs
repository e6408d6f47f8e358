//! Something that happens once.

use std::cell::Cell;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{Exclusive, Result};
use crate::operation::queued::Queued;
use crate::operation::skeleton::{Doing, Tried, When};
use crate::operation::waiters::Waiters;
use crate::schedule::budget;

/// Something that happens once, and for which any number of tasks can wait. This is Trio's `Event`.
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
    /// Makes an event that has not happened.
    #[must_use]
    pub const fn new() -> Self {
        Event { set: Cell::new(false), waiters: Waiters::new() }
    }

    /// Sets the event: it has happened, and all the tasks that wait for it go on. Further calls
    /// have no effect.
    pub fn set(&self) {
        budget::count();
        self.set.set(true);
        self.waiters.serve_all();
    }

    /// Whether the event has happened.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.set.get()
    }

    /// Waits until the event has happened. If it already has, this is just a
    /// [`checkpoint`](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn wait(&self) -> EventWait<'_> {
        EventWait(Doing::new(Wait { event: self, place: Location::caller() }))
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
pub struct EventWait<'a>(Doing<Wait<'a>>);

struct Wait<'a> {
    event: &'a Event,
    place: &'static Location<'static>,
}

impl Queued for Wait<'_> {
    const NAME: &'static str = "Event::wait";
    const COUNTS_WHEN_CANCELLED: u8 = 1;
    const ALONE: Option<Exclusive> = None;

    type Value = ();
    type Got = ();

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn queue(&self) -> &Waiters<()> {
        &self.event.waiters
    }

    fn is_checkpoint(&self) -> bool {
        self.event.is_set()
    }

    fn attempt(&mut self, when: When) -> Tried<()> {
        if when == When::Passed { Tried::Counted(()) } else { Tried::Waits }
    }

    fn receive(&mut self, (): ()) {}

    fn pass_on(&mut self, (): ()) {}
}

impl Future for EventWait<'_> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.get_mut().0).poll(cx)
    }
}

impl std::fmt::Debug for EventWait<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventWait").field("event", self.0.work.event).finish_non_exhaustive()
    }
}
