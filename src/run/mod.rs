//! Running: [`run`], its [`Builder`], and the loop that polls the main future, looks at the
//! network and the clock, and sleeps when there is nothing to do.

mod builder;
#[cfg(not(loom))]
mod cores;
mod main_loop;
mod outside;
mod overdue;
mod passed_over;
mod stuck;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::task::Waker;

use slab::Slab;

pub use builder::{Builder, run};
#[cfg(not(loom))]
pub use cores::run_on_cores;

use crate::Result;
use crate::error::panic::Payload;
use crate::generator::finalize::Closable;
use crate::nursery::core::Core;
use crate::operation::handed::Far;
use crate::operation::sync::CapacityLimiter;
use crate::platform::clock::{Clock, Nanos};
use crate::run::passed_over::PassedOver;
use crate::run::stuck::Lookout;
use crate::schedule::ahead::Ahead;
use crate::schedule::memory::table::{RunId, Table};
use crate::schedule::order::Order;
use crate::schedule::remote::inbox::Batch;
use crate::schedule::remote::registry::Tenant;
use crate::scope::timers::Timers;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::unheeded::Unheeded;
use crate::threads::Token;
use crate::threads::job::Jobs;
use crate::threads::{DEFAULT_LIMIT, LOOKUP_LIMIT};
use crate::world::reactor::Reactor;
use crate::world::signal::Interrupt;

/// What belongs to one `run`.
pub(crate) struct Runtime {
    pub(crate) clock: Clock,
    /// The units.
    pub(crate) table: Rc<Table>,
    /// The wakers that are no units' of this run, of who waits for the child at an address.
    pub(crate) joiners: RefCell<HashMap<usize, Waker>>,
    pub(crate) timers: RefCell<Timers>,
    pub(crate) reactor: Reactor,
    /// What other threads know of it.
    remote: Tenant,
    /// Empty, kept for its memory.
    batch: Cell<Batch>,
    /// The scopes that other threads have handles to.
    pub(crate) handled_scopes: RefCell<Slab<ScopeRef>>,
    /// Whether the main future has ended.
    ending: Cell<bool>,
    /// How many operations a unit may finish at once in one poll.
    pub(crate) budget: u32,
    pub(crate) order: Order,
    detect_deadlock: bool,
    lookout: RefCell<Lookout>,
    /// What was handed to operations, and for which there was no room elsewhere.
    pub(crate) handed_over: Far,
    passed_over: PassedOver,
    fail_when_stuck: bool,
    /// The nursery in which everything runs.
    system: Rc<Core>,
    /// The generators that were iterated and have not ended.
    pub(crate) generators: RefCell<Slab<Weak<dyn Closable>>>,
    /// What other threads do for it.
    pub(crate) jobs: Jobs,
    /// For how many at once, if nothing is said.
    pub(crate) thread_limiter: CapacityLimiter,
    /// For how many look-ups of names at once, which may hang together.
    #[cfg_attr(any(not(unix), loom), allow(dead_code, reason = "there is no network"))]
    pub(crate) lookup_limiter: CapacityLimiter,
    /// What a foreign waker panicked with while the loop was not at hand.
    panicked: Cell<Option<Payload>>,
    pub(crate) ahead: Ahead,
    pub(crate) unheeded: Unheeded,
    /// There is something that the loop itself has to see to, and that does not wait for long.
    calls_up: Cell<bool>,
    /// What heeds Ctrl-C, and the main scope, which it cancels.
    interrupt: RefCell<Option<(Interrupt, ScopeRef)>>,
    /// Ctrl-C was heeded, and who called `run` is still to be told.
    interrupted: Cell<bool>,
    /// Where `run` was called.
    pub(crate) place: &'static Location<'static>,
}

impl Runtime {
    fn new(
        clock: Clock,
        choices: &Builder,
        place: &'static Location<'static>,
    ) -> io::Result<Runtime> {
        #[cfg(not(loom))]
        crate::threads::affinity::remember();
        let (reactor, waker) = Reactor::new()?;
        let remote = Tenant::new(waker)?;
        let table = Table::new(RunId::new(remote.slot, remote.tenancy));
        let immediate = clock.is_virtual() || choices.fail_when_stuck;
        Ok(Runtime {
            table,
            joiners: RefCell::default(),
            panicked: Cell::new(None),
            ahead: Ahead::default(),
            unheeded: Unheeded::default(),
            calls_up: Cell::new(false),
            interrupt: RefCell::new(None),
            interrupted: Cell::new(false),
            clock,
            timers: RefCell::new(Timers::new()),
            reactor,
            remote,
            batch: Cell::default(),
            handled_scopes: RefCell::new(Slab::new()),
            ending: Cell::new(false),
            budget: choices.budget,
            order: choices.order(),
            detect_deadlock: choices.detect_deadlock,
            lookout: RefCell::new(Lookout::new(immediate)),
            handed_over: Far::default(),
            passed_over: PassedOver::default(),
            fail_when_stuck: choices.fail_when_stuck,
            system: Core::new(place),
            generators: RefCell::new(Slab::new()),
            jobs: Jobs::new(),
            thread_limiter: CapacityLimiter::new(DEFAULT_LIMIT),
            lookup_limiter: CapacityLimiter::new(LOOKUP_LIMIT),
            place,
        })
    }

    pub(crate) fn now(&self) -> Nanos {
        self.clock.now()
    }

    pub(crate) fn token(&self) -> Token {
        Token::new(self.remote.slot, self.remote.tenancy)
    }

    /// Whether this is the process in which it was begun, and not one forked since.
    pub(crate) fn is_here(&self) -> bool {
        self.remote.is_here()
    }

    /// Whether the main future has ended: no more tasks are taken from other threads.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.get()
    }

    /// Whether it still takes tasks that belong to it: not when its nursery has closed, while what
    /// is left of the run is dropped.
    pub(crate) fn takes_system_tasks(&self) -> bool {
        self.system.is_open()
    }

    /// Spawns a task that belongs to the runtime, which [takes](Self::takes_system_tasks) it. It must
    /// not fail.
    pub(crate) fn spawn_system(&self, task: impl Future<Output = Result<()>> + 'static) {
        // SAFETY: the future borrows nothing.
        drop(unsafe { self.system.spawn(task, self.place) });
    }

    /// Whether no task of the runtime's is left.
    pub(crate) fn system_is_empty(&self) -> bool {
        self.system.is_empty()
    }

    /// Waits until no task of the runtime's is left.
    pub(crate) async fn system_empty(&self) {
        self.system.empty().await;
    }
}
