//! What is outside of a run, and may still make something in it go on when nothing can by itself.
//!
//! Whether nothing more can come is asked in several places: before a deadlock is reported, before a
//! virtual clock jumps, and before something is called stuck. The answer is worked out here, so that
//! it is the same everywhere.
//!
//! | outside | something may come of it | it takes real time |
//! |---|---|---|
//! | a job of `to_thread` | yes | yes |
//! | a job that was abandoned | yes: its permit, at least | no: it may never end |
//! | a job that waits for this run | no | no |
//! | descriptors, signals | yes | only if the clock is told to wait for them |
//!
//! A future that another thread completes is not seen, as nothing distinguishes it from one of the
//! run's own.

use super::Run;

pub(super) struct Outside {
    /// Something is at work that the run has to wait for and that takes real time.
    pub(super) at_work: bool,
    /// Only a timer can make anything ready.
    pub(super) is_silent: bool,
}

impl Run {
    pub(super) fn outside(&self) -> Outside {
        Outside {
            at_work: self.jobs.is_any_awaited_going_on(),
            is_silent: !self.reactor.has_sources() && !self.jobs.is_any_going_on(),
        }
    }
}
