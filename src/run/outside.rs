//! What is outside of a run, and may still come to it when nothing in it can run.
//!
//! Whether nothing can run any more is asked in several places: before that is called a deadlock,
//! before a virtual clock jumps, and before something is called stuck. The answer is made here, so
//! that it is the same.
//!
//! | outside | something comes of it | it takes real time |
//! |---|---|---|
//! | a job of `to_thread` | yes | yes |
//! | one that was abandoned | yes: a permit, at least | no: it may never end |
//! | one that waits for this run | no | no |
//! | descriptors, signals | yes | only if the clock is asked to wait for them |
//!
//! A future that another thread completes is not seen: nothing says that it is not one of the
//! run's own.

use super::Runtime;

pub(super) struct Outside {
    /// Something is at work for the run that it has to wait for, and takes real time.
    pub(super) at_work: bool,
    /// Nothing but a timer can make anything ready.
    pub(super) is_silent: bool,
}

impl Runtime {
    pub(super) fn outside(&self) -> Outside {
        Outside {
            at_work: self.jobs.is_any_awaited_going_on(),
            is_silent: !self.reactor.has_sources() && !self.jobs.is_any_going_on(),
        }
    }
}
