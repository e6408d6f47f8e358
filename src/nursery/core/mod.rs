//! The parts of a nursery: its scope, its roster and its failures.
//!
//! | file | concept |
//! |---|---|
//! | `failures` | what a failure or a panic does to the others, and who learns of it |
//! | `guard` | the owner of a nursery's children, and what else keeps a nursery open |
//! | `drive` | polling the body and the children |
//! | `ended` | what becomes of a child, or the body, that has ended |
//! | `task_of` | which task a unit belongs to |
//! | `watched` | polling them so that what is being polled is shown |
//! | `left_behind` | what a nursery closes before it ends: generators that were left behind, and services |
//!
//! # Invariants
//!
//! 1. A core lives in an `Rc`, so it does not move. Its [`Guard`] keeps it alive until every child
//!    has been taken out. A leaked guard leaks the core.
//! 2. Each unit attached to `roster` is the body, or the first field of a `Child` that the nursery
//!    owns: `adopt` turns the `Owned` into a raw pointer, and `release` turns it back.
//! 3. Children are polled only by `Core::drive`, which is called only by the nursery's own future.
//!    While that is being polled, everything that the children borrow is alive.
//! 4. A child that is being polled is attached to the core whose `drive` polls it, or to none.
//!    Foreign code that runs meanwhile may do anything to other nurseries, but cannot poll or drop
//!    this one, which is borrowed. For the same reason a child moves to another nursery only when
//!    its poll is over.
//! 5. Every roster is in a core, and only a core attaches a unit (`adopt`) or opens a roster
//!    (`Guard::new`), passing a pointer to itself. So whatever a unit is attached to is a core, and
//!    so is the roster of a scope, and this core is alive for as long.

mod drive;
mod ended;
mod failures;
mod guard;
mod left_behind;
mod task_of;
mod watched;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::rc::{Rc, Weak};
use std::task::Poll;

pub(crate) use drive::Body;
pub(crate) use guard::{Guard, KeepOpen, Runs};
pub(crate) use left_behind::{LeftBehind, Turn};

use crate::error::panic::Payload;
use crate::error::{Member, Result, Spawned};
use crate::nursery::child::label::Label;
use crate::nursery::child::{self, Child, Handle, Owned};
use crate::schedule::foreign::{Foreign, wake_all};
use crate::schedule::remote::away;
use crate::schedule::units::parked::{self, What};
use crate::schedule::units::roster::Roster;
use crate::schedule::units::unit::Unit;
use crate::schedule::wake;
use crate::scope::current::forward_scope;
use crate::scope::tree::pool::ScopeRef;

/// The shared part of a nursery. `repr(C)`, so that a pointer to the roster is also one to the
/// core.
#[repr(C)]
pub(crate) struct Core {
    roster: Roster,
    scope: ScopeRef,
    /// How many children have not ended, plus what else keeps the nursery open. A child that is a
    /// service counts only while it is being polled.
    live: Cell<usize>,
    /// How many children are services, and not counted in `live`.
    serving: Cell<usize>,
    body_running: Cell<bool>,
    open: Cell<bool>,
    /// The generators made here that were iterated, and the services. They are closed before the
    /// nursery ends.
    left_behind: RefCell<Vec<Weak<dyn LeftBehind>>>,
    /// Whether the body waits for the children to end.
    tell_body: Cell<bool>,
    failures: RefCell<Vec<Member>>,
    panic: Cell<Option<Payload>>,
    /// Whether the only child moves to another nursery when its poll is over, and to which one.
    is_moving: Cell<bool>,
    moving_to: Cell<Option<Rc<Core>>>,
    place: &'static Location<'static>,
}

/// Which children of a nursery are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    Ready,
}

impl Core {
    pub(crate) fn new(place: &'static Location<'static>) -> Rc<Core> {
        Rc::new(Core {
            roster: Roster::new(),
            scope: ScopeRef::new(place),
            live: Cell::new(0),
            serving: Cell::new(0),
            body_running: Cell::new(false),
            open: Cell::new(true),
            left_behind: RefCell::new(Vec::new()),
            tell_body: Cell::new(false),
            failures: RefCell::new(Vec::new()),
            panic: Cell::new(None),
            is_moving: Cell::new(false),
            moving_to: Cell::new(None),
            place,
        })
    }

    pub(crate) fn scope(&self) -> &ScopeRef {
        &self.scope
    }

    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Whether a unit is a child of some nursery, and not a nursery's body.
    pub(crate) fn is_child(unit: &Unit) -> bool {
        // SAFETY: the roster that a unit is attached to is alive (invariant 2 of
        // `schedule::units::unit`).
        let roster = unsafe { unit.roster().as_ref() };
        roster.is_some_and(|roster| !ptr::eq(roster.body(), unit))
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Whether nothing in this nursery is ready.
    pub(crate) fn is_idle(&self) -> bool {
        self.roster.queue.is_idle()
    }

    /// Calls `f` in the run of this nursery, if that goes on.
    #[inline]
    pub(crate) fn in_its_run<R>(&self, f: impl FnOnce() -> R) -> R {
        away::in_run(self.roster.run(), f)
    }

    /// Whether the units of both nurseries are in one table. A child's links to its siblings are
    /// indices into it.
    pub(crate) fn is_in_run_of(&self, other: &Core) -> bool {
        self.roster.has_table_of(&other.roster)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.live.get() == 0
    }

    /// Waits, in the body, until there are no children.
    pub(crate) async fn empty(&self) {
        poll_fn(|_| {
            self.tell_body.set(!self.is_empty());
            if self.is_empty() {
                return Poll::Ready(());
            }
            parked::leave(const { What::of("the end of its tasks") }, self.place);
            Poll::Pending
        })
        .await;
    }

    /// Whether children can be spawned: false once everything has ended.
    pub(crate) fn is_open(&self) -> bool {
        self.open.get()
    }

    /// Spawns a future that borrows nothing. See [`spawn`](Self::spawn).
    pub(crate) fn spawn_static<F, T>(
        self: &Rc<Self>,
        future: F,
        place: &'static Location<'static>,
    ) -> Handle
    where
        F: Future<Output = Result<T>> + 'static,
    {
        // SAFETY: the future borrows nothing.
        unsafe { self.spawn(future, place, ()) }
    }

    /// Spawns the future as a child. It is first polled in the scheduler's next round.
    ///
    /// # Safety
    ///
    /// What the future borrows stays alive for as long as this nursery's own future is polled or
    /// dropped.
    pub(crate) unsafe fn spawn<F, T, L>(
        self: &Rc<Self>,
        future: F,
        place: &'static Location<'static>,
        label: L,
    ) -> Handle
    where
        F: Future<Output = Result<T>>,
        L: Label,
    {
        // SAFETY: the caller's promise and invariant 3.
        let (owned, handle) = unsafe { child::new(&self.roster, future, place, label) };
        let unit = self.adopt(owned);
        // SAFETY: it is attached.
        if let Some(foreign) = unsafe { wake::make_new_ready(unit) } {
            foreign.wake();
        }
        handle
    }

    /// Adds a child.
    fn adopt(self: &Rc<Self>, child: Owned) -> *const Unit {
        let unit = child.into_raw().as_ptr().cast_const().cast();
        self.live.set(self.live.get() + 1);
        // SAFETY: invariant 1 for the roster, which is the core's first field. As long as the child
        // is attached, its `Owned` is not dropped.
        unsafe { Roster::attach(Rc::as_ptr(self).cast(), unit) };
        unit
    }

    /// Takes a child out of this nursery.
    #[inline]
    fn release(&self, unit: NonNull<Unit>) -> Owned {
        // SAFETY: invariant 2.
        self.roster.detach(unsafe { unit.as_ref() });
        self.live.set(self.live.get() - 1);
        // SAFETY: invariant 2: `adopt` gave up the `Owned`. It is not being polled: invariant 4.
        unsafe { Owned::from_raw(unit.cast()) }
    }

    /// Makes the only child of this nursery ready.
    #[must_use]
    pub(crate) fn wake_only_child(&self) -> Option<Foreign> {
        let unit = NonNull::new(self.roster.first().cast_mut())?;
        // SAFETY: it is attached.
        unsafe { wake::make_ready(unit.as_ptr()) }
    }

    // Services, which do not keep the nursery open.

    /// Counts a child that is a service, because it is being polled.
    pub(crate) fn count_service(&self) {
        self.serving.set(self.serving.get() - 1);
        self.live.set(self.live.get() + 1);
    }

    /// Leaves a child that is a service out of the count, because its poll is over and it has not
    /// ended. The caller has to wake the returned waker.
    #[must_use]
    pub(crate) fn discount_service(&self) -> Option<Foreign> {
        self.live.set(self.live.get() - 1);
        self.serving.set(self.serving.get() + 1);
        // Making the body ready again would put it off, in each round anew if the service is always
        // ready. SAFETY: the body is attached, if there is one.
        let is_told = unsafe { self.roster.body().as_ref() }.is_some_and(Unit::is_queued);
        if is_told { None } else { self.finish_if_empty() }
    }

    /// Counts the services too, because they are about to be dropped.
    fn count_services(&self) {
        self.live.set(self.live.get() + self.serving.take());
    }

    /// Moves the only child of this nursery, with the scopes that it has open, to another open
    /// nursery. Its scopes are put under the other nursery's at once. If the child is being polled,
    /// the child itself moves when the poll is over. `waker`, if there is one, is woken at the end.
    pub(crate) fn move_only_child(&self, to: &Rc<Core>, waker: Option<Foreign>) {
        let mut foreign = Vec::from_iter(waker);
        let Some(unit) = NonNull::new(self.roster.first().cast_mut()) else {
            return wake_all(foreign); // it has ended
        };
        forward_scope(&self.scope, &to.scope);
        if self.roster.is_draining() {
            // This nursery is being polled. It runs only its child, so the child is being polled
            // too.
            self.is_moving.set(true);
            self.moving_to.set(Some(to.clone()));
            // The caller continues in the next round, counted from now. SAFETY: the body is
            // attached as long as the nursery is being polled.
            let host = unsafe { wake::make_ready(self.roster.body()) };
            debug_assert!(host.is_none(), "the owner of the queue is draining it");
        } else {
            foreign.extend(self.move_child(unit, to));
        }
        foreign.extend(self.scope.move_children(to.scope.as_ptr()));
        // Operations that are woken through foreign wakers have to leave these with their new
        // scope.
        foreign.extend(self.scope.foreign());
        wake_all(foreign); // foreign code, which may drop either nursery
    }

    /// Moves a child that is not being polled. The caller wakes the wakers last of all: they are
    /// foreign code, which may drop the other nursery.
    #[must_use]
    fn move_child(&self, unit: NonNull<Unit>, to: &Rc<Core>) -> Vec<Foreign> {
        // SAFETY: it is attached here.
        let queued = unsafe { unit.as_ref() }.is_queued();
        if queued {
            self.roster.queue.remove(unit.as_ptr());
        }
        let unit = to.adopt(self.release(unit));
        let mut foreign = Vec::new();
        // The child has not been told of a cancellation that came before it moved.
        if queued || to.scope.is_cancelled() {
            // SAFETY: it is attached.
            foreign.extend(unsafe { wake::make_ready(unit) });
        }
        foreign.extend(self.finish_if_empty());
        foreign
    }

    /// Makes the nursery's body ready when there is nothing left to wait for, so that the nursery
    /// is polled again in the next round, as in Trio.
    #[must_use]
    fn finish_if_empty(&self) -> Option<Foreign> {
        if self.live.get() == 0 && (!self.body_running.get() || self.tell_body.get()) {
            // SAFETY: the body is attached, if there is one.
            let body = unsafe { self.roster.body().as_ref() }?;
            // It may have been made ready earlier, by the cancellation that ended the children.
            if body.is_queued() {
                self.roster.queue.remove(body);
            }
            // SAFETY: as above.
            return unsafe { wake::make_ready(self.roster.body()) };
        }
        None
    }

    // For reports about nurseries that seem to be stuck.

    /// The nursery that a roster belongs to.
    ///
    /// # Safety
    ///
    /// The pointer came from an attached unit or from a scope, and the returned reference is not
    /// used after foreign code has run.
    pub(crate) unsafe fn of<'a>(roster: *const Roster) -> &'a Core {
        // SAFETY: the caller's promise; invariant 5.
        unsafe { &*roster.cast::<Core>() }
    }

    /// The tick in which the first of the ready units became ready.
    pub(crate) fn ready_since(&self) -> Option<u32> {
        self.roster.queue.ready_since()
    }

    /// Whether the nursery's body is running.
    pub(crate) fn body_is_running(&self) -> bool {
        self.body_running.get()
    }

    /// Whether anything is running in the nursery. If not, something outside keeps it open.
    pub(crate) fn runs_something(&self) -> bool {
        self.body_running.get() || !self.roster.first().is_null()
    }

    /// Which children it has.
    pub(crate) fn tasks(&self, which: Which) -> Vec<Spawned> {
        // SAFETY (all): attached units are alive, and these are children (invariant 2).
        let children = self
            .roster
            .children()
            .filter(|&unit| which == Which::All || unsafe { &*unit }.is_queued());
        let spawned = |unit: *const Unit| unsafe {
            Child::spawned(NonNull::new_unchecked(unit.cast_mut().cast()))
        };
        children.map(spawned).collect()
    }
}
