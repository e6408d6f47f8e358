//! The unit, scope and frame that are being polled on this thread. The state of the
//! [scheduler](crate::schedule) and the counters are here too, so that an operation has only one
//! thread-local to look at.
//!
//! Code that polls something records it here, and restores the previous value afterwards. So the
//! nesting is always right, in whatever order futures are created, moved and dropped.
//!
//! # Invariants
//!
//! 1. `table` is null or points to the table that an [`Entered`] of this thread borrows. When the
//!    `Entered` is dropped, it sets the pointer back to what it was before.
//! 2. `polled` is null, or points to the unit that a nursery further up this thread's stack is
//!    polling and keeps alive meanwhile. So it is null in a [`Progress`] unless a nursery of that run
//!    is being polled further up the stack.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;
use std::rc::Rc;

use crate::platform::thread_static;
use crate::schedule::ids::{RunId, UnitId};
use crate::schedule::rounds::Rounds;
use crate::schedule::seen::counts::Counts;
use crate::schedule::turn::{Budget, Turn};
use crate::schedule::units::parked::Parked;
use crate::schedule::units::table::Table;
use crate::schedule::units::unit::Unit;

/// A thread's view of the run that is going on in it.
pub(crate) struct Thread {
    /// The number of the present run.
    pub(crate) run: Cell<RunId>,
    /// The units of the run.
    table: Cell<*const Table>,

    /// The scope and the frame that are being polled: see `scope::current`, which alone knows what
    /// they are.
    pub(crate) scope: Cell<*const ()>,
    pub(crate) frame: Cell<*const ()>,
    pub(crate) unit: Cell<UnitId>,
    /// The unit itself, while it is being polled.
    pub(crate) polled: Cell<*const Unit>,
    polled_for: Cell<PolledFor>,
    /// What that unit waits for, as far as is known by now.
    pub(in crate::schedule) parked: Cell<Parked>,

    /// How much may be done before others have their turn.
    pub(crate) turn: Turn,
    /// How far the scheduler has got.
    pub(crate) rounds: Rounds,
    pub(crate) counts: Counts,

    /// The values that hold for what is being polled: see `scope::local`, which alone knows what
    /// they are.
    pub(crate) locals: Cell<*const ()>,
}

/// Why the unit that is being polled, and all hosts above it, are polled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PolledFor {
    /// Because of the nurseries that they poll: nothing else in them has anything to do.
    Nurseries,
    /// One of them was woken by something else, or has not been polled before.
    Anything,
}

impl Thread {
    /// The units of the present run.
    #[inline]
    pub(crate) fn table(&self) -> Option<&Table> {
        // SAFETY: invariant 1.
        unsafe { self.table.get().as_ref() }
    }

    /// To be called where an operation parks: see [`parked`](crate::schedule::units::parked).
    #[inline(always)]
    pub(crate) fn leave_parked(&self, parked: Parked) {
        self.parked.set(parked);
    }

    /// Whether what is being polled has a frame.
    #[inline]
    pub(crate) fn is_in_frame(&self) -> bool {
        !self.frame.get().is_null()
    }
}

thread_static! {
    static OF_THREAD: Thread = Thread {
        run: Cell::new(RunId::NONE),
        table: Cell::new(ptr::null()),
        scope: Cell::new(ptr::null()),
        frame: Cell::new(ptr::null()),
        unit: Cell::new(UnitId::NONE),
        polled: Cell::new(ptr::null()),
        polled_for: Cell::new(PolledFor::Nurseries),
        parked: Cell::new(Parked::NOTHING),
        turn: Turn::new(),
        rounds: Rounds::new(),
        counts: Counts::new(),
        locals: Cell::new(ptr::null()),
    };
}

/// Gives access to the present thread's [`Thread`].
pub(crate) struct Here;

pub(crate) const THREAD: Here = Here;

impl Here {
    /// Calls `f` with the [`Thread`]. This is inlined whatever `f` is, whereas how much of the
    /// standard library's `with` is inlined depends on `f`.
    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&Thread) -> R) -> R {
        let thread = OF_THREAD.with(ptr::from_ref);
        // SAFETY: it has no destructor, and lives as long as the thread.
        f(unsafe { &*thread })
    }
}

// The run.

/// The number of the present run.
#[inline]
pub(crate) fn current_run() -> RunId {
    THREAD.with(|thread| thread.run.get())
}

/// Whether a run is going on in this thread.
#[inline]
pub(crate) fn is_running() -> bool {
    !current_run().is_none()
}

/// Makes the run with these units the present one of this thread until the returned value is
/// dropped, and then the one before.
pub(crate) fn enter(table: &Rc<Table>) -> Entered<'_> {
    THREAD.with(|thread| Entered {
        former_run: thread.run.replace(table.run()),
        former_table: thread.table.replace(Rc::as_ptr(table)),
        table: PhantomData,
    })
}

/// As long as this lives, a run is the present one of its thread.
pub(crate) struct Entered<'a> {
    former_run: RunId,
    former_table: *const Table,
    table: PhantomData<&'a Table>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        THREAD.with(|thread| {
            thread.run.set(self.former_run);
            thread.table.set(self.former_table);
        });
    }
}

/// How far a run has got: what is being polled in it, and the state of its scheduler. While the run
/// is the present one, this is in the [`Thread`]. Local values are not in here: those that are set
/// around the poll of a run hold in it.
pub(crate) struct Progress {
    scope: Cell<*const ()>,
    frame: Cell<*const ()>,
    unit: Cell<UnitId>,
    polled: Cell<*const Unit>,
    polled_for: Cell<PolledFor>,
    parked: Cell<Parked>,
    turn: Turn,
    rounds: Rounds,
    counts: Counts,
}

impl Progress {
    /// That of a run which has yet to begin.
    pub(crate) const fn new() -> Progress {
        Progress {
            scope: Cell::new(ptr::null()),
            frame: Cell::new(ptr::null()),
            unit: Cell::new(UnitId::NONE),
            polled: Cell::new(ptr::null()),
            polled_for: Cell::new(PolledFor::Nurseries),
            parked: Cell::new(Parked::NOTHING),
            turn: Turn::new(),
            rounds: Rounds::new(),
            counts: Counts::new(),
        }
    }

    /// Exchanges this for what the thread has.
    pub(crate) fn swap(&self) {
        THREAD.with(|thread| {
            self.scope.swap(&thread.scope);
            self.frame.swap(&thread.frame);
            self.unit.swap(&thread.unit);
            self.polled.swap(&thread.polled);
            self.polled_for.swap(&thread.polled_for);
            self.parked.swap(&thread.parked);
            self.turn.swap(&thread.turn);
            self.rounds.swap(&thread.rounds);
            self.counts.swap(&thread.counts);
        });
    }
}

/// A reference of its own to the units of the present run.
pub(crate) fn current_table() -> Option<Rc<Table>> {
    let table = THREAD.with(|thread| thread.table.get());
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
    THREAD.with(|thread| thread.polled.get())
}

/// Runs `f` as if from the run loop, in no scope, frame or unit, and with no local values: what
/// comes from outside does not belong to anything that is being polled.
pub(crate) fn outside<R>(f: impl FnOnce() -> R) -> R {
    struct Restore {
        _host: Host,
        scope: *const (),
        locals: *const (),
    }
    impl Drop for Restore {
        fn drop(&mut self) {
            THREAD.with(|thread| {
                thread.scope.set(self.scope);
                thread.locals.set(self.locals);
            });
        }
    }
    let _restore = THREAD.with(|thread| Restore {
        _host: Host::new(),
        scope: thread.scope.replace(ptr::null()),
        locals: thread.locals.replace(ptr::null()),
    });
    THREAD.with(|thread| {
        thread.unit.set(UnitId::NONE);
        thread.frame.set(ptr::null());
        thread.turn.begin_poll();
    });
    f()
}

/// Runs `f` with no local values.
pub(crate) fn without_locals<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(*const ());
    impl Drop for Restore {
        fn drop(&mut self) {
            THREAD.with(|thread| thread.locals.set(self.0));
        }
    }
    let _restore = THREAD.with(|thread| Restore(thread.locals.replace(ptr::null())));
    f()
}

/// Runs `f`, which polls something while something else beside it has yet to be polled, so a
/// nursery in it must not begin the next round by itself.
pub(crate) fn beside_others<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(PolledFor);
    impl Drop for Restore {
        fn drop(&mut self) {
            THREAD.with(|thread| thread.polled_for.set(self.0));
        }
    }
    let _restore = THREAD.with(|thread| Restore(thread.polled_for.replace(PolledFor::Anything)));
    f()
}

/// Whose budget a unit is polled with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BudgetOf {
    /// The unit has a budget of its own.
    Unit,
    /// The unit uses what is left of the host's.
    Host,
}

/// The host of a nursery: whatever was being polled when the nursery began to poll its units. It is
/// restored only once, when the nursery has polled all of them.
pub(crate) struct Host {
    unit: UnitId,
    polled: *const Unit,
    frame: *const (),
    budget: Cell<Budget>,
    polled_for: PolledFor,
    parked: Parked,
}

impl Host {
    pub(crate) fn new() -> Host {
        THREAD.with(|thread| Host {
            unit: thread.unit.get(),
            polled: thread.polled.replace(ptr::null()),
            frame: thread.frame.get(),
            budget: Cell::new(thread.turn.budget()),
            polled_for: thread.polled_for.get(),
            parked: thread.parked.get(),
        })
    }

    /// Makes a unit the one that is being polled. Returns its number.
    ///
    /// # Safety
    ///
    /// The unit is alive until [`polled`](Self::polled) is called, the next unit is polled, or the
    /// `Host` goes.
    #[inline(always)]
    pub(crate) unsafe fn poll(&self, this: *const Unit, budget: BudgetOf) -> UnitId {
        // SAFETY: the caller's promise.
        let unit = unsafe { &*this };
        THREAD.with(|thread| {
            let id = unit.id(thread.run.get());
            thread.unit.set(id);
            thread.polled.set(this);
            thread.parked.set(Parked::NOTHING);
            match budget {
                BudgetOf::Unit => thread.turn.begin_poll(),
                BudgetOf::Host => thread.turn.set_budget(self.budget.get()),
            }
            thread.polled_for.set(match unit.take_woken() {
                true => PolledFor::Anything,
                false => self.polled_for,
            });
            id
        })
    }

    /// Why the host, and all hosts above it, are polled.
    #[inline]
    pub(crate) fn polled_for(&self) -> PolledFor {
        self.polled_for
    }

    /// Returns to the host what is left of the budget that a unit shares with it.
    pub(crate) fn share_budget(&self) {
        self.budget.set(THREAD.with(|thread| thread.turn.budget()));
    }

    /// Polls whatever comes next in the host's frame.
    #[inline]
    pub(crate) fn show_frame(&self) {
        THREAD.with(|thread| thread.frame.set(self.frame));
    }

    /// Polls whatever comes next in no frame: there is nobody to yield to.
    #[inline]
    pub(crate) fn hide_frame(&self) {
        THREAD.with(|thread| thread.frame.set(ptr::null()));
    }

    /// To be called when the poll of a unit is over and the unit has not ended. It stays the current
    /// one until [`polled`](Self::polled) is called or the next one is polled, so that this costs
    /// nothing where one follows on another.
    #[inline]
    pub(crate) fn waits(&self, unit: &Unit) {
        if !unit.is_queued() {
            unit.set_parked(THREAD.with(|thread| thread.parked.get()));
        } // else it is ready again already
    }

    /// To be called when the poll of a unit is over. From then on the unit may be freed.
    #[inline]
    pub(crate) fn polled(&self) {
        THREAD.with(|thread| {
            thread.unit.set(self.unit);
            thread.polled.set(ptr::null());
        });
    }
}

impl Drop for Host {
    #[inline]
    fn drop(&mut self) {
        THREAD.with(|thread| {
            thread.unit.set(self.unit);
            thread.polled.set(self.polled);
            thread.frame.set(self.frame);
            thread.turn.set_budget(self.budget.get());
            thread.polled_for.set(self.polled_for);
            thread.parked.set(self.parked);
        });
    }
}
