//! What holds the thread: a watchdog that says which task does, while it still does.
//!
//! A task that blocks, or computes without an `await`, holds up everything else in its run, and the
//! run itself cannot say so: its thread is the one that is held. So one thread of the process
//! watches all runs. It never looks at a task. Each run [shows](crate::schedule) what it is polling
//! in two words that both threads have (`schedule::seen::shown`), and the watchdog [judges](sight)
//! by them alone.
//!
//! | file | concept |
//! |---|---|
//! | `watched` | a run that is watched: when it has the thread, and when it sleeps |
//! | `sight` | deciding whether it has been the same for too long |
//! | `watchdog` | the thread |
//! | `asked` | what holds a run, for those who ask |
//! | `told` | what is said: while the thread is held, and when it goes on |
//!
//! A run that sleeps shows nothing. While nothing that is shown could become too old, the watchdog
//! sleeps until somebody rouses it.

pub(crate) mod asked;
mod sight;
mod told;
mod watchdog;
mod watched;

use std::panic::Location;
use std::time::Duration;

pub(super) use told::Length;
pub(super) use watched::Watched;

use crate::platform::clock::{Clock, Nanos, nanos};
use crate::run::Builder;

/// How long a task may hold the thread if the program has not said, in a build with debug
/// assertions and on the system's clock.
const IN_DEBUG_BUILDS: Duration = Duration::from_secs(1);

/// When a run warns of what holds its thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Limit {
    /// After a second in a debug build, and otherwise never.
    ByDefault,
    Set(Duration),
    Never,
}

impl Limit {
    fn after(self, clock: &Clock) -> Option<Duration> {
        match self {
            // What a test says should not depend on how busy the machine is.
            Limit::ByDefault if clock.is_virtual() => None,
            Limit::ByDefault => cfg!(debug_assertions).then_some(IN_DEBUG_BUILDS),
            Limit::Set(after) => Some(after),
            Limit::Never => None,
        }
    }

    /// The limit that the program has set, if it has set any.
    pub(super) fn set(self) -> Option<Nanos> {
        match self {
            Limit::Set(after) => Some(nanos(after)),
            Limit::ByDefault | Limit::Never => None,
        }
    }
}

impl Builder {
    /// Sets after how long the run warns of a task that holds its thread; with `None` it never
    /// does. The default is a second in a build with debug assertions, unless the run is on a
    /// virtual clock, and never in other builds.
    ///
    /// While a task runs, nothing else in its run does. A task that waits for something in a way
    /// that blocks the thread, or computes for long without letting others run, holds up
    /// everything: timers, sockets, cancellations and Ctrl-C. When one has done so for this long, a
    /// warning with its name and the place where it was spawned goes to `tracing` *while it still
    /// does*, so that a loop which never comes to an `await` is found too. When it lets others run
    /// at last, another warning says how long it took. Children are told from the task whose
    /// nursery they are in; whatever is polled as a part of a task, such as the body of its nursery
    /// or a generator, counts as the task.
    ///
    /// Functions in [`to_thread`](crate::to_thread()) hold up nobody. But one that a run or a
    /// cancelled scope has to wait for at its end is warned of as well: after this time if one is
    /// set, and otherwise, or with `None`, after five seconds.
    ///
    /// One thread of the process watches all runs that are to be watched. It sleeps while they do,
    /// and otherwise looks four times within the limit, so a warning comes up to a quarter of the
    /// limit late. A run that is watched writes a few words for each poll; one that is not pays
    /// nothing. The schedule stays the same. A [guest](Self::guest_on) is watched while its host
    /// polls it. The limit is in real time, also on a
    /// [`VirtualClock`](crate::testing::VirtualClock), since it is the real thread that is held;
    /// time for which the whole process was stopped does not count. The first warning comes from
    /// the watching thread, and goes to the subscriber that was the default on the run's thread
    /// when the run began.
    ///
    /// ```
    /// use seedbed::{Builder, to_thread};
    /// use std::time::Duration;
    ///
    /// Builder::new().warn_when_blocked(Duration::from_millis(100)).run(async {
    ///     // std::thread::sleep(Duration::from_secs(1)); // this would be warned of
    ///     to_thread(|| std::thread::sleep(Duration::from_millis(1))).await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn warn_when_blocked(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.blocked = limit.into().map_or(Limit::Never, Limit::Set);
        self
    }

    /// What is needed to watch the run at `place`, if it is to be watched.
    pub(super) fn watched(
        &self,
        clock: &Clock,
        place: &'static Location<'static>,
    ) -> Option<Watched> {
        // In a model nothing takes time.
        let limit = self.blocked.after(clock).filter(|_| !cfg!(loom))?;
        Some(Watched::new(limit, place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::virtual_clock::VirtualClock;

    #[test]
    fn who_is_watched() {
        let (system, own) = (Clock::default_of_run(), Clock::Virtual(VirtualClock::new()));
        let limit = |builder: Builder, clock| builder.blocked.after(clock);
        let by_default = if cfg!(debug_assertions) { Some(IN_DEBUG_BUILDS) } else { None };
        assert_eq!(limit(Builder::new(), &system), by_default);
        assert_eq!(limit(Builder::new(), &own), None);
        let hour = Duration::from_secs(3600);
        assert_eq!(limit(Builder::new().warn_when_blocked(hour), &own), Some(hour));
        assert_eq!(limit(Builder::new().warn_when_blocked(None), &system), None);
    }
}
