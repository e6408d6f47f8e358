//! What a nursery is made of: its scope, its roster, its failures.
//!
//! | file | concept |
//! |---|---|
//! | `guard` | what keeps a nursery's children, and what keeps a nursery open |
//! | `drive` | how it polls them, and deals with those that have ended |
//! | `left_behind` | generators that are left behind in it, which it closes |
//!
//! # Invariants
//!
//! 1. A core lives in an `Rc`, so it does not move, and its [`Guard`] keeps it until every child
//!    has been taken out. A leaked guard leaks the core.
//! 2. What is attached to `roster` is its body or the first field of a `Child`, of which the
//!    nursery has the `Held` in raw form: `adopt` gives it up, `release` takes it back.
//! 3. Children are polled only by `Core::drive`, which borrows what the nursery's own future
//!    borrows: while that is polled, all that the children borrow is there.
//! 4. A child that is being polled is attached to the core whose `drive` polls it, or to none.
//!    Foreign code that runs meanwhile can do to any other nursery what it likes, but cannot
//!    poll or drop this one, which is borrowed. So a hand-over waits for the end of the poll.
//! 5. There is no roster but in a core, and nothing but a core attaches a unit (`adopt`) or opens a
//!    roster (`Guard::new`), for which it gives a pointer to itself. So what a unit is attached to,
//!    and the roster of a scope, is a core, which is alive as long as that.

mod drive;
mod guard;
mod left_behind;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};
use std::rc::{Rc, Weak};
use std::task::Poll;

pub(crate) use drive::Body;
pub(crate) use guard::{Guard, Hold};
pub(crate) use left_behind::LeftBehind;

use crate::error::panic::{FirstPanic, Payload, quietly, report};
use crate::error::{Cancelled, Group, Member, Origin, Reason};
use crate::nursery::child::{self, Child, Handle, Held};
use crate::schedule::ahead::Ahead;
use crate::schedule::foreign::{Foreign, wake_all};
use crate::schedule::roster::Roster;
use crate::schedule::unit::Unit;
use crate::schedule::wake;
use crate::scope::current::forward_scope;
use crate::scope::tree::Level;
use crate::scope::tree::pool::ScopeRef;
use crate::{Error, Result};

/// The shared part of a nursery. `repr(C)`, so that a pointer to the roster is one to the core.
#[repr(C)]
pub(crate) struct Core {
    roster: Roster,
    scope: ScopeRef,
    /// How many children have not ended, and what else keeps the nursery open.
    live: Cell<usize>,
    body_running: Cell<bool>,
    open: Cell<bool>,
    /// The generators made here that were iterated. They are closed before the nursery ends.
    generators: RefCell<Vec<Weak<dyn LeftBehind>>>,
    /// Whether the body waits for the children.
    tell_body: Cell<bool>,
    failures: RefCell<Vec<Member>>,
    panic: Cell<Option<Payload>>,
    /// Whether the only child goes elsewhere when its poll is over, and where.
    is_moving: Cell<bool>,
    moving_to: Cell<Option<Rc<Core>>>,
    place: &'static Location<'static>,
}

impl Core {
    pub(crate) fn new(place: &'static Location<'static>) -> Rc<Core> {
        Rc::new(Core {
            roster: Roster::new(),
            scope: ScopeRef::new(place),
            live: Cell::new(0),
            body_running: Cell::new(false),
            open: Cell::new(true),
            generators: RefCell::new(Vec::new()),
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
        // SAFETY: what a unit is attached to is there (invariant 2 of `schedule::unit`).
        let roster = unsafe { unit.roster().as_ref() };
        roster.is_some_and(|roster| !ptr::eq(roster.body(), unit))
    }

    /// Finds the way to the next unit that goes ahead, from here. False if there is none.
    pub(crate) fn finds_way(&self, ahead: &Ahead) -> bool {
        ahead.next(&self.roster)
    }

    /// Whether nothing in it is ready.
    pub(crate) fn is_idle(&self) -> bool {
        self.roster.is_idle()
    }

    /// Whether the units of both are in one table: a child's links to its siblings are indices.
    pub(crate) fn is_in_run_of(&self, other: &Core) -> bool {
        self.roster.has_table_of(&other.roster)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.live.get() == 0
    }

    /// Waits, in the body, until there is no child.
    pub(crate) async fn empty(&self) {
        poll_fn(|_| {
            self.tell_body.set(!self.is_empty());
            if self.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// False once every child has ended and none can come any more.
    pub(crate) fn is_open(&self) -> bool {
        self.open.get()
    }

    /// Makes a future a child, which is polled for the first time in the scheduler's next round.
    ///
    /// # Safety
    ///
    /// What the future borrows is there for as long as this nursery's own future is polled or
    /// dropped.
    pub(crate) unsafe fn spawn<F, T>(
        self: &Rc<Self>,
        future: F,
        place: &'static Location<'static>,
    ) -> Handle
    where
        F: Future<Output = Result<T>>,
    {
        // SAFETY: the caller's promise and invariant 3.
        let (held, handle) = unsafe { child::new(&self.roster, future, place) };
        let unit = self.adopt(held);
        // SAFETY: it is attached.
        if let Some(foreign) = unsafe { wake::make_ready(unit) } {
            foreign.wake();
        }
        handle
    }

    /// Takes a child in.
    fn adopt(self: &Rc<Self>, child: Held) -> *const Unit {
        let unit = child.into_raw().as_ptr().cast_const().cast();
        self.live.set(self.live.get() + 1);
        // SAFETY: invariant 1 for the roster, which is the core's first field. As long as the child
        // is attached its `Held` is not dropped.
        unsafe { Roster::attach(Rc::as_ptr(self).cast(), unit) };
        unit
    }

    /// Takes a child out.
    #[inline]
    fn release(&self, unit: NonNull<Unit>) -> Held {
        // SAFETY: invariant 2.
        self.roster.detach(unsafe { unit.as_ref() });
        self.live.set(self.live.get() - 1);
        // SAFETY: invariant 2: `adopt` gave it up.
        unsafe { Held::from_raw(unit.cast()) }
    }

    /// Hands the only child of this nursery, and the scopes it has open, to another one that is
    /// open. What runs in the child is in the other's scope at once; the child itself follows
    /// when its poll is over, if it is being polled.
    pub(crate) fn hand_over(&self, to: &Rc<Core>) {
        let Some(unit) = NonNull::new(self.roster.first().cast_mut()) else {
            return; // it has ended
        };
        forward_scope(&self.scope, &to.scope);
        let mut foreign = Vec::new();
        if self.roster.is_draining() {
            // This nursery is being polled, and so, as it runs no other code, is its child.
            self.is_moving.set(true);
            self.moving_to.set(Some(to.clone()));
            // The caller goes on in the next round, counted from now.
            // SAFETY: the body is attached as long as the nursery is being polled.
            let host = unsafe { wake::make_ready(self.roster.body()) };
            debug_assert!(host.is_none(), "who polls the queue need not be told");
        } else {
            foreign.extend(self.move_child(unit, to));
        }
        foreign.extend(self.scope.move_children(to.scope.as_ptr()));
        // Operations that are woken through something foreign have to register anew.
        foreign.extend(self.scope.foreign());
        wake_all(foreign); // foreign code, which may drop either nursery
    }

    /// Moves a child that is not being polled. The wakers are to be woken last of all: they are
    /// foreign code, which may drop the other nursery.
    #[must_use]
    fn move_child(&self, unit: NonNull<Unit>, to: &Rc<Core>) -> Vec<Foreign> {
        // SAFETY: it is attached here.
        let queued = unsafe { unit.as_ref() }.is_queued();
        if queued {
            self.roster.unqueue(unit.as_ptr());
        }
        let unit = to.adopt(self.release(unit));
        let mut foreign = Vec::new();
        // It has not heard of a cancellation that came before it did.
        if queued || to.scope.is_cancelled() {
            // SAFETY: it is attached.
            foreign.extend(unsafe { wake::make_ready(unit) });
        }
        foreign.extend(self.finish_if_empty());
        foreign
    }

    /// Sees to it that the nursery's future is polled again when nothing is left to wait for:
    /// in the next round of the scheduler, as in Trio.
    #[must_use]
    fn finish_if_empty(&self) -> Option<Foreign> {
        if self.live.get() == 0 && (!self.body_running.get() || self.tell_body.get()) {
            // SAFETY: it is attached, if there is one.
            let body = unsafe { self.roster.body().as_ref() }?;
            // It may have been made ready earlier, by the cancellation that ended the children.
            if body.is_queued() {
                self.roster.unqueue(body);
            }
            // SAFETY: as above.
            return unsafe { wake::make_ready(self.roster.body()) };
        }
        None
    }

    // What is asked when it seems to be stuck.

    /// The nursery whose roster it is.
    ///
    /// # Safety
    ///
    /// It came from a unit that is attached, or from a scope, and the answer is not used any more
    /// when foreign code runs.
    pub(crate) unsafe fn of<'a>(roster: *const Roster) -> &'a Core {
        // SAFETY: the caller's promise; invariant 5.
        unsafe { &*roster.cast::<Core>() }
    }

    /// The tick in which the first of those that are ready became so.
    pub(crate) fn ready_since(&self) -> Option<u32> {
        self.roster.ready_since()
    }

    /// Whether there is anything in it that could wait. If not, something outside keeps it open.
    pub(crate) fn runs_something(&self) -> bool {
        self.body_running.get() || !self.roster.first().is_null()
    }

    /// Where its children were spawned, or those of them that are ready.
    pub(crate) fn tasks(&self, ready: bool) -> Vec<&'static Location<'static>> {
        // SAFETY (both): what is attached is alive, and a child (invariant 2).
        let children =
            self.roster.children().filter(|&unit| !ready || unsafe { &*unit }.is_queued());
        children.map(|unit| unsafe { &*unit.cast::<Child>() }.place()).collect()
    }

    /// Counts a failure, and cancels all the others.
    fn fail(&self, error: Error, spawned_at: Option<&'static Location<'static>>) {
        let origin = spawned_at.map_or(Origin::Body, Origin::Task);
        // Nearly always: of those that were cancelled together all but the first.
        if self.scope.is_fully_cancelled() {
            let mut failures = self.failures.borrow_mut();
            if failures.len() == failures.capacity() {
                failures.reserve(self.live.get() + 1); // each of them will probably be one
            }
            failures.push(Member { error, origin });
            return;
        }
        // The error's causes and its text are foreign code.
        let cancelled = catch_unwind(AssertUnwindSafe(|| {
            // A graceful cancellation stays one: those that finish their work are not to be hit by
            // the siblings that stopped at once.
            let level = match self.scope.effective() {
                Level::Spared | Level::Graceful if error.cancellation().is_some() => {
                    Level::Graceful
                }
                _ => Level::Full,
            };
            self.scope.cancel_because(level, || match error.cancellation() {
                Some(why) => why.clone(),
                None => Cancelled::new(self.place, spawned_at, Reason::ChildFailed(error.brief())),
            });
        }));
        self.failures.borrow_mut().push(Member { error, origin });
        if let Err(payload) = cancelled {
            self.panicked(payload, spawned_at.unwrap_or(self.place));
        }
    }

    /// Keeps the first panic to be passed on, and cancels all the others.
    pub(crate) fn panicked(&self, payload: Payload, place: &'static Location<'static>) {
        let mut further = FirstPanic::new();
        match self.panic.take() {
            None => self.panic.set(Some(payload)),
            Some(first) => {
                self.panic.set(Some(first));
                further.add(payload);
            }
        }
        further.catch(|| {
            self.scope.cancel_because(Level::Full, || {
                Cancelled::new(self.place, Some(place), Reason::ChildFailed("it panicked".into()))
            });
        });
        if let Some(payload) = further.take() {
            self.discard(payload, place);
        }
    }

    /// Reports a panic that is not passed on.
    fn discard(&self, payload: Payload, place: &'static Location<'static>) {
        report!(
            error,
            nursery = %self.place,
            at = %place,
            "a further panic in a nursery: only the first is passed on"
        );
        quietly(|| drop(payload));
    }

    /// What has failed, in the order in which it did.
    pub(crate) fn take_failures(&self) -> Vec<Member> {
        self.failures.take()
    }

    /// Goes on with the first panic there was, if there was one. The errors, which nobody will
    /// see then, are reported.
    pub(crate) fn resume_panic(&self) {
        let Some(payload) = self.panic.take() else { return };
        // Their causes and texts are foreign code.
        quietly(|| {
            let failures = self.take_failures();
            if failures.iter().any(|member| member.error.cancellation().is_none()) {
                let error = Group::from_failures(self.place, failures);
                tracing::error!(nursery = %self.place, %error, "lost to a panic in the same nursery");
            }
        });
        resume_unwind(payload);
    }
}
