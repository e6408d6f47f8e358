//! Reporting functions on other threads that a run waits for although it ought to end. They cannot
//! be cancelled.
//!
//! A cancelled run waits for them, and does not return before they have. If one of them hangs, it
//! looks as if the run did. So after a while the run says which function it is.

use crate::platform::clock::Nanos;
use crate::run::Run;
use crate::run::blocked::Length;
use crate::run::stuck::{part_of_dump, text_of_dump};
use crate::schedule::current::THREAD;
use crate::threads::job::{Course, HoldsUp, Overdue};

/// How long a run waits for a job that ought to end before it reports this, unless it was told when
/// to warn of what blocks.
pub(in crate::run) const OVERDUE: Nanos = 5_000_000_000;

impl Run {
    /// Reports the jobs that nobody wants any more and that the run has been waiting for for a
    /// while. Returns the time of the next look.
    #[inline]
    pub(in crate::run) fn look_for_overdue(&self) -> Option<Nanos> {
        let ends =
            || self.system.is_ending() || THREAD.with(|thread| thread.counts.cancelled.get() > 0);
        if self.jobs.is_any_awaited() && ends() { self.report_overdue() } else { None }
    }

    #[cold]
    fn report_overdue(&self) -> Option<Nanos> {
        let run = if self.system.is_ending() { Course::Ends } else { Course::GoesOn };
        let (overdue, next) = self.jobs.overdue(self.clock.now_or_later(), self.overdue, run);
        let waited = Length::from_nanos(self.overdue);
        for Overdue { job, holds_up } in overdue {
            let (since, dump) = match holds_up {
                HoldsUp::Run => ("it began to end".into(), Some(text_of_dump())),
                HoldsUp::Scope(scope) => {
                    (format!("the scope opened at {scope} was cancelled"), part_of_dump(scope))
                }
            };
            tracing::warn!(
                %job,
                dump = dump.map(display),
                "the run has waited for {waited}, since {since}, for the function in the `to_thread` at \
                 {job}, because a thread cannot be stopped: have the function check now and then \
                 whether to go on, or let the run abandon it with `abandon_on_cancel(true)`"
            );
        }
        next
    }
}
