//! Counted references to scopes. The memory of scopes is reused, because most are open for only a
//! moment.
//!
//! # Invariants
//!
//! 1. A node is alive while `refs` is not 0: it belongs to the holders of its [`ScopeRef`]s. A
//!    `*const Scope` made from one is valid for as long.
//! 2. A node without references is reset and in the pool, and nothing points to it. Nodes in the
//!    pool are as good as new. The pool belongs to the thread, and is emptied when its last run
//!    ends.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::Location;
use std::ptr::{self, NonNull};

use crate::error::panic::FirstPanic;
use crate::platform::thread_static;
use crate::schedule::foreign::wake_all;
use crate::scope::deadline::Deadline;
use crate::scope::tree::Scope;

/// How many nodes are kept. None under the sanitizer, so that it detects a use after free.
const KEPT: usize = if cfg!(seedbed_sanitize) { 0 } else { 256 };

/// A scope with its reference count. `repr(C)`, so that a pointer to the scope is also one to the
/// node.
#[repr(C)]
struct Node {
    scope: Scope,
    refs: Cell<usize>,
    next: Cell<*const Node>,
}

/// A counted reference to a scope.
pub(crate) struct ScopeRef(NonNull<Node>);

impl ScopeRef {
    #[inline]
    pub(crate) fn with_deadline(place: &'static Location<'static>, deadline: Deadline) -> ScopeRef {
        let scope = ScopeRef::new(place);
        scope.deadline.set(deadline);
        scope
    }

    #[inline]
    pub(crate) fn new(place: &'static Location<'static>) -> ScopeRef {
        let node = SPARE.with(Pool::take);
        let Some(node) = node else { return ScopeRef::allocate(place) };
        // SAFETY: invariant 2: it was in the pool, and now nobody else has it.
        let new = unsafe { node.as_ref() };
        new.scope.set_place(place);
        new.refs.set(1);
        ScopeRef(node)
    }

    #[cold]
    fn allocate(place: &'static Location<'static>) -> ScopeRef {
        let scope = Scope::new(place);
        let node = Node { scope, refs: Cell::new(1), next: Cell::new(ptr::null()) };
        ScopeRef(NonNull::from(Box::leak(Box::new(node))))
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *const Scope {
        self.0.as_ptr().cast_const().cast()
    }

    /// Makes another reference to a scope from a pointer to it.
    ///
    /// # Safety
    ///
    /// The pointer came from [`as_ptr`](Self::as_ptr) of a reference that still exists.
    #[inline]
    pub(crate) unsafe fn keep(scope: *const Scope) -> ScopeRef {
        // SAFETY: the caller's promise; it is not null, because it came from a reference.
        let kept = ManuallyDrop::new(ScopeRef(unsafe {
            NonNull::new_unchecked(scope.cast_mut().cast::<Node>())
        }));
        ScopeRef::clone(&kept)
    }

    #[inline]
    fn node(&self) -> &Node {
        // SAFETY: invariant 1.
        unsafe { self.0.as_ref() }
    }
}

impl Deref for ScopeRef {
    type Target = Scope;

    #[inline]
    fn deref(&self) -> &Scope {
        &self.node().scope
    }
}

impl Clone for ScopeRef {
    #[inline]
    fn clone(&self) -> ScopeRef {
        let refs = &self.node().refs;
        refs.set(refs.get() + 1);
        ScopeRef(self.0)
    }
}

impl Drop for ScopeRef {
    #[inline]
    fn drop(&mut self) {
        let refs = self.node().refs.get() - 1;
        self.node().refs.set(refs);
        if refs == 0 {
            recycle(self.0);
        }
    }
}

/// Resets a node whose last reference is being dropped, and puts it into the pool.
#[inline(never)]
fn recycle(node: NonNull<Node>) {
    // SAFETY: the last reference is being dropped, and until then it is alive. Children may point
    // to it, so this must not be an exclusive reference.
    let scope = unsafe { &node.as_ref().scope };
    if !scope.is_bare() {
        return recycle_laden(node);
    }
    scope.reset();
    if !SPARE.with(|spare| spare.put(node)) {
        free(node);
    }
}

/// Does the same for a scope that has children or rare parts.
#[cold]
#[inline(never)]
fn recycle_laden(node: NonNull<Node>) {
    // SAFETY: as above.
    let foreign = unsafe { node.as_ref() }.scope.put_out_children();
    // SAFETY: nobody else has it.
    let rare = unsafe { &mut *node.as_ptr() }.scope.unload();
    recycle(node);
    // Foreign code, run when the node is out of the way.
    let mut panic = FirstPanic::new();
    panic.catch(|| drop(rare));
    panic.catch(|| wake_all(foreign));
    panic.resume();
}

/// Frees a node without references.
#[cold]
#[inline(never)]
fn free(node: NonNull<Node>) {
    // SAFETY: it was made by `allocate`, and nobody has it any more.
    drop(unsafe { Box::from_raw(node.as_ptr()) });
}

thread_static! {
    static SPARE: Pool = Pool::new();
}

/// As long as this lives, scopes are reused on this thread.
pub(crate) struct Opened(());

/// To be called when a run begins on this thread.
pub(crate) fn open() -> Opened {
    SPARE.with(Pool::open);
    Opened(())
}

impl Drop for Opened {
    fn drop(&mut self) {
        SPARE.with(Pool::close);
    }
}

/// The unused scopes of a thread.
struct Pool {
    first: Cell<*const Node>,
    /// How many more it takes: none unless there is a run that will empty it.
    room: Cell<usize>,
    /// How many runs there are.
    runs: Cell<usize>,
}

impl Pool {
    const fn new() -> Pool {
        Pool { first: Cell::new(ptr::null()), room: Cell::new(0), runs: Cell::new(0) }
    }

    #[inline]
    fn take(&self) -> Option<NonNull<Node>> {
        let node = NonNull::new(self.first.get().cast_mut())?;
        // SAFETY: invariant 2: nodes in the pool are valid.
        self.first.set(unsafe { node.as_ref() }.next.get());
        self.room.set(self.room.get() + 1);
        Some(node)
    }

    /// Puts a node into the pool. Returns false if the pool is full.
    #[inline]
    fn put(&self, node: NonNull<Node>) -> bool {
        let room = self.room.get();
        if room > 0 {
            // SAFETY: the caller has it.
            unsafe { node.as_ref() }.next.set(self.first.replace(node.as_ptr()));
            self.room.set(room - 1);
        }
        room > 0
    }

    fn open(&self) {
        if self.runs.replace(self.runs.get() + 1) == 0 {
            self.room.set(KEPT);
        }
    }

    /// Frees everything in the pool, which takes nothing more, if this was the last run.
    fn close(&self) {
        self.runs.set(self.runs.get() - 1);
        if self.runs.get() > 0 {
            return;
        }
        while let Some(node) = self.take() {
            free(node);
        }
        self.room.set(0);
    }
}
