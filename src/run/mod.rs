//! Running: [`run`], its [`Builder`], and the loop that polls the main future, looks at the
//! network and the clock, and sleeps when there is nothing to do.

mod builder;
mod main_loop;
#[cfg(not(loom))]
pub(crate) mod reactor;
#[cfg(loom)]
pub(crate) use crate::shim::reactor;
pub(crate) mod timer;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::panic::Location;
use std::rc::{Rc, Weak};

use slab::Slab;

pub use builder::{Builder, run};
pub(crate) use main_loop::catch_panic;

use crate::Result;
use crate::generator::finalize::Closable;
use crate::nursery::core::Core;
use crate::remote::Token;
use crate::remote::inbox::Batch;
use crate::remote::registry::Tenant;
use crate::run::reactor::Reactor;
use crate::run::timer::Target;
use crate::scope::tree::Scope;
use crate::sync::CapacityLimiter;
use crate::thread::DEFAULT_LIMIT;
use crate::thread::job::Jobs;
use crate::time::clock::{Clock, Nanos};
use crate::time::wheel::Wheel;

/// What belongs to one `run`.
pub(crate) struct Runtime {
    pub(crate) clock: Rc<dyn Clock>,
    pub(crate) timers: RefCell<Wheel<Target>>,
    pub(crate) reactor: Reactor,
    /// What other threads know of it.
    remote: Tenant,
    /// Empty, kept for its memory.
    batch: Cell<Batch>,
    /// The scopes that other threads have handles to.
    pub(crate) handled_scopes: RefCell<Slab<Weak<Scope>>>,
    /// Whether the main future has ended.
    ending: Cell<bool>,
    /// How many operations a unit may finish at once in one poll.
    pub(crate) budget: u32,
    /// The state of the scheduler's random numbers, where it was given a seed.
    random: Option<Cell<u64>>,
    detect_deadlock: bool,
    /// The nursery in which everything runs.
    system: Rc<Core>,
    /// The generators that were iterated and have not ended.
    pub(crate) generators: RefCell<Slab<Weak<dyn Closable>>>,
    /// What other threads do for it.
    pub(crate) jobs: Jobs,
    /// For how many at once, if nothing is said.
    pub(crate) thread_limiter: CapacityLimiter,
    /// Where `run` was called.
    pub(crate) place: &'static Location<'static>,
}

impl Runtime {
    fn new(
        clock: Rc<dyn Clock>,
        choices: &Builder,
        place: &'static Location<'static>,
    ) -> io::Result<Runtime> {
        let (reactor, waker) = Reactor::new()?;
        let remote = Tenant::new(waker)?;
        Ok(Runtime {
            clock,
            timers: RefCell::new(Wheel::new()),
            reactor,
            remote,
            batch: Cell::default(),
            handled_scopes: RefCell::new(Slab::new()),
            ending: Cell::new(false),
            budget: choices.budget,
            random: choices.seed.map(Cell::new),
            detect_deadlock: choices.detect_deadlock,
            system: Core::new(place),
            generators: RefCell::new(Slab::new()),
            jobs: Jobs::new(),
            thread_limiter: CapacityLimiter::new(DEFAULT_LIMIT),
            place,
        })
    }

    pub(crate) fn now(&self) -> Nanos {
        self.clock.now()
    }

    pub(crate) fn token(&self) -> Token {
        Token::new(self.remote.slot, self.remote.tenancy)
    }

    /// Whether the main future has ended: no more tasks are taken from other threads.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.get()
    }

    /// Spawns a task that belongs to the runtime. It must not fail.
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

    /// Whether the order of the ready is drawn.
    pub(crate) fn is_seeded(&self) -> bool {
        self.random.is_some()
    }

    /// A number below `n`, drawn with the scheduler's seed; 0 without one.
    pub(crate) fn choose(&self, n: usize) -> usize {
        let Some(random) = &self.random else { return 0 };
        // SplitMix64 (Steele, Lea and Flood, 2014): small, and good for any seed.
        let state = random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        random.set(state);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        ((u128::from(bits) * n as u128) >> 64) as usize
    }
}
