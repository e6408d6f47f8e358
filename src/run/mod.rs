//! Running: [`run`], its [`Builder`], and the loop that polls the main future, looks at the
//! network and the clock, and sleeps when there is nothing to do.
//!
//! | file | concept |
//! |---|---|
//! | `builder` | the settings for a run |
//! | `parts` | making a run the present one of its thread |
//! | `guest/` | a run that another library's executor polls |
//! | `main_loop` | the loop |
//! | `look` | a look at the network, other threads, the clock and Ctrl-C |
//! | `flood` | what a run does in a flood of wakes from other threads |
//! | `cores` | a run on each of several cores |
//! | `companion` | what accompanies a run |
//! | `stuck/` | finding what does not go on although it could |
//! | `blocked/` | finding what holds the thread |
//! | `outside` | things that may still come to a run in which nothing can go on |
//! | `within_tokio` | telling a program that calls `run` in a task of tokio's |

pub(crate) mod blocked;
mod builder;
pub(crate) mod companion;
#[cfg(not(loom))]
mod cores;
mod flood;
mod guest;
mod look;
mod main_loop;
mod outside;
mod parts;
mod stuck;
#[cfg(all(not(loom), feature = "tokio"))]
mod within_tokio;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;

use slab::Slab;

pub use builder::{Builder, run};
#[cfg(not(loom))]
pub use cores::run_on_cores;
#[cfg(all(unix, not(loom)))]
pub use guest::{Guest, Host};

use crate::error::panic::Payload;
use crate::generator::entered::EnteredManagers;
use crate::generator::finalize::Generators;
use crate::nursery::child::own_scope::OwnScope;
use crate::nursery::system::System;
use crate::operation::handed::Records;
use crate::platform::Arc;
use crate::platform::clock::{Clock, Nanos};
use crate::run::blocked::Watched;
use crate::run::flood::Flood;
use crate::run::guest::park::Hosted;
use crate::run::look::Outlook;
use crate::run::stuck::Lookout;
use crate::run::stuck::overdue_jobs::OVERDUE;
use crate::run::stuck::withheld_messages::Withheld;
use crate::schedule::current::Progress;
use crate::schedule::remote::away;
use crate::schedule::remote::inbox::{Alarm, Batch};
use crate::schedule::remote::registry::Tenant;
use crate::schedule::rounds::{LooksFrom, Scheduler};
use crate::schedule::seen::onlookers::Onlookers;
use crate::schedule::turn::history::History;
use crate::schedule::units::table::Table;
use crate::scope::timers::TimersOfRun;
use crate::scope::tree::pool::{self, ScopeRef};
use crate::scope::without_checkpoint::WithoutCheckpoint;
use crate::threads::DefaultLimiter;
use crate::threads::job::Jobs;
use crate::threads::surroundings::Surroundings;
#[cfg(all(unix, not(loom), feature = "fs"))]
use crate::world::fs::call::Files;
#[cfg(all(unix, not(loom), feature = "net"))]
use crate::world::net::names::Lookups;
use crate::world::reactor::Reactor;
use crate::world::signal::Interrupt;

/// How a run sleeps, and who looks at the world when.
enum Runs {
    /// It has the thread for itself.
    Alone,
    /// It is polled by a host, which is made from the descriptor of the reactor.
    #[cfg(all(unix, not(loom)))]
    AsGuest(guest::host::MakeHost),
}

/// Everything that belongs to one `run`.
pub(crate) struct Run {
    clock: Clock,
    /// The units.
    table: Rc<Table>,
    /// See [`JOINERS`](crate::nursery::child::JOINERS).
    joiners: RefCell<HashMap<usize, Waker>>,
    /// See [`OWN_SCOPES`](crate::nursery::child::own_scope::OWN_SCOPES).
    own_scopes: RefCell<HashMap<usize, OwnScope>>,
    timers: TimersOfRun,
    reactor: Reactor,
    /// The run as other threads know it.
    remote: Tenant,
    /// Empty; kept for its memory.
    batch: Cell<Batch>,
    flood: Flood,
    /// The scopes that other threads have handles to.
    handled_scopes: RefCell<Slab<ScopeRef>>,
    scheduler: Scheduler,
    history: History,
    onlookers: Onlookers,
    #[cfg(feature = "console")]
    console: crate::snapshot::console::Told,
    detect_deadlock: bool,
    lookout: RefCell<Lookout>,
    /// Records of deliveries to operations for which the thread had no place.
    handed: Records,
    withheld: Withheld,
    fail_when_stuck: bool,
    /// What the watchdog sees of the run, if it watches it.
    watched: Option<Watched>,
    /// How long the run waits for a job that ought to end before it reports this.
    overdue: Nanos,
    /// The nursery in which everything runs.
    system: System,
    /// The generators that were iterated and have not ended.
    generators: Generators,
    /// The context managers that were entered.
    entered: EnteredManagers,
    /// The jobs that other threads do for the run.
    jobs: Jobs,
    default_limiter: DefaultLimiter,
    #[cfg(all(unix, not(loom), feature = "net"))]
    lookups: Lookups,
    #[cfg(all(unix, not(loom), feature = "fs"))]
    files: Files,
    /// The panic of a foreign waker that could not unwind to the loop.
    panicked: Cell<Option<Payload>>,
    without_checkpoint: WithoutCheckpoint,
    /// The response to Ctrl-C, and the main scope, which it cancels.
    interrupt: RefCell<Option<(Interrupt, ScopeRef)>>,
    /// Whether Ctrl-C has come, and the caller of `run` has yet to be told.
    interrupted: Cell<bool>,
    /// How far the run has got, while it is not the present one.
    progress: Progress,
    /// What only a run has that is a guest.
    guest: Option<Hosted>,
    _pool: pool::Opened,
}

impl Run {
    fn new(
        clock: Clock,
        choices: &Builder,
        how: Runs,
        surroundings: Option<Arc<dyn Surroundings>>,
        place: &'static Location<'static>,
    ) -> io::Result<Rc<Run>> {
        #[cfg(not(loom))]
        crate::threads::affinity::remember();
        let reactor = Reactor::new()?;
        let (alarm, looks_from, guest) = match how {
            Runs::Alone => {
                let interrupter = Arc::new(reactor.interrupter()?);
                (Alarm::Reactor(interrupter), LooksFrom::Anywhere, None)
            }
            #[cfg(all(unix, not(loom)))]
            Runs::AsGuest(host) => {
                // Nobody has to be woken before the host has polled it.
                let nobody = Arc::new(Waker::noop().clone());
                let guest = Hosted::new(host(reactor.descriptor()?)?);
                (Alarm::Host(nobody), LooksFrom::TheLoop, Some(guest))
            }
        };
        let remote = Tenant::new(alarm)?;
        let table = Table::new(remote.run);
        let immediate = clock.is_virtual() || choices.fail_when_stuck;
        let number = table.run();
        let run = Rc::new(Run {
            table,
            joiners: RefCell::default(),
            own_scopes: RefCell::default(),
            panicked: Cell::new(None),
            without_checkpoint: WithoutCheckpoint::default(),
            interrupt: RefCell::new(None),
            interrupted: Cell::new(false),
            watched: choices.watched(&clock, place),
            clock,
            timers: TimersOfRun::new(number),
            reactor,
            remote,
            batch: Cell::default(),
            flood: Flood::default(),
            handled_scopes: RefCell::new(Slab::new()),
            scheduler: Scheduler::new(choices.order(), choices.budget, &Outlook, looks_from),
            history: History::new(),
            onlookers: Onlookers::default(),
            #[cfg(feature = "console")]
            console: crate::snapshot::console::Told::default(),
            detect_deadlock: choices.detect_deadlock,
            lookout: RefCell::new(Lookout::new(immediate)),
            handed: Records::default(),
            withheld: Withheld::default(),
            fail_when_stuck: choices.fail_when_stuck,
            overdue: choices.blocked.set().unwrap_or(OVERDUE),
            system: System::new(place),
            generators: Generators::default(),
            entered: EnteredManagers::default(),
            jobs: Jobs::new(surroundings),
            default_limiter: DefaultLimiter::default(),
            #[cfg(all(unix, not(loom), feature = "net"))]
            lookups: Lookups::new(choices.resolver.clone()),
            #[cfg(all(unix, not(loom), feature = "fs"))]
            files: Files::default(),
            progress: Progress::new(),
            guest,
            _pool: pool::open(),
        });
        if run.watched.is_some() {
            run.scheduler.ahead.begin_to_show();
        }
        let resident = Rc::downgrade(&run);
        away::move_in(number, resident);
        Ok(run)
    }

    pub(crate) fn now(&self) -> Nanos {
        self.clock.now()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        away::move_out(self.table.run());
        self.table.close();
    }
}
