//! How code on this thread finds the parts of a run, each through a thread-local of its own, and
//! what else of the thread belongs to the run that is the present one. Only this module knows all
//! of it.
//!
//! A run is made the present one for as long as a function is called: once for all of it by `run`,
//! and for each poll if it is a guest. Everything is put back when the function has returned or
//! panicked. Another run may be made the present one meanwhile, even one that is already further
//! up the stack.

use crate::generator::entered::ENTERED;
use crate::generator::finalize::GENERATORS;
use crate::nursery::child::JOINERS;
use crate::nursery::child::own_scope::OWN_SCOPES;
use crate::nursery::system::SYSTEM;
use crate::operation::handed;
use crate::platform::clock::CLOCK;
use crate::run::Run;
use crate::run::blocked::Watched;
use crate::run::look::RUN;
use crate::schedule::current::{self, Progress};
use crate::schedule::remote::away::Resident;
use crate::schedule::remote::registry::TENANT;
use crate::schedule::rounds::SCHEDULER;
use crate::schedule::seen::onlookers::ONLOOKERS;
use crate::schedule::seen::shown::SHOWN;
use crate::schedule::turn::history::HISTORY;
use crate::scope::cancel_handle::HANDLED;
use crate::scope::timers::TIMERS;
use crate::scope::without_checkpoint::WITHOUT_CHECKPOINT;
use crate::threads::DEFAULT_LIMITER;
use crate::threads::job::JOBS;
#[cfg(all(unix, not(loom), feature = "fs"))]
use crate::world::fs::call::FILES;
#[cfg(all(unix, not(loom), feature = "net"))]
use crate::world::net::names::LOOKUPS;
use crate::world::reactor::REACTOR;

impl Run {
    /// Calls `f` with this run as the present one of the thread.
    pub(super) fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        // These are dropped in the opposite order.
        let _former = PutAside::present();
        let _progress = Swapped::new(&self.progress);
        let _hooks = self.guest.as_ref().map(|guest| guest.swap_hooks());
        let _entered = current::enter(&self.table);
        let _parts = self.lend_parts();
        let _awake = self.watched.as_ref().map(Watched::wakes);
        f()
    }

    /// Makes the run's parts those of this thread, until the returned value is dropped, which
    /// restores the former ones.
    fn lend_parts(&self) -> impl Sized {
        (
            RUN.lend(self),
            SCHEDULER.lend(&self.scheduler),
            HISTORY.lend(&self.history),
            ONLOOKERS.lend(&self.onlookers),
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
            ENTERED.lend(&self.entered),
            JOBS.lend(&self.jobs),
            DEFAULT_LIMITER.lend(&self.default_limiter),
            #[cfg(all(unix, not(loom), feature = "net"))]
            LOOKUPS.lend(&self.lookups),
            #[cfg(all(unix, not(loom), feature = "fs"))]
            FILES.lend(&self.files),
            SHOWN.lend_or_hide(self.watched.as_ref().map(Watched::shown)),
            handed::keep(self.records_handed().then_some(&self.handed)),
        )
    }
}

impl Resident for Run {
    fn visit(&self, f: &mut dyn FnMut()) {
        struct Rouse<'a>(&'a Run);
        impl Drop for Rouse<'_> {
            fn drop(&mut self) {
                self.0.remote.inbox.end_sleep(); // foreign code
            }
        }
        let _rouse = Rouse(self);
        current::without_locals(|| self.within(f));
    }
}

/// As long as this lives, the thread has the progress of a run, and the run what the thread had.
struct Swapped<'a>(&'a Progress);

impl<'a> Swapped<'a> {
    fn new(progress: &'a Progress) -> Self {
        progress.swap();
        Swapped(progress)
    }
}

impl Drop for Swapped<'_> {
    fn drop(&mut self) {
        self.0.swap();
    }
}

/// As long as this lives, the run that was the present one has its progress itself. When this is
/// dropped, it is the present one again, and goes on.
struct PutAside;

impl PutAside {
    fn present() -> Self {
        swap_present();
        PutAside
    }
}

impl Drop for PutAside {
    fn drop(&mut self) {
        swap_present();
    }
}

fn swap_present() {
    RUN.with(|run| run.map(|run| run.progress.swap()));
}
