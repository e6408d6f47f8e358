//! Reading off what there is in a run at present.

use std::time::Duration;

use crate::generator::finalize::{GENERATORS, Generators};
use crate::inspect::metrics::Metrics;
use crate::nursery::core::Core;
use crate::nursery::system::SYSTEM;
use crate::platform::clock::{CLOCK, Clock};
use crate::schedule::current::{self, THREAD};
use crate::schedule::seen::onlookers;
use crate::schedule::units::table;
use crate::schedule::units::unit::Unit;
use crate::scope::timers::TIMERS;
use crate::scope::tree::Scope;
use crate::threads::job::{JOBS, Jobs};
use crate::world::reactor::{REACTOR, Reactor};

/// The metrics of the run on this thread, if there is one.
pub(super) fn gather() -> Option<Metrics> {
    if !current::is_running() {
        return None;
    }
    let is_body = |unit: &Unit| !unit.roster().is_null() && !Core::is_child(unit);
    let jobs = JOBS.with(|jobs| jobs.and_then(Jobs::seen)).unwrap_or_default();
    let jobs_abandoned = jobs.iter().filter(|job| job.is_abandoned).count();
    let (scopes, scopes_cancelled) =
        THREAD.with(|thread| (thread.counts.scopes.get(), thread.counts.cancelled.get()));
    Some(Metrics {
        elapsed: Duration::from_nanos(CLOCK.with(|clock| clock.map_or(0, Clock::now_or_later))),
        tasks: 1 + table::find(Core::is_child).len(),
        ready: table::find(|unit| unit.is_queued() && !unit.roster().is_null()).len(),
        nurseries: table::find(is_body).len().saturating_sub(1), // the system's
        scopes,
        scopes_cancelled,
        shields: shields(),
        timers: TIMERS.with(|timers| {
            timers.and_then(|timers| Some(timers.timers.try_borrow().ok()?.len())).unwrap_or(0)
        }),
        sources: REACTOR.with(|reactor| reactor.map_or(0, Reactor::sources)),
        generators: GENERATORS.with(|all| all.map_or(0, Generators::count)),
        jobs: jobs.len() - jobs_abandoned,
        jobs_abandoned,
        counted: onlookers::counted(),
    })
}

/// How many shields are up, in the scopes that can be reached from the run's.
fn shields() -> usize {
    let mut count = 0;
    SYSTEM.with(|system| {
        if let Some(system) = system {
            let scope: &Scope = system.core().scope();
            scope.walk(|scope| {
                count += usize::from(scope.shield());
                true
            });
        }
    });
    count
}
