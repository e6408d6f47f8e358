//! Things outside a run that may still make something in it go on, when nothing in it can go on by
//! itself.
//!
//! Several places need to know that nothing more can come: before a deadlock is reported, before a
//! virtual clock jumps, and before something is called stuck. This is worked out here, so that the
//! answer is the same everywhere.
//!
//! | outside the run | it may make something go on | it takes real time |
//! |---|---|---|
//! | a job of `to_thread` | yes | yes |
//! | a job that was abandoned | yes: it may at least give back its permit | no: it may never end |
//! | a job that waits for this run | no | no |
//! | another runtime, for a future that says so | yes | yes |
//! | descriptors, signals | yes | only if the clock is told to wait for them |
//!
//! Any other future that another thread completes is not seen, because nothing distinguishes it from
//! one of the run's own.

use super::Run;

pub(super) struct Outside {
    /// Whether something is at work that the run has to wait for and that takes real time.
    pub(super) at_work: bool,
    /// Whether only a timer can make anything ready.
    pub(super) is_silent: bool,
}

impl Run {
    pub(super) fn outside(&self) -> Outside {
        let elsewhere = self.jobs.elsewhere.is_any_awaited();
        Outside {
            at_work: elsewhere || self.jobs.is_any_awaited_going_on(),
            is_silent: !elsewhere && !self.reactor.has_sources() && !self.jobs.is_any_going_on(),
        }
    }
}
