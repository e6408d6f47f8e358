//! What is said of a task that holds the thread: by the watchdog while it does, and by the run's
//! own thread when it goes on.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use tracing::dispatcher::with_default;

use crate::error::panic::{quietly, report};
use crate::platform::clock::Nanos;
use crate::run::blocked::watchdog::rouse;
use crate::schedule::current::THREAD;
use crate::schedule::seen::shown::{Holder, Shown};

/// Foreign code.
pub(super) fn still_held(shown: &Shown, holder: &Holder, held: Duration) {
    let say = || {
        report!(
            warn,
            run = %shown.run,
            thread = shown.thread,
            task = holder.task().map(display),
            name = holder.name(),
            held = ?held,
            "blocked: {holder} has held the thread of the run at {} for {} so far, and nothing else in \
             the run goes on meanwhile; give what blocks to `to_thread`, and have what computes \
             `yield_now` now and then",
            shown.run,
            Length(held),
        );
    };
    match &shown.listener {
        Some(listener) => quietly(|| with_default(listener, say)),
        None => say(),
    }
}

/// The run shows something else than what was told of. Foreign code.
pub(super) fn went_on(shown: &Shown, held: Option<(Holder, Duration)>) {
    rouse(); // it does not look any more at what it has told of
    let Some((holder, held)) = held else { return };
    let held = exactly(held, shown.limit);
    report!(
        warn,
        run = %shown.run,
        thread = shown.thread,
        task = holder.task().map(display),
        name = holder.name(),
        held = ?held,
        "blocked until now: {holder} held the thread of the run at {} for {}",
        shown.run,
        Length(held),
    );
}

/// How long it was, of which the watchdog has seen so much. The poll is known to have begun
/// earlier; if it was much earlier, other units have been polled in it meanwhile.
fn exactly(seen: Duration, limit: Duration) -> Duration {
    let poll = THREAD.with(|thread| thread.turn.poll_has_lasted());
    poll.filter(|&poll| poll > seen && poll - seen <= limit).unwrap_or(seen)
}

impl Holder {
    fn task(&self) -> Option<&'static Location<'static>> {
        match self {
            Holder::Task(task) => Some(task.place()),
            Holder::Run(_) => None,
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Holder::Task(task) => task.name(),
            Holder::Run(_) => None,
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Task(task) => write!(f, "the task {task}"),
            Holder::Run(_) => {
                f.write_str("the main future, or a destructor or waker between two tasks,")
            }
        }
    }
}

/// A length of time, to two or three figures.
pub(in crate::run) struct Length(Duration);

impl Length {
    pub(in crate::run) fn from_nanos(nanos: Nanos) -> Length {
        Length(Duration::from_nanos(nanos))
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        match (milliseconds / 1000, milliseconds % 1000 / 100) {
            (0, _) => write!(f, "{milliseconds} ms"),
            (seconds, 0) => write!(f, "{seconds} s"),
            (seconds, tenths) => write!(f, "{seconds}.{tenths} s"),
        }
    }
}
