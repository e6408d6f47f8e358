//! Reporting functions on other threads that a run waits for although it ought to end. They cannot
//! be cancelled.
//!
//! A cancelled run waits for them, and does not return before they have. If one of them hangs, it
//! looks as if the run did. So after a while the run says which function it is.

use super::Run;
use crate::platform::clock::Nanos;
use crate::schedule::current::THREAD;
use crate::threads::job::Course;

/// How long a run waits for a job that ought to end before it reports this.
const OVERDUE: Nanos = 5_000_000_000;

impl Run {
    /// Reports the jobs that nobody wants any more and that the run has been waiting for for a
    /// while. Returns the time of the next look.
    #[inline]
    pub(super) fn look_for_overdue(&self) -> Option<Nanos> {
        let ends =
            || self.system.is_ending() || THREAD.with(|thread| thread.counts.cancelled.get() > 0);
        if self.jobs.is_any_awaited() && ends() { self.report_overdue() } else { None }
    }

    #[cold]
    fn report_overdue(&self) -> Option<Nanos> {
        let run = if self.system.is_ending() { Course::Ends } else { Course::GoesOn };
        let (overdue, next) = self.jobs.overdue(self.clock.now_or_later(), OVERDUE, run);
        for job in overdue {
            tracing::warn!(
                %job,
                "the run has waited for {} s, since it was cancelled or began to end, for the function \
                 in the `to_thread` at {job}, because a thread cannot be stopped: have the function \
                 check now and then whether to go on, or let the run abandon it with \
                 `abandon_on_cancel(true)`",
                OVERDUE / 1_000_000_000,
            );
        }
        next
    }
}
