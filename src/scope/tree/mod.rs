//! The tree of cancel scopes.
//!
//! A scope is linked under the scope that it is polled in, so a cancellation finds everything that
//! it has to reach by walking down. Each scope caches the effect that the cancellations above have
//! on it, so a checkpoint is one load.
//!
//! | file | concept |
//! |---|---|
//! | `mod` | a scope, and its links |
//! | `cancellation` | how a cancellation travels down the tree |
//! | `entered` | entering a scope, polling in it, and leaving it |
//! | `watched` | the foreign wakers left with a scope |
//! | `attended` | what the search for stuck tasks needs to know about a scope |
//! | `pool` | counted references to scopes, and their memory |
//!
//! # Invariants
//!
//! 1. A scope that is linked (has a parent or children) is kept alive by an [`Entered`]. When that
//!    is dropped, the scope is taken out of the tree, and its children become roots until they are
//!    polled again. So every scope pointer found in the tree is valid. Leaking an `Entered` leaks
//!    the scope, which stays linked and valid. If a scope is dropped from inside, another scope may
//!    be linked under it after it was left. That one is unlinked when the dropped scope is freed.
//! 2. `roster` is null or points to the roster of an open nursery. The nursery's guard sets it, and
//!    resets it to null before the roster goes away.
//! 3. Walking the tree and changing its links runs no foreign code. Foreign wakers are collected as
//!    [`Foreign`], which only counts references, and woken when the scopes are consistent again.
//!    Code after that must not rely on anything it saw before.

mod attended;
mod cancellation;
mod entered;
pub(crate) mod pool;
mod watched;

use std::cell::{Cell, OnceCell, RefCell};
use std::panic::Location;
use std::ptr;

pub(crate) use cancellation::{Level, Patience};
pub(crate) use entered::Entered;
use slab::Slab;

use crate::error::Cancelled;
use crate::schedule::current::Thread;
use crate::schedule::foreign::Foreign;
use crate::schedule::ids::UnitId;
use crate::schedule::units::roster::Roster;
use crate::schedule::units::table;
use crate::schedule::wake;
use crate::scope::cancel_handle;
use crate::scope::current::scope_in;
use crate::scope::deadline::Deadline;
use crate::scope::frame::Hold;
use crate::scope::timers::Timer;
use crate::scope::tree::pool::ScopeRef;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    New,
    Entered,
    Left,
}

/// Whether an operation in a scope has been given something since the scope was last polled. For
/// the scope of a nursery, the ready queue shows that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Handed {
    No,
    Yes,
    /// Yes, and `run::stuck` has seen it.
    Noticed,
}

/// A cancel scope, as shared by the public handles, the tree and the timers.
pub(crate) struct Scope {
    parent: Cell<*const Scope>,
    first_child: Cell<*const Scope>,
    /// Without a parent, this and `next` have no meaning.
    prev: Cell<*const Scope>,
    next: Cell<*const Scope>,
    place: Cell<&'static Location<'static>>,

    stage: Cell<Stage>,
    /// How far this scope itself was cancelled.
    own: Cell<Level>,
    /// The combined level of this scope and those above, which is what a checkpoint looks at.
    effective: Cell<Level>,
    shield: Cell<bool>,
    patience: Cell<Patience>,
    caught: Cell<bool>,
    handed: Cell<Handed>,
    /// It was cancelled, and `run::stuck` has seen that it is still open.
    noticed: Cell<bool>,
    /// It may have a hold or [rare](Rare) parts (any scope that was cancelled has these), or an
    /// operation in it may have been given something. So entering and leaving it takes a closer
    /// look.
    marked: Cell<bool>,
    /// How often a cancellation has reached this scope.
    cancellations: Cell<u32>,
    /// How many operations in here ignore a cancellation by design.
    uncancellable: Cell<u32>,

    pub(super) deadline: Cell<Deadline>,
    /// The timer set for the deadline, while the scope is open.
    pub(super) timer: Cell<Timer>,

    /// The units that run directly in this scope, if it belongs to an open nursery; otherwise null.
    roster: Cell<*const Roster>,
    /// The unit whose poll last came through this scope.
    host: Cell<UnitId>,
    /// Counts this scope in the frame in which it was entered.
    hold: Cell<Option<Hold>>,
    /// Parts that few scopes have.
    rare: OnceCell<Box<Rare>>,
}

/// Parts that few scopes have.
#[derive(Default)]
pub(super) struct Rare {
    /// The scope that is current in place of this one.
    forward: OnceCell<ScopeRef>,
    /// Why this scope was cancelled, when it was.
    why: RefCell<Option<Cancelled>>,
    /// The link to its handles on other threads.
    remote: OnceCell<cancel_handle::Shared>,
    /// Wakers of operations in this scope that are polled with a waker other than their unit's: see
    /// `watched`.
    foreign: RefCell<Slab<Foreign>>,
}

impl Scope {
    pub(super) fn new(place: &'static Location<'static>) -> Scope {
        Scope {
            parent: Cell::new(ptr::null()),
            first_child: Cell::new(ptr::null()),
            prev: Cell::new(ptr::null()),
            next: Cell::new(ptr::null()),
            place: Cell::new(place),
            stage: Cell::new(Stage::New),
            own: Cell::new(Level::None),
            effective: Cell::new(Level::None),
            shield: Cell::new(false),
            patience: Cell::new(Patience::None),
            caught: Cell::new(false),
            handed: Cell::new(Handed::No),
            noticed: Cell::new(false),
            marked: Cell::new(false),
            cancellations: Cell::new(0),
            uncancellable: Cell::new(0),
            deadline: Cell::new(Deadline::Never),
            timer: Cell::new(Timer::NONE),
            roster: Cell::new(ptr::null()),
            host: Cell::new(UnitId::NONE),
            hold: Cell::new(None),
            rare: OnceCell::new(),
        }
    }

    #[inline]
    pub(super) fn set_place(&self, place: &'static Location<'static>) {
        self.place.set(place);
    }

    /// Unlinks the children, when the last reference is gone: if the scope was dropped from inside,
    /// some may have been linked after it was left. The caller has to wake the returned wakers.
    #[must_use]
    pub(super) fn put_out_children(&self) -> Vec<Foreign> {
        self.move_children(ptr::null())
    }

    /// Whether it has neither children nor rare parts.
    #[inline]
    pub(super) fn is_bare(&self) -> bool {
        self.is_innermost() && self.roster.get().is_null() && self.rare.get().is_none()
    }

    /// Removes the rare parts, when the last reference is gone and the children have been unlinked.
    /// Dropping the returned value runs foreign code.
    #[must_use]
    pub(super) fn unload(&mut self) -> Option<Box<Rare>> {
        if !self.roster.get().is_null() {
            std::process::abort(); // invariant 2: its guard has a reference
        }
        self.rare.take()
    }

    /// Resets the scope, when the last reference is gone and it is [bare](Self::is_bare). If it was
    /// entered, it has been left.
    #[inline]
    pub(super) fn reset(&self) {
        debug_assert!(self.parent.get().is_null(), "what is linked is referred to");
        self.stage.set(Stage::New);
        self.own.set(Level::None);
        self.effective.set(Level::None);
        self.shield.set(false);
        self.patience.set(Patience::None);
        self.caught.set(false);
        self.handed.set(Handed::No);
        self.noticed.set(false);
        self.marked.set(false);
        // `cancellations` may begin anywhere, because it is only compared with earlier values.
        debug_assert!(!self.has_uncancellable(), "an operation that counts there has a reference");
        self.deadline.set(Deadline::Never);
        debug_assert!(self.timer.get().is_none(), "an open scope's");
        self.host.set(UnitId::NONE);
    }

    /// See [`marked`](Scope::marked).
    fn mark(&self) {
        self.marked.set(true);
    }

    fn rare(&self) -> &Rare {
        self.mark();
        self.rare.get_or_init(Box::default)
    }

    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.place.get()
    }

    pub(crate) fn cancelled_caught(&self) -> bool {
        self.caught.get()
    }

    pub(crate) fn is_entered(&self) -> bool {
        self.stage.get() == Stage::Entered
    }

    pub(crate) fn has_left(&self) -> bool {
        self.stage.get() == Stage::Left
    }

    /// Sets the roster of the units that run directly in this scope, or null when there no longer
    /// is one.
    ///
    /// # Safety
    ///
    /// The roster stays where it is until null is set.
    pub(crate) unsafe fn set_roster(&self, roster: *const Roster) {
        self.roster.set(roster);
    }

    /// The units that run directly in this scope, if it belongs to an open nursery.
    pub(crate) fn roster(&self) -> Option<&Roster> {
        // SAFETY: invariant 2. The reference is used before any foreign code runs, which might drop
        // the nursery.
        unsafe { self.roster.get().as_ref() }
    }

    /// The scope that this one is in, if any.
    #[inline]
    pub(super) fn parent(&self) -> Option<&Scope> {
        // SAFETY: invariant 1. The reference is used before anything is linked or unlinked: its
        // lifetime is that of `self`, and the callers call nothing else meanwhile.
        unsafe { self.parent.get().as_ref() }
    }

    /// Whether no other scope is inside.
    #[inline]
    pub(crate) fn is_innermost(&self) -> bool {
        self.first_child.get().is_null()
    }

    /// Calls `visit` with this scope, and with the children of each scope for which it returns
    /// true. It must not link or unlink anything. There is no recursion, because scopes may be
    /// nested deeply.
    pub(crate) fn walk(&self, mut visit: impl FnMut(&Scope) -> bool) {
        let mut scope = self;
        loop {
            // SAFETY (all three): invariants 1 and 3: nothing is linked or unlinked meanwhile.
            if visit(scope)
                && let Some(child) = unsafe { scope.first_child.get().as_ref() }
            {
                scope = child;
                continue;
            }
            loop {
                if ptr::eq(scope, self) {
                    return;
                }
                if let Some(next) = unsafe { scope.next.get().as_ref() } {
                    scope = next;
                    break;
                }
                match unsafe { scope.parent.get().as_ref() } {
                    Some(parent) => scope = parent,
                    None => return,
                }
            }
        }
    }

    /// Makes ready everything that runs directly in this scope.
    fn make_ready(&self, foreign: &mut Vec<Foreign>) {
        if let Some(host) = table::lookup(self.host.get()) {
            // SAFETY: units that the table finds are alive (invariant 1 of `units::unit`).
            foreign.extend(unsafe { wake::make_ready(host) });
        }
        if let Some(roster) = self.roster() {
            wake::make_all_ready(roster, foreign);
        }
        foreign.extend(self.foreign());
    }

    // Handles on other threads.

    /// The link to this scope's handles on other threads, if it has any.
    fn remote(&self) -> Option<&cancel_handle::Shared> {
        self.rare.get()?.remote.get()
    }

    /// Whether a handle on another thread has cancelled it, even if the scope has not been told
    /// yet.
    pub(super) fn cancel_asked(&self) -> bool {
        self.remote().is_some_and(cancel_handle::was_asked)
    }

    // The links.

    /// See `forward_scope`.
    pub(crate) fn set_forward(&self, to: ScopeRef) {
        // A child moves to another nursery at most once.
        self.rare().forward.get_or_init(|| to);
    }

    /// The scope to make current in place of this one, if there is one. Nearly always there is
    /// none.
    #[inline]
    pub(crate) fn forward(&self) -> Option<&ScopeRef> {
        self.rare.get()?.forward.get()
    }

    /// Whether `scope` is this one or below it. Costs next to nothing for an innermost scope.
    fn encloses(&self, scope: *const Scope) -> bool {
        if self.first_child.get().is_null() {
            return ptr::eq(self, scope);
        }
        // SAFETY: invariant 1.
        let mut scope = unsafe { scope.as_ref() };
        while let Some(inner) = scope {
            if ptr::eq(self, inner) {
                return true;
            }
            scope = inner.parent();
        }
        false
    }

    #[inline]
    fn link(&self, parent: *const Scope) {
        self.parent.set(parent);
        // SAFETY (both): invariant 1; `parent` is the scope that is being polled.
        if let Some(parent) = unsafe { parent.as_ref() } {
            self.prev.set(ptr::null());
            let first = parent.first_child.get();
            self.next.set(first);
            if let Some(first) = unsafe { first.as_ref() } {
                first.prev.set(self);
            }
            parent.first_child.set(self);
        }
    }

    #[inline]
    fn unlink(&self) {
        // SAFETY (all): invariant 1. Without a parent it has no siblings.
        let Some(parent) = (unsafe { self.parent.replace(ptr::null()).as_ref() }) else { return };
        let (prev, next) = (self.prev.get(), self.next.get());
        if let Some(next) = unsafe { next.as_ref() } {
            next.prev.set(prev);
        }
        match unsafe { prev.as_ref() } {
            Some(prev) => prev.next.set(next),
            None => parent.first_child.set(next),
        }
    }

    /// Remembers the unit that polls this scope now, and returns the scope that it is polled in.
    #[inline]
    fn set_host(&self, thread: &Thread) -> *const Scope {
        self.host.set(thread.unit.get());
        match scope_in(thread) {
            Some(parent) if !parent.has_left() => ptr::from_ref(parent),
            // A scope that was left (a context manager may have left it) is no longer in the tree.
            _ => ptr::null(),
        }
    }

    /// Puts this scope under `parent`. If it is polled from inside itself, it stays where it is.
    #[inline(never)]
    fn move_to(&self, parent: *const Scope) {
        if !self.encloses(parent) {
            self.unlink();
            self.link(parent);
            self.look_up();
        }
    }

    /// Puts under `inner`, which is directly below this scope, those of the others there that are
    /// polled by the same unit. The caller has to wake the returned wakers.
    #[cold]
    #[must_use]
    pub(crate) fn move_children_of_host(&self, inner: &Scope) -> Vec<Foreign> {
        let mut foreign = Vec::new();
        let mut next = self.first_child.get();
        // SAFETY: invariant 1. Wakers are only collected, so nobody else changes the links.
        while let Some(child) = unsafe { next.as_ref() } {
            next = child.next.get();
            if child.host.get() == inner.host.get() && !ptr::eq(child, inner) {
                child.unlink();
                child.link(inner);
                child.refresh_into(&mut foreign);
            }
        }
        foreign
    }

    /// Puts all the scopes directly below this one under `parent` instead. The caller has to wake
    /// the returned wakers.
    #[cold]
    #[must_use]
    pub(crate) fn move_children(&self, parent: *const Scope) -> Vec<Foreign> {
        let mut foreign = Vec::new();
        // SAFETY: invariant 1.
        while let Some(child) = unsafe { self.first_child.get().as_ref() } {
            child.unlink();
            // A child may have been moved to a nursery that it polls itself.
            child.link(if child.encloses(parent) { ptr::null() } else { parent });
            child.refresh_into(&mut foreign);
        }
        foreign
    }
}

impl ScopeRef {
    /// The link to the scope's handles on other threads, which is made if there is none yet.
    pub(super) fn shared(&self) -> cancel_handle::Shared {
        if let Some(shared) = self.remote() {
            return shared.clone();
        }
        let shared = self.rare().remote.get_or_init(cancel_handle::Link::new);
        match self.stage.get() {
            Stage::New => {}
            Stage::Entered => cancel_handle::enter(shared, self),
            Stage::Left => cancel_handle::leave(shared),
        }
        shared.clone()
    }
}
