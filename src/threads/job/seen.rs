//! What there is to see of the jobs of a run.

use std::panic::Location;

use super::{Jobs, Stage, UnderWay};
use crate::platform::clock::Nanos;

/// What there is to see of a job.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Where `to_thread` was called.
    pub(crate) place: &'static Location<'static>,
    pub(crate) began: Nanos,
    /// Where it called into the run, if it waits for the answer.
    pub(crate) asks: Option<&'static Location<'static>>,
    pub(crate) is_abandoned: bool,
}

impl Jobs {
    /// What there is to see of them, if they can be looked at.
    pub(crate) fn seen(&self) -> Option<Vec<Seen>> {
        let jobs = self.under_way.try_borrow().ok()?;
        let see = |job: &dyn UnderWay| {
            let status = job.status();
            Seen {
                place: status.place,
                began: status.began,
                asks: status.asks.get(),
                is_abandoned: status.stage.get() == Stage::Abandoned,
            }
        };
        Some(jobs.iter().map(|(_, job)| see(&**job)).collect())
    }
}
