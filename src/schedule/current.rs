//! What is being polled on this thread: the runtime, the unit, the cancel scope.
//!
//! Whoever polls something sets these and puts them back afterwards, so they cannot be misnested,
//! whatever order futures are created, moved and dropped in.
//!
//! # Invariants
//!
//! 1. `runtime` is null or points to the `Runtime` that the `run` further up this thread's stack
//!    owns; `run` sets it back to null before that goes. The same goes for `table`,
//!    of which that has an `Rc`.
//! 2. `polled` is null, or points to the unit that a nursery further up this thread's stack is
//!    polling, and keeps meanwhile.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Waker;

use crate::platform::thread_static;
use crate::run::Runtime;
use crate::schedule::memory::table::{RunId, Table, UnitId};
use crate::schedule::turn::{Budget, Turn};
use crate::schedule::unit::Unit;
use crate::schedule::waker::waker;

pub(crate) struct Context {
    runtime: Cell<*const Runtime>,
    /// The number of the present `run` in this process; 0 when there is none.
    pub(crate) run: Cell<u32>,
    /// The run's part of its units' numbers.
    pub(crate) unit_run: Cell<RunId>,
    /// Its units.
    table: Cell<*const Table>,
    /// The scope and the frame that are being polled: see `scope::current`, which alone knows what
    /// they are.
    pub(crate) scope: Cell<*const ()>,
    pub(crate) frame: Cell<*const ()>,
    pub(crate) unit: Cell<UnitId>,
    /// The unit itself, while it is being polled.
    pub(crate) polled: Cell<*const Unit>,
    /// See [`Host::is_uncalled`].
    uncalled: Cell<bool>,
    /// How much may be done before others have their turn.
    pub(crate) turn: Turn,
    /// How often somebody may still look at the world from inside a nursery before the run loop does
    /// it.
    pub(crate) looks: Cell<u32>,
    /// What becomes ready now is noted, as it may [go ahead](crate::schedule::ahead).
    pub(crate) notes: Cell<bool>,
    /// Rounds of the scheduler: what becomes ready in one is polled in a later one.
    pub(crate) tick: Cell<u32>,
    /// How many ready queues have units in them.
    pub(crate) ready_queues: Cell<usize>,
    /// The host of the only queue that had units in it when its nursery went up, until the nursery
    /// above it has seen that; otherwise none.
    pub(crate) went_up: Cell<UnitId>,
    /// How many open scopes have been handed something and were not polled since.
    pub(crate) handed: Cell<usize>,
    /// How many open scopes have been cancelled themselves.
    pub(crate) cancelled: Cell<usize>,
    /// How many `start`s keep a nursery open.
    pub(crate) starts: Cell<usize>,
    /// How many scopes are entered, for `testing::statistics`.
    pub(crate) scopes: Cell<usize>,
}

impl Context {
    /// The units of the runtime.
    #[inline]
    pub(crate) fn table(&self) -> Option<&Table> {
        // SAFETY: invariant 1: the runtime has it.
        unsafe { self.table.get().as_ref() }
    }

    /// Whether what is being polled has a frame.
    #[inline]
    pub(crate) fn is_in_frame(&self) -> bool {
        !self.frame.get().is_null()
    }
}

thread_static! {
    static OF_THREAD: Context = Context {
        runtime: Cell::new(ptr::null()),
        run: Cell::new(0),
        unit_run: Cell::new(RunId::NONE),
        table: Cell::new(ptr::null()),
        scope: Cell::new(ptr::null()),
        frame: Cell::new(ptr::null()),
        unit: Cell::new(UnitId::NONE),
        polled: Cell::new(ptr::null()),
        uncalled: Cell::new(true),
        turn: Turn::new(),
        looks: Cell::new(0),
        notes: Cell::new(false),
        tick: Cell::new(0),
        ready_queues: Cell::new(0),
        went_up: Cell::new(UnitId::NONE),
        handed: Cell::new(0),
        cancelled: Cell::new(0),
        starts: Cell::new(0),
        scopes: Cell::new(0),
    };
}

/// The context of the present thread.
pub(crate) struct Current;

pub(crate) const CONTEXT: Current = Current;

impl Current {
    /// Calls `f` with it. Whatever `f` is, this is inlined: what is inlined of the standard
    /// library's `with` depends on that.
    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&Context) -> R) -> R {
        let context = OF_THREAD.with(ptr::from_ref);
        // SAFETY: it has no destructor, and goes only with the thread.
        f(unsafe { &*context })
    }
}

/// A number for a run that no other of the process has. It is not 0.
pub(crate) fn new_number() -> u32 {
    static RUNS: AtomicU32 = AtomicU32::new(1);
    RUNS.fetch_add(1, Ordering::Relaxed).max(1)
}

/// Makes `runtime` the one of this thread until the guard is dropped.
pub(crate) fn enter_runtime(runtime: &Runtime) -> EnteredRuntime<'_> {
    CONTEXT.with(|context| {
        context.runtime.set(runtime);
        context.run.set(runtime.number);
        context.ready_queues.set(0);
        context.handed.set(0);
        context.cancelled.set(0);
        context.starts.set(0);
        context.scopes.set(0);
        context.unit_run.set(runtime.table.run());
        context.table.set(Rc::as_ptr(&runtime.table));
    });
    EnteredRuntime(runtime)
}

/// While it lives, its runtime is the thread's.
pub(crate) struct EnteredRuntime<'a>(&'a Runtime);

impl Drop for EnteredRuntime<'_> {
    fn drop(&mut self) {
        CONTEXT.with(|context| {
            context.runtime.set(ptr::null());
            context.run.set(0);
            context.unit_run.set(RunId::NONE);
            context.table.set(ptr::null());
            context.ready_queues.set(0);
            context.notes.set(false);
        });
        self.0.table.close();
    }
}

/// Calls `f` with the runtime of this thread, if one is running.
#[inline]
pub(crate) fn with_runtime<R>(f: impl FnOnce(Option<&Runtime>) -> R) -> R {
    let runtime = CONTEXT.with(|context| context.runtime.get());
    // SAFETY: invariant 1: the `run` that owns it cannot return while `f`, called under it, runs.
    f(unsafe { runtime.as_ref() })
}

/// Runs `f` as from the run loop, in no scope, frame or unit: what comes from outside belongs to none
/// of what is being polled.
pub(crate) fn outside<R>(f: impl FnOnce() -> R) -> R {
    struct Restore {
        _host: Host,
        scope: *const (),
    }
    impl Drop for Restore {
        fn drop(&mut self) {
            CONTEXT.with(|context| context.scope.set(self.scope));
        }
    }
    let _restore = CONTEXT
        .with(|context| Restore { _host: Host::new(), scope: context.scope.replace(ptr::null()) });
    CONTEXT.with(|context| {
        context.unit.set(UnitId::NONE);
        context.frame.set(ptr::null());
        context.turn.begin_poll();
    });
    f()
}

/// The units of the runtime, to keep.
pub(crate) fn current_table() -> Option<Rc<Table>> {
    let table = CONTEXT.with(|context| context.table.get());
    if table.is_null() {
        return None;
    }
    // SAFETY: invariant 1: it came from `Rc::as_ptr` of an `Rc` that is alive.
    unsafe {
        Rc::increment_strong_count(table);
        Some(Rc::from_raw(table))
    }
}

/// The unit that is being polled, if it is one of this thread's; null between two polls.
pub(crate) fn polled_unit() -> *const Unit {
    CONTEXT.with(|context| context.polled.get())
}

/// Runs `f`, which polls something beside which something else is about to be polled: a nursery in
/// it does not go on to the next round by itself.
pub(crate) fn beside_others<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            CONTEXT.with(|context| context.uncalled.set(self.0));
        }
    }
    let _restore = CONTEXT.with(|context| Restore(context.uncalled.replace(false)));
    f()
}

/// What was being polled when a nursery began to poll its units. It is put back when the nursery
/// has done that, once for all of them.
pub(crate) struct Host {
    unit: UnitId,
    polled: *const Unit,
    frame: *const (),
    budget: Cell<Budget>,
    uncalled: bool,
}

impl Host {
    pub(crate) fn new() -> Host {
        CONTEXT.with(|context| Host {
            unit: context.unit.get(),
            polled: context.polled.replace(ptr::null()),
            frame: context.frame.get(),
            budget: Cell::new(context.turn.budget()),
            uncalled: context.uncalled.get(),
        })
    }

    /// Makes a unit the one that is being polled, with a budget of its own or what is left of the
    /// host's. Returns its waker.
    ///
    /// # Safety
    ///
    /// The unit is alive until [`polled`](Self::polled) is called, or the `Host` goes.
    #[inline(always)]
    pub(crate) unsafe fn poll(&self, this: *const Unit, own_budget: bool) -> ManuallyDrop<Waker> {
        // SAFETY: the caller's promise.
        let unit = unsafe { &*this };
        CONTEXT.with(|context| {
            let id = unit.id(context.unit_run.get());
            context.unit.set(id);
            context.polled.set(this);
            if own_budget {
                context.turn.begin_poll();
            } else {
                context.turn.set_budget(self.budget.get());
            }
            context.uncalled.set(!unit.take_woken() && self.uncalled);
            waker(id)
        })
    }

    /// Whether it is polled for nothing but the nurseries that it polls, and so are all hosts
    /// above it: whatever else is polled there has nothing to do.
    pub(crate) fn is_uncalled(&self) -> bool {
        self.uncalled
    }

    /// The host has left what is left to the unit that shares its budget.
    pub(crate) fn share_budget(&self) {
        self.budget.set(CONTEXT.with(|context| context.turn.budget()));
    }

    /// What is polled next runs in the host's frame.
    #[inline]
    pub(crate) fn show_frame(&self) {
        CONTEXT.with(|context| context.frame.set(self.frame));
    }

    /// What is polled next has no frame: there is nobody to yield to.
    #[inline]
    pub(crate) fn hide_frame(&self) {
        CONTEXT.with(|context| context.frame.set(ptr::null()));
    }

    /// The poll of a unit is over, and the unit may go.
    #[inline]
    pub(crate) fn polled(&self) {
        CONTEXT.with(|context| {
            context.unit.set(self.unit);
            context.polled.set(ptr::null());
        });
    }
}

impl Drop for Host {
    #[inline]
    fn drop(&mut self) {
        CONTEXT.with(|context| {
            context.unit.set(self.unit);
            context.polled.set(self.polled);
            context.frame.set(self.frame);
            context.turn.set_budget(self.budget.get());
            context.uncalled.set(self.uncalled);
        });
    }
}

/// The number of the present `run` in this process; 0 when there is none.
#[inline]
pub(crate) fn current_run() -> u32 {
    CONTEXT.with(|context| context.run.get())
}
