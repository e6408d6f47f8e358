//! What is being polled on this thread, and beside it, as an operation is to have one thread-local to
//! look at, how far the [scheduler](crate::schedule) is and what is counted.
//!
//! Whatever polls something sets what is being polled and puts back what was there before, so it
//! cannot be misnested, whatever order futures are created, moved and dropped in.
//!
//! # Invariants
//!
//! 1. `table` is null or points to the table that an [`Entered`] of this thread borrows, which sets it
//!    back to null when it goes.
//! 2. `polled` is null, or points to the unit that a nursery further up this thread's stack is
//!    polling, and keeps meanwhile.

use std::cell::Cell;
use std::ptr;
use std::rc::Rc;

use crate::platform::thread_static;
use crate::schedule::counts::Counts;
use crate::schedule::ids::{RunId, UnitId};
use crate::schedule::rounds::Rounds;
use crate::schedule::turn::{Budget, Turn};
use crate::schedule::units::table::Table;
use crate::schedule::units::unit::Unit;

pub(crate) struct Context {
    /// The number of the present run.
    pub(crate) run: Cell<RunId>,
    /// Its units.
    table: Cell<*const Table>,

    /// The scope and the frame that are being polled: see `scope::current`, which alone knows what
    /// they are.
    pub(crate) scope: Cell<*const ()>,
    pub(crate) frame: Cell<*const ()>,
    pub(crate) unit: Cell<UnitId>,
    /// The unit itself, while it is being polled.
    pub(crate) polled: Cell<*const Unit>,
    polled_for: Cell<PolledFor>,

    /// How much may be done before others have their turn.
    pub(crate) turn: Turn,
    /// How far the scheduler is.
    pub(crate) rounds: Rounds,
    pub(crate) counts: Counts,
}

/// What the unit that is being polled, and all hosts above it, are polled for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PolledFor {
    /// For the nurseries that they poll: whatever else is polled there has nothing to do.
    Nurseries,
    /// One of them was woken by something else, or is polled for the first time.
    Anything,
}

impl Context {
    /// The units of the present run.
    #[inline]
    pub(crate) fn table(&self) -> Option<&Table> {
        // SAFETY: invariant 1.
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
        run: Cell::new(RunId::NONE),
        table: Cell::new(ptr::null()),
        scope: Cell::new(ptr::null()),
        frame: Cell::new(ptr::null()),
        unit: Cell::new(UnitId::NONE),
        polled: Cell::new(ptr::null()),
        polled_for: Cell::new(PolledFor::Nurseries),
        turn: Turn::new(),
        rounds: Rounds::new(),
        counts: Counts::new(),
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

// The run.

/// The number of the present run.
#[inline]
pub(crate) fn current_run() -> RunId {
    CONTEXT.with(|context| context.run.get())
}

/// Whether a run is going on in this thread.
#[inline]
pub(crate) fn is_running() -> bool {
    !current_run().is_none()
}

/// Makes the run with these units that of this thread, until the answer is dropped.
pub(crate) fn enter(table: &Rc<Table>) -> Entered<'_> {
    CONTEXT.with(|context| {
        context.run.set(table.run());
        context.table.set(Rc::as_ptr(table));
        context.rounds.clear();
        context.counts.begin_run();
    });
    Entered(table)
}

/// While it lives, a run is the thread's.
pub(crate) struct Entered<'a>(&'a Table);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        CONTEXT.with(|context| {
            context.run.set(RunId::NONE);
            context.table.set(ptr::null());
            context.rounds.clear();
        });
        self.0.close();
    }
}

/// The units of the present run, to keep.
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

// What is being polled.

/// The unit that is being polled, if it is one of this thread's; null between two polls.
pub(crate) fn polled_unit() -> *const Unit {
    CONTEXT.with(|context| context.polled.get())
}

/// Runs `f` as from the run loop, in no scope, frame or unit: what comes from outside belongs to
/// nothing that is being polled.
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

/// Runs `f`, which polls something beside which something else is about to be polled: a nursery in
/// it does not begin the next round by itself.
pub(crate) fn beside_others<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(PolledFor);
    impl Drop for Restore {
        fn drop(&mut self) {
            CONTEXT.with(|context| context.polled_for.set(self.0));
        }
    }
    let _restore = CONTEXT.with(|context| Restore(context.polled_for.replace(PolledFor::Anything)));
    f()
}

/// Whose budget a unit is polled with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BudgetOf {
    /// It has one of its own.
    Unit,
    /// It has what is left of the host's.
    Host,
}

/// What was being polled when a nursery began to poll its units: its host. It is put back once for all
/// of them, when the nursery has polled them.
pub(crate) struct Host {
    unit: UnitId,
    polled: *const Unit,
    frame: *const (),
    budget: Cell<Budget>,
    polled_for: PolledFor,
}

impl Host {
    pub(crate) fn new() -> Host {
        CONTEXT.with(|context| Host {
            unit: context.unit.get(),
            polled: context.polled.replace(ptr::null()),
            frame: context.frame.get(),
            budget: Cell::new(context.turn.budget()),
            polled_for: context.polled_for.get(),
        })
    }

    /// Makes a unit the one that is being polled. Returns its number.
    ///
    /// # Safety
    ///
    /// The unit is alive until [`polled`](Self::polled) is called, or the `Host` goes.
    #[inline(always)]
    pub(crate) unsafe fn poll(&self, this: *const Unit, budget: BudgetOf) -> UnitId {
        // SAFETY: the caller's promise.
        let unit = unsafe { &*this };
        CONTEXT.with(|context| {
            let id = unit.id(context.run.get());
            context.unit.set(id);
            context.polled.set(this);
            match budget {
                BudgetOf::Unit => context.turn.begin_poll(),
                BudgetOf::Host => context.turn.set_budget(self.budget.get()),
            }
            context.polled_for.set(match unit.take_woken() {
                true => PolledFor::Anything,
                false => self.polled_for,
            });
            id
        })
    }

    /// What the host, and all hosts above it, are polled for.
    #[inline]
    pub(crate) fn polled_for(&self) -> PolledFor {
        self.polled_for
    }

    /// What is left of the budget that a unit shares with the host is the host's again.
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
            context.polled_for.set(self.polled_for);
        });
    }
}
