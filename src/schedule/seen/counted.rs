//! What is counted of a run.

use std::time::Duration;

use crate::schedule::seen::numbers::numbers;

/// A poll is slow if it takes at least as long as a whole turn may last: the network, other threads
/// and timers wait for it.
pub(crate) const SLOW_POLL: Duration = Duration::from_millis(5);

numbers! {
    /// What has been counted of a run since [`enable`](crate::inspect::enable). Times are those of
    /// the run's clock; a virtual one stands still while tasks run.
    ///
    /// What a task does is divided into *polls*: in each it goes on until it waits again. A poll of
    /// a task is not one of the tasks in its nurseries, whose time is their own, and a task that is
    /// polled only for their sake is not counted.
    pub struct Counted {
        /// For how long these have been counted. In a sum, the time of all runs together.
        pub elapsed: Duration as Sum,
        /// For how long the run was not asleep. Divided by the time elapsed, this is how busy its
        /// thread was. For a run that is a guest, this includes the time of its host's other tasks.
        pub busy: Duration as Sum,
        /// For how long the run was asleep, because nothing in it could go on.
        pub parked: Duration as Sum,
        /// How often the run went to sleep.
        pub parks: u64 as Count,
        /// How often it woke up, and went to sleep again without having polled a task.
        pub futile_parks: u64 as Count,
        /// How many tasks were spawned.
        pub spawned: u64 as Count,
        /// How many tasks have ended.
        pub ended: u64 as Count,
        /// How many polls there were.
        pub polls: u64 as Count,
        /// How long the polls took, all together.
        pub polling: Duration as Sum,
        /// How many polls took 5 milliseconds or longer.
        pub slow_polls: u64 as Count,
        /// How long the slow polls took, all together.
        pub polling_slowly: Duration as Sum,
        /// How long the longest poll took.
        pub longest_poll: Duration as Longest,
        /// How often a task became ready: a new one, or one that was woken or has yielded.
        pub wakes: u64 as Count,
        /// How often a task was woken by another thread.
        pub remote_wakes: u64 as Count,
        /// For how long tasks were ready and had not had their turn, all together.
        pub scheduled: Duration as Sum,
        /// The longest time for which a task was ready and had not had its turn.
        pub longest_scheduled: Duration as Longest,
        /// How often a task that had waited was woken, perhaps by the end of its nursery.
        pub idles: u64 as Count,
        /// For how long tasks had waited when they were woken, all together.
        pub idle: Duration as Sum,
        /// How many events of sockets and other descriptors the system has reported.
        pub io_events: u64 as Count,
        /// How many scopes were cancelled gracefully, so that there was some grace to finish work.
        pub graces: u64 as Count,
        /// How much of their grace they used, all together.
        pub grace_used: Duration as Sum,
        /// How often the grace was over before the work was.
        pub graces_exceeded: u64 as Count,
        /// How many generators were dropped while they were suspended.
        pub generators_abandoned: u64 as Count,
        /// How many generators were closed by the run or their nursery.
        pub generators_finalized: u64 as Count,
        ;
        /// How often scopes were cancelled, by the reason.
        pub cancellations: Cancellations,
    }
}

numbers! {
    /// How often scopes were cancelled, by the [`Reason`](crate::Reason). A scope that is cancelled
    /// gracefully, and then because the grace is over, counts twice.
    pub struct Cancellations {
        /// Its deadline passed.
        pub deadline: u64 as Count,
        /// A task in the nursery failed.
        pub child_failed: u64 as Count,
        /// It was cancelled by a call.
        pub requested: u64 as Count,
        /// The grace for finishing its work was over.
        pub grace_over: u64 as Count,
        /// The run ended.
        pub shutdown: u64 as Count,
        /// Ctrl-C was pressed.
        pub interrupted: u64 as Count,
    }
}

impl Counted {
    /// Adds what was counted of another run.
    pub(crate) fn add(&mut self, other: &Counted) {
        self.add_numbers(other);
        self.cancellations.add_numbers(&other.cancellations);
    }
}
