//! How code on this thread finds the parts of a run, each through a thread-local of its own. Only
//! this module knows all of them.

use crate::generator::finalize::GENERATORS;
use crate::nursery::child::JOINERS;
use crate::nursery::child::own_scope::OWN_SCOPES;
use crate::nursery::system::SYSTEM;
use crate::operation::handed;
use crate::platform::clock::CLOCK;
use crate::run::Run;
use crate::run::look::RUN;
use crate::schedule::remote::registry::TENANT;
use crate::schedule::rounds::SCHEDULER;
use crate::schedule::turn::history::HISTORY;
use crate::scope::cancel_handle::HANDLED;
use crate::scope::timers::TIMERS;
use crate::scope::tree::pool;
use crate::scope::without_checkpoint::WITHOUT_CHECKPOINT;
use crate::threads::DEFAULT_LIMITER;
use crate::threads::job::JOBS;
#[cfg(all(unix, not(loom), feature = "fs"))]
use crate::world::fs::call::FILES;
#[cfg(all(unix, not(loom), feature = "net"))]
use crate::world::net::names::LOOKUPS;
use crate::world::reactor::REACTOR;

impl Run {
    /// Makes the run's parts those of this thread, until the returned value is dropped, which
    /// restores the former ones.
    pub(super) fn lend_parts(&self) -> impl Sized {
        (
            RUN.lend(self),
            SCHEDULER.lend(&self.scheduler),
            HISTORY.lend(&self.history),
            CLOCK.lend(&self.clock),
            TIMERS.lend(&self.timers),
            REACTOR.lend(&self.reactor),
            TENANT.lend(&self.remote),
            HANDLED.lend(&self.handled_scopes),
            JOINERS.lend(&self.joiners),
            OWN_SCOPES.lend(&self.own_scopes),
            WITHOUT_CHECKPOINT.lend(&self.without_checkpoint),
            SYSTEM.lend(&self.system),
            GENERATORS.lend(&self.generators),
            JOBS.lend(&self.jobs),
            DEFAULT_LIMITER.lend(&self.default_limiter),
            #[cfg(all(unix, not(loom), feature = "net"))]
            LOOKUPS.lend(&self.lookups),
            #[cfg(all(unix, not(loom), feature = "fs"))]
            FILES.lend(&self.files),
            self.records_handed().then(|| handed::keep(&self.handed)),
            pool::open(),
        )
    }
}
