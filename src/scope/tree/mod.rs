//! The tree of cancel scopes.
//!
//! A scope is linked under the scope it is polled in, so a cancellation finds what it has to
//! reach by walking down, and every scope caches what the scopes above make of it: a checkpoint
//! is one load.
//!
//! # Invariants
//!
//! 1. A scope that is linked (has a parent or children) is kept alive by an [`Entered`]. When
//!    that is dropped the scope is taken out of the tree and its children are made roots, until
//!    they are polled again. So every scope pointer found in the tree is valid. Leaking an
//!    `Entered` leaks the scope, still linked, still valid. A scope that something was linked
//!    under after it was left (it was dropped from inside) puts that out when it is freed.
//! 2. `roster` is null or points to the roster of a nursery that is open: its guard sets it, and
//!    sets it back to null before that goes.
//! 3. Walking the tree and changing its links calls no foreign code. Wakers that are not ours are
//!    kept as [`Foreign`]: they are collected, which only counts them, and woken when the scopes are
//!    whole again. What is done after that can rely on nothing it has seen before.

mod attended;
mod entered;
pub(crate) mod pool;

use std::cell::{Cell, OnceCell, RefCell};
use std::panic::Location;
use std::ptr;
use std::task::Waker;

pub(crate) use entered::Entered;
use slab::Slab;

use crate::error::{Cancelled, Reason};
use crate::schedule::current::{CONTEXT, Context};
use crate::schedule::foreign::{Foreign, wake_all};
use crate::schedule::memory::table::{self, UnitId};
use crate::schedule::roster::Roster;
use crate::schedule::wake;
use crate::scope::cancel_handle;
use crate::scope::current::scope_in;
use crate::scope::deadline::Deadline;
use crate::scope::frame::Hold;
use crate::scope::timers::Timer;
use crate::scope::tree::pool::ScopeRef;

/// How far a cancellation goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    /// Not cancelled.
    None,
    /// A graceful cancellation has come, and a section that finishes its work is spared: not
    /// cancelled, but for what is [idle](crate::idle) in there.
    Spared,
    /// Everything but what is marked as finishing its work.
    Graceful,
    /// Everything.
    Full,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    New,
    Entered,
    Left,
}

/// Whether an operation in a scope has been handed something since the scope was last polled.
/// For the scope of a nursery the ready queue says that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Handed {
    No,
    Yes,
    /// `run::stuck` has seen it.
    Noticed,
}

/// A cancel scope: what the public handles, the tree and the timers share.
pub(crate) struct Scope {
    parent: Cell<*const Scope>,
    first_child: Cell<*const Scope>,
    /// Both mean nothing without a parent.
    prev: Cell<*const Scope>,
    next: Cell<*const Scope>,
    place: Cell<&'static Location<'static>>,

    stage: Cell<Stage>,
    /// What this scope itself was asked for.
    own: Cell<Level>,
    /// What the scopes above and this one come to: what a checkpoint looks at.
    effective: Cell<Level>,
    shield: Cell<bool>,
    finishing: Cell<bool>,
    caught: Cell<bool>,
    handed: Cell<Handed>,
    /// It was cancelled, and `run::stuck` has noticed that it is still open.
    noticed: Cell<bool>,
    /// It may have a hold, or something rare (as one that was cancelled has), or have been handed
    /// something: whoever enters it or leaves it has to look closer.
    noted: Cell<bool>,
    /// How often a cancellation has come to what runs in this scope.
    cancellations: Cell<u32>,
    /// How many operations in here do not heed a cancellation, by design.
    unheeding: Cell<u32>,

    pub(super) deadline: Cell<Deadline>,
    /// The timer set for the deadline, while the scope is open.
    pub(super) timer: Cell<Timer>,

    /// The units that run directly in this scope, where it is an open nursery's; or null.
    roster: Cell<*const Roster>,
    /// The unit whose poll last came through this scope.
    host: Cell<UnitId>,
    /// Counts it in the frame that entered it.
    hold: Cell<Option<Hold>>,
    /// What few scopes have.
    rare: OnceCell<Box<Rare>>,
}

/// What few scopes have.
#[derive(Default)]
pub(super) struct Rare {
    /// The scope that is current in place of this one.
    forward: OnceCell<ScopeRef>,
    /// Why this scope was cancelled, when it was.
    why: RefCell<Option<Cancelled>>,
    /// What it shares with its handles on other threads.
    remote: OnceCell<cancel_handle::Shared>,
    /// Wakers of operations in this scope that are polled with a waker other than their unit's:
    /// something between the unit and the operation polls only what it was woken for.
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
            finishing: Cell::new(false),
            caught: Cell::new(false),
            handed: Cell::new(Handed::No),
            noticed: Cell::new(false),
            noted: Cell::new(false),
            cancellations: Cell::new(0),
            unheeding: Cell::new(0),
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

    /// Nobody has it any more. Something may have been linked under it after it was left: it was
    /// dropped from inside. What is returned is to be woken.
    #[must_use]
    pub(super) fn put_out_children(&self) -> Vec<Foreign> {
        self.move_children(ptr::null())
    }

    /// Whether nothing is below it, and it has nothing beside.
    #[inline]
    pub(super) fn is_bare(&self) -> bool {
        self.is_innermost() && self.roster.get().is_null() && self.rare.get().is_none()
    }

    /// Nobody has it any more, and its children have been put out. What it had beside is to be
    /// dropped by the caller, as that is foreign code.
    #[must_use]
    pub(super) fn unload(&mut self) -> Option<Box<Rare>> {
        if !self.roster.get().is_null() {
            std::process::abort(); // invariant 2: its guard has a reference
        }
        self.rare.take()
    }

    /// Makes it as new, when nobody has it any more, and it is [bare](Self::is_bare). It has been
    /// left, if it was entered.
    #[inline]
    pub(super) fn reset(&self) {
        debug_assert!(self.parent.get().is_null(), "what is linked is somebody's");
        self.stage.set(Stage::New);
        self.own.set(Level::None);
        self.effective.set(Level::None);
        self.shield.set(false);
        self.finishing.set(false);
        self.caught.set(false);
        self.handed.set(Handed::No);
        self.noticed.set(false);
        self.noted.set(false);
        // `cancellations` may begin anywhere: who counts them remembers where it began.
        debug_assert!(!self.is_unheeding(), "who counts there has a reference");
        self.deadline.set(Deadline::Never);
        debug_assert!(self.timer.get().is_none(), "an open scope's");
        self.host.set(UnitId::NONE);
    }

    /// See `noted`.
    fn note(&self) {
        self.noted.set(true);
    }

    fn rare(&self) -> &Rare {
        self.note();
        self.rare.get_or_init(Box::default)
    }

    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.place.get()
    }

    /// Whether a checkpoint in this scope fails.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.effective.get() >= Level::Graceful
    }

    /// Whether it is cancelled, or would be if it were not finishing its work.
    pub(crate) fn is_ending(&self) -> bool {
        self.effective.get() != Level::None
    }

    pub(crate) fn cancel_called(&self) -> bool {
        self.own.get() != Level::None
    }

    pub(crate) fn is_fully_cancelled(&self) -> bool {
        self.own.get() == Level::Full
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

    /// Says which units run directly in this scope, or with null that none do any more.
    ///
    /// # Safety
    ///
    /// The roster stays where it is until null is set.
    pub(crate) unsafe fn set_roster(&self, roster: *const Roster) {
        self.roster.set(roster);
    }

    /// The units that run directly in this scope, if it is an open nursery's.
    pub(crate) fn roster(&self) -> Option<&Roster> {
        // SAFETY: invariant 2. The answer is used before any foreign code runs, which might drop
        // the nursery.
        unsafe { self.roster.get().as_ref() }
    }

    /// The scope it is in, if it is in one.
    #[inline]
    pub(super) fn parent(&self) -> Option<&Scope> {
        // SAFETY: invariant 1. The answer is used before anything is linked or unlinked: its
        // lifetime is that of `self`, and the callers call nothing else meanwhile.
        unsafe { self.parent.get().as_ref() }
    }

    pub(crate) fn cancellations(&self) -> u32 {
        self.cancellations.get()
    }

    /// Why an operation in this scope fails, if it does: the nearest reason for a cancellation
    /// that goes as far as the one that has come here.
    pub(crate) fn cause(&self) -> Option<Cancelled> {
        let mut scope = self;
        loop {
            if scope.own.get() >= self.effective.get().max(Level::Graceful) {
                return scope.why();
            }
            scope = scope.parent()?;
        }
    }

    /// Why this scope itself was cancelled.
    pub(crate) fn why(&self) -> Option<Cancelled> {
        self.rare.get()?.why.borrow().clone()
    }

    /// Cancels the scope. The first reason stays, unless the cancellation now goes further; a
    /// scope that was left stays as it is.
    pub(crate) fn cancel(
        &self,
        level: Level,
        reason: Reason,
        by: Option<&'static Location<'static>>,
    ) {
        self.cancel_because(level, || Cancelled::new(self.place.get(), by, reason));
    }

    /// Cancels the scope for a reason that is made only if it is needed.
    pub(crate) fn cancel_because(&self, level: Level, why: impl FnOnce() -> Cancelled) {
        if self.own.get() >= level || self.stage.get() == Stage::Left {
            return;
        }
        let why = why(); // may be foreign code, so nothing is borrowed and nothing half done
        if self.own.get() >= level || self.stage.get() == Stage::Left {
            return;
        }
        if self.own.replace(level) == Level::None && self.is_entered() {
            CONTEXT.with(|context| context.cancelled.set(context.cancelled.get() + 1));
        }
        drop(self.rare().why.replace(Some(why)));
        self.refresh();
    }

    pub(crate) fn effective(&self) -> Level {
        self.effective.get()
    }

    pub(crate) fn shield(&self) -> bool {
        self.shield.get()
    }

    pub(crate) fn set_shield(&self, up: bool) {
        self.shield.set(up);
        self.refresh();
    }

    /// Marks the scope as one that finishes its work when it is cancelled gracefully.
    pub(crate) fn set_finishing(&self) {
        self.finishing.set(true);
        self.refresh();
    }

    /// What the scopes above ask of this one.
    fn level_above(&self) -> Level {
        if self.shield.get() {
            return Level::None;
        }
        match self.parent().map(|parent| parent.effective.get()) {
            Some(Level::Graceful) if self.finishing.get() => Level::Spared,
            Some(level) => level,
            None => Level::None,
        }
    }

    /// Works out the effective state of this scope and of all below that it changes, and makes
    /// ready what has to notice. Foreign code runs at the end of it.
    fn refresh(&self) {
        let mut foreign = Vec::new();
        self.refresh_into(&mut foreign);
        wake_all(foreign);
    }

    /// As `refresh`. The foreign wakers are still to be woken.
    fn refresh_into(&self, foreign: &mut Vec<Foreign>) {
        self.walk(|scope| {
            let before = scope.effective.get();
            let after = scope.own.get().max(scope.level_above());
            scope.effective.set(after);
            if after > before {
                if after >= Level::Graceful {
                    scope.cancellations.set(scope.cancellations.get().wrapping_add(1));
                }
                scope.make_ready(foreign);
            }
            after != before
        });
    }

    /// Calls `visit` with this scope, and with what is below each scope for which it is true.
    /// It must link and unlink nothing. Without recursion: scopes may be nested deep.
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
            // SAFETY: what the table knows is alive (invariant 1 of `schedule::unit`).
            foreign.extend(unsafe { wake::make_ready(host) });
        }
        if let Some(roster) = self.roster() {
            wake::make_all_ready(roster, foreign);
        }
        foreign.extend(self.foreign());
    }

    // Handles on other threads.

    /// What this scope shares with its handles on other threads.
    fn remote(&self) -> Option<&cancel_handle::Shared> {
        self.rare.get()?.remote.get()
    }

    /// Whether a handle on another thread has cancelled it, which it may not have heard of.
    pub(super) fn cancel_asked(&self) -> bool {
        self.remote().is_some_and(cancel_handle::was_asked)
    }

    // Foreign wakers.

    /// Leaves a waker here, to be woken when a cancellation comes. Returns its key.
    pub(crate) fn watch(&self, waker: Foreign) -> u32 {
        let key = self.rare().foreign.borrow_mut().insert(waker);
        u32::try_from(key).expect("less than 4 billion wakers")
    }

    /// Whether the waker that was left here wakes the same as this one.
    pub(crate) fn watches(&self, key: u32, waker: &Waker) -> bool {
        self.rare().foreign.borrow()[key as usize].will_wake(waker)
    }

    /// Leaves another waker in place of one that was left. Returns that one: to drop it is foreign
    /// code.
    #[must_use]
    pub(crate) fn update_watch(&self, key: u32, waker: Foreign) -> Foreign {
        std::mem::replace(&mut self.rare().foreign.borrow_mut()[key as usize], waker)
    }

    /// Takes a waker back. To drop it is foreign code.
    #[must_use]
    pub(crate) fn unwatch(&self, key: u32) -> Foreign {
        self.rare().foreign.borrow_mut().remove(key as usize)
    }

    /// The wakers that were left here.
    #[must_use]
    pub(crate) fn foreign(&self) -> Vec<Foreign> {
        self.rare.get().map_or_else(Vec::new, |rare| {
            rare.foreign.borrow().iter().map(|(_, waker)| waker.clone()).collect()
        })
    }

    /// Wakes the operations that left a waker here, to look anew in which scope they are.
    pub(crate) fn wake_foreign(&self) {
        wake_all(self.foreign());
    }

    // The links.

    /// See `forward_scope`.
    pub(crate) fn set_forward(&self, to: ScopeRef) {
        // A child is handed over once.
        self.rare().forward.get_or_init(|| to);
    }

    /// The scope to make current in place of this one, which nearly always is itself.
    #[inline]
    pub(crate) fn forward(&self) -> Option<&ScopeRef> {
        self.rare.get()?.forward.get()
    }

    /// Whether `scope` is this one or below it. Takes no time for a scope with none below it.
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

    /// Notes the unit that polls this scope now, and returns the scope that it is polled in.
    #[inline]
    fn note_host(&self, context: &Context) -> *const Scope {
        self.host.set(context.unit.get());
        match scope_in(context) {
            Some(parent) if !parent.has_left() => ptr::from_ref(parent),
            // One that was left (a context manager may have) is not in the tree any more.
            _ => ptr::null(),
        }
    }

    /// Puts this scope under `parent`. Polled from inside of itself, it stays where it is.
    #[inline(never)]
    fn move_to(&self, parent: *const Scope) {
        if !self.encloses(parent) {
            self.unlink();
            self.link(parent);
            self.look_up();
        }
    }

    /// Whether something is cancelled above.
    #[inline]
    fn is_cancelled_above(&self) -> bool {
        self.parent().is_some_and(|parent| parent.effective.get() != Level::None)
    }

    /// What is above has changed. Nearly always nothing is cancelled, and it makes no difference.
    #[inline]
    fn look_up(&self) {
        if self.own.get().max(self.level_above()) != self.effective.get() {
            self.refresh();
        }
    }

    /// Puts all the scopes directly below this one under `parent` instead. What is returned is to
    /// be woken.
    #[cold]
    #[must_use]
    pub(crate) fn move_children(&self, parent: *const Scope) -> Vec<Foreign> {
        let mut foreign = Vec::new();
        // SAFETY: invariant 1.
        while let Some(child) = unsafe { self.first_child.get().as_ref() } {
            child.unlink();
            // A child may have been handed to a nursery that it polls itself.
            child.link(if child.encloses(parent) { ptr::null() } else { parent });
            child.refresh_into(&mut foreign);
        }
        foreign
    }
}

impl ScopeRef {
    /// What the scope shares with its handles on other threads.
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
