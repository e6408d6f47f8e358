//! Jobs that are waited for although nobody wants them any more.

use std::panic::Location;

use super::{Jobs, Stage, Status};
use crate::platform::clock::Nanos;

/// Whether a job is waited for although nobody wants it any more.
#[derive(Clone, Copy)]
pub(super) enum Unwanted {
    No,
    /// It is reported at this time.
    OverdueAt(Nanos),
    Told,
}

/// Whether a run goes on, or only waits for what is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Course {
    GoesOn,
    Ends,
}

/// A job that something else cannot end without.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overdue {
    /// Where `to_thread` was called.
    pub(crate) job: &'static Location<'static>,
    pub(crate) holds_up: HoldsUp,
}

/// What cannot end without a job.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HoldsUp {
    Run,
    /// The cancelled scope that was opened there.
    Scope(&'static Location<'static>),
}

impl Jobs {
    /// Finds the jobs that are unwanted, because the run is ending or the scope they were started
    /// in is cancelled, and that the run has waited for ever since, for as long as `after`. Returns
    /// them, each only once, and when the next may become overdue.
    pub(crate) fn overdue(
        &self,
        now: Nanos,
        after: Nanos,
        run: Course,
    ) -> (Vec<Overdue>, Option<Nanos>) {
        let (mut overdue, mut next) = (Vec::new(), None);
        for (_, job) in self.under_way.borrow().iter() {
            let status = job.status();
            let Some(holds_up) = status.holds_up(run) else { continue };
            let at = match status.unwanted.get() {
                Unwanted::No => now.saturating_add(after),
                Unwanted::OverdueAt(at) => at,
                Unwanted::Told => continue,
            };
            if now < at {
                status.unwanted.set(Unwanted::OverdueAt(at));
                next = next.into_iter().chain([at]).min();
            } else {
                status.unwanted.set(Unwanted::Told);
                overdue.push(Overdue { job: status.place, holds_up });
            }
        }
        (overdue, next)
    }
}

impl Status {
    /// What the job holds up: nothing, as long as somebody wants it, or nobody waits for it.
    fn holds_up(&self, run: Course) -> Option<HoldsUp> {
        if self.stage.get() != Stage::Awaited {
            return None;
        }
        if run == Course::Ends {
            return Some(HoldsUp::Run);
        }
        let scope = self.scope.as_ref().filter(|scope| scope.is_cancelled())?;
        Some(HoldsUp::Scope(scope.place()))
    }
}
