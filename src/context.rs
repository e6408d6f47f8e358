//! What is being polled on this thread: the runtime, the unit, the cancel scope.
//!
//! Whoever polls something sets these and puts them back afterwards, so they cannot be misnested,
//! whatever order futures are created, moved and dropped in.
//!
//! # Invariants
//!
//! 1. `runtime` is null or points to the `Runtime` that the `run` further up this thread's stack
//!    owns; `run` sets it back to null before that goes.
//! 2. `scope` is null or points into an `ScopeRef` that whoever set it keeps until it has put
//!    the former value back. The same goes for `frame`.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::frame::Frame;
use crate::run::Runtime;
use crate::scope::pool::{Pool, ScopeRef};
use crate::scope::tree::Scope;
use crate::shim::thread_static;
use crate::wake::table::{Table, UnitId};

pub(crate) struct Context {
    runtime: Cell<*const Runtime>,
    /// The number of the present `run` in this process; 0 when there is none.
    pub(crate) run: Cell<u32>,
    /// The runtime's place in the process's registry, which is part of its units' numbers.
    pub(crate) slot: Cell<Option<u16>>,
    scope: Cell<*const Scope>,
    frame: Cell<*const Frame>,
    pub(crate) unit: Cell<UnitId>,
    /// How many operations the present unit may still finish at once before it lets others run.
    pub(crate) budget: Cell<u32>,
    /// With no more than this many left it is asked whether the unit lets others run: 0, but where
    /// a test decides it at each operation.
    pub(crate) asks: Cell<u32>,
    /// How many wakes may still happen before the run loop looks at the network and the clock.
    /// Each stands for a poll; the hosts that are polled on the way down do not count.
    pub(crate) turn: Cell<u32>,
    /// Rounds of the scheduler: what becomes ready in one is polled in a later one.
    pub(crate) tick: Cell<u32>,
    /// How many units stand in ready queues, all told.
    pub(crate) queued: Cell<usize>,
    /// How many open scopes have been handed something and were not polled since.
    pub(crate) handed: Cell<usize>,
    /// How many open scopes have been cancelled themselves.
    pub(crate) cancelled: Cell<usize>,
    /// How many scopes are entered, for `testing::statistics`.
    pub(crate) scopes: Cell<usize>,
    /// Scopes that nobody uses.
    pub(crate) spare_scopes: Pool,
    /// Not dropped with the thread (`run` clears it), so that the context needs no destructor
    /// and stays in reach of other thread-locals' destructors.
    pub(crate) table: ManuallyDrop<Table>,
}

impl Context {
    /// The scope that is being polled.
    #[inline]
    pub(crate) fn scope(&self) -> Option<&Scope> {
        // SAFETY: invariant 2: whoever made it current holds a reference and is further up the
        // stack.
        unsafe { self.scope.get().as_ref() }
    }
}

thread_static! {
    pub(crate) static CONTEXT: Context = Context {
        runtime: Cell::new(ptr::null()),
        run: Cell::new(0),
        slot: Cell::new(None),
        scope: Cell::new(ptr::null()),
        frame: Cell::new(ptr::null()),
        unit: Cell::new(UnitId::NONE),
        budget: Cell::new(0),
        asks: Cell::new(0),
        turn: Cell::new(0),
        tick: Cell::new(0),
        queued: Cell::new(0),
        handed: Cell::new(0),
        cancelled: Cell::new(0),
        scopes: Cell::new(0),
        spare_scopes: Pool::new(),
        table: ManuallyDrop::new(Table::new()),
    };
}

/// Makes `runtime` the one of this thread until the guard is dropped.
pub(crate) fn enter_runtime<'a>(runtime: &'a Runtime, slot: u16) -> EnteredRuntime<'a> {
    static RUNS: AtomicU32 = AtomicU32::new(1);
    CONTEXT.with(|context| {
        context.runtime.set(runtime);
        context.run.set(RUNS.fetch_add(1, Ordering::Relaxed).max(1));
        context.queued.set(0);
        context.handed.set(0);
        context.cancelled.set(0);
        context.scopes.set(0);
        context.slot.set(Some(slot));
        context.spare_scopes.open();
    });
    EnteredRuntime(runtime)
}

/// While it lives, its runtime is the thread's.
pub(crate) struct EnteredRuntime<'a>(
    #[expect(dead_code, reason = "keeps the runtime borrowed")] &'a Runtime,
);

impl Drop for EnteredRuntime<'_> {
    fn drop(&mut self) {
        CONTEXT.with(|context| {
            context.runtime.set(ptr::null());
            context.run.set(0);
            context.slot.set(None);
            context.queued.set(0);
            context.table.clear();
            context.spare_scopes.close();
        });
    }
}

/// Calls `f` with the runtime of this thread, if one is running.
#[inline]
pub(crate) fn with_runtime<R>(f: impl FnOnce(Option<&Runtime>) -> R) -> R {
    let runtime = CONTEXT.with(|context| context.runtime.get());
    // SAFETY: invariant 1: the `run` that owns it cannot return while `f`, called under it, runs.
    f(unsafe { runtime.as_ref() })
}

/// Calls `f` with the scope that is being polled.
#[inline]
pub(crate) fn with_scope<R>(f: impl FnOnce(Option<&Scope>) -> R) -> R {
    CONTEXT.with(|context| f(context.scope()))
}

/// The scope that is being polled, to keep.
pub(crate) fn current_scope() -> Option<ScopeRef> {
    let scope = CONTEXT.with(|context| context.scope.get());
    // SAFETY: invariant 2.
    (!scope.is_null()).then(|| unsafe { ScopeRef::keep(scope) })
}

/// An `Rc` of what a pointer of the context points to.
///
/// # Safety
///
/// It is null, or came from `Rc::as_ptr` of an `Rc` that is alive.
#[inline]
unsafe fn keep<T>(current: *const T) -> Option<Rc<T>> {
    if current.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe {
        Rc::increment_strong_count(current);
        Some(Rc::from_raw(current))
    }
}

#[inline]
pub(crate) fn is_current_scope(scope: &ScopeRef) -> bool {
    CONTEXT.with(|context| ptr::eq(context.scope.get(), scope.as_ptr()))
}

/// Runs `f` with `scope` as the current one.
#[inline(always)]
pub(crate) fn in_scope<R>(scope: &ScopeRef, f: impl FnOnce() -> R) -> R {
    struct Restore(*const Scope);
    impl Drop for Restore {
        #[inline]
        fn drop(&mut self) {
            // SAFETY: invariant 2: whoever made it current is still further up the stack.
            let forward = unsafe { self.0.as_ref() }.and_then(Scope::forward);
            // The pointer itself, not one made of a `&Scope`: the count lies beside that.
            let scope = forward.map_or(self.0, ScopeRef::as_ptr);
            CONTEXT.with(|context| context.scope.set(scope));
        }
    }
    // `scope` stays borrowed, and so alive, until `f` has returned: invariant 2.
    let _restore = CONTEXT.with(|context| Restore(context.scope.replace(scope.as_ptr())));
    f()
}

/// Wherever `old` is the current scope, or would be again, `new` is from now on.
///
/// `old` keeps `new`, so whoever has made `old` current has `new` as well (invariant 2).
pub(crate) fn forward_scope(old: &ScopeRef, new: &ScopeRef) {
    old.set_forward(new.clone());
    CONTEXT.with(|context| {
        if ptr::eq(context.scope.get(), old.as_ptr()) {
            context.scope.set(new.as_ptr());
        }
    });
}

/// The frame that is being polled, to keep.
#[inline]
pub(crate) fn current_frame() -> Option<Rc<Frame>> {
    // SAFETY: invariant 2.
    unsafe { keep(CONTEXT.with(|context| context.frame.get())) }
}

/// The unit that is being polled.
#[inline]
pub(crate) fn current_unit() -> UnitId {
    CONTEXT.with(|context| context.unit.get())
}

/// Calls `f` with the frame that is being polled, if there is one.
#[inline]
pub(crate) fn with_frame(f: impl FnOnce(&Frame)) {
    let frame = CONTEXT.with(|context| context.frame.get());
    // SAFETY: invariant 2.
    if let Some(frame) = unsafe { frame.as_ref() } {
        f(frame);
    }
}

#[inline]
pub(crate) fn is_current_frame(frame: &Rc<Frame>) -> bool {
    CONTEXT.with(|context| ptr::eq(context.frame.get(), Rc::as_ptr(frame)))
}

/// Runs `f` with `frame` as the current one, or with none.
#[inline]
pub(crate) fn in_frame<R>(frame: Option<&Rc<Frame>>, f: impl FnOnce() -> R) -> R {
    struct Restore(*const Frame);
    impl Drop for Restore {
        fn drop(&mut self) {
            CONTEXT.with(|context| context.frame.set(self.0));
        }
    }
    // `frame` stays borrowed, and so alive, until `f` has returned: invariant 2.
    let frame = frame.map_or(ptr::null(), Rc::as_ptr);
    let _restore = CONTEXT.with(|context| Restore(context.frame.replace(frame)));
    f()
}

/// Runs `f` as the unit with this number, with a budget of its own.
#[inline]
pub(crate) fn in_unit<R>(unit: UnitId, budget: u32, f: impl FnOnce() -> R) -> R {
    struct Restore(UnitId, u32);
    impl Drop for Restore {
        fn drop(&mut self) {
            CONTEXT.with(|context| {
                context.unit.set(self.0);
                context.budget.set(self.1);
            });
        }
    }
    let _restore =
        CONTEXT.with(|context| Restore(context.unit.replace(unit), context.budget.replace(budget)));
    f()
}

/// The number of the present `run` in this process; 0 when there is none.
#[inline]
pub(crate) fn current_run() -> u32 {
    CONTEXT.with(|context| context.run.get())
}
