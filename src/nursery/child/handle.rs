//! The `Task`'s ownership of a child, and who waits for the child. The invariants are those of
//! `nursery::child`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::task::Waker;

use crate::error::{Reason, Result, Spawned};
use crate::nursery::child::{Child, own_scope};
use crate::platform::part::part;
use crate::schedule::remote::away;
use crate::schedule::units::unit::{Flag, NO_INDEX};
use crate::schedule::{wake, waker};

part! {
    /// The wakers of tasks that wait for a child, by the child's address, if they do not belong to
    /// units of this run.
    pub(crate) const JOINERS: RefCell<HashMap<usize, Waker>>;
}

impl Child {
    /// Takes the waker of the task that waits for the child, if it does not belong to a unit of
    /// this run.
    #[inline]
    pub(super) fn take_foreign_joiner(&self) -> Option<Waker> {
        if self.unit.has(Flag::FOREIGN_JOINER) { self.find_foreign_joiner() } else { None }
    }

    #[cold]
    fn find_foreign_joiner(&self) -> Option<Waker> {
        self.unit.clear(Flag::FOREIGN_JOINER);
        JOINERS.with(|joiners| joiners?.borrow_mut().remove(&ptr::from_ref(self).addr()))
    }
}

/// Whether a joiner will be woken when the child ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Joined {
    Waits,
    /// The child ended while the waker was cloned.
    HasEnded,
}

/// The [`Task`]'s ownership of a node.
pub(crate) struct Handle(pub(super) NonNull<Child>);

impl Handle {
    fn child(&self) -> &Child {
        // SAFETY: invariant 2.
        unsafe { self.0.as_ref() }
    }

    /// Where the child was spawned.
    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.child().place
    }

    /// Where the child was spawned, and its name if it has one.
    pub(crate) fn spawned(&self) -> Spawned {
        // SAFETY: invariants 1 and 2.
        unsafe { Child::spawned(self.0) }
    }

    /// Cancels the child alone: from its next poll on it runs in a cancelled scope of its own. This
    /// runs foreign code.
    #[cold]
    pub(crate) fn cancel(&self, reason: Reason, by: &'static Location<'static>) {
        self.in_its_run(|| self.cancel_here(reason, by));
    }

    /// Calls `f` in the run of the child, if the child is attached.
    #[inline]
    fn in_its_run<R>(&self, f: impl FnOnce() -> R) -> R {
        // SAFETY: what a unit is attached to is alive (invariant 2 of `schedule::units::unit`).
        match unsafe { self.child().unit.roster().as_ref() } {
            Some(roster) => away::in_run(roster.run(), f),
            None => f(),
        }
    }

    fn cancel_here(&self, reason: Reason, by: &'static Location<'static>) {
        let child = self.child();
        // One that is no longer attached has ended, or is being dropped.
        let (Some(in_scope), false) = (child.vtable.get().in_scope, child.unit.roster().is_null())
        else {
            return;
        };
        if own_scope::ask(self.0, child.place, reason, by) == own_scope::Asked::Nobody {
            return;
        }
        child.vtable.set(in_scope);
        // SAFETY: it is attached.
        let foreign = unsafe { wake::make_ready(self.0.as_ptr().cast_const().cast()) };
        if let Some(foreign) = foreign {
            foreign.wake();
        }
    }

    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        !self.child().unit.has(Flag::OWNED)
    }

    /// Sets the waker to wake when the child ends.
    pub(crate) fn set_joiner(&self, waker: &Waker) -> Joined {
        self.in_its_run(|| self.set_joiner_here(waker))
    }

    #[inline]
    fn set_joiner_here(&self, waker: &Waker) -> Joined {
        let Some(index) = waker::index_here(waker) else { return self.set_foreign_joiner(waker) };
        let old = self.child().take_foreign_joiner();
        self.child().unit.joiner.set(index);
        drop(old); // foreign code
        Joined::Waits
    }

    #[cold]
    fn set_foreign_joiner(&self, waker: &Waker) -> Joined {
        let waker = waker.clone(); // foreign code, which may make the child end
        if self.has_ended() {
            return Joined::HasEnded;
        }
        let old = self.child().take_foreign_joiner();
        let unit = &self.child().unit;
        let stale = JOINERS.with(|joiners| {
            let joiners = joiners?;
            unit.joiner.set(NO_INDEX);
            unit.set(Flag::FOREIGN_JOINER);
            let address = self.0.as_ptr().addr();
            joiners.borrow_mut().insert(address, waker)
        });
        drop((old, stale)); // foreign code
        Joined::Waits
    }

    #[cold]
    fn drop_slowly(&mut self) {
        // Foreign code, dropped last.
        let _joiner = self.in_its_run(|| self.child().take_foreign_joiner());
        let child = self.child();
        child.unit.clear(Flag::TASK);
        if !child.unit.has(Flag::OWNED) {
            // SAFETY: it was the last owner.
            unsafe { (child.vtable.get().free)(self.0) };
        }
    }

    /// Takes the child's value, or the reason why there is none. To be called once.
    ///
    /// # Safety
    ///
    /// The child has ended and its future's value is a `T`.
    pub(crate) unsafe fn take<T>(&self) -> Option<Result<T>> {
        let mut out = None::<Result<T>>;
        // SAFETY: the caller's promise; `out` is of the type that `take` writes.
        unsafe { (self.child().vtable.get().take)(self.0, (&raw mut out).cast()) };
        out
    }
}

impl Drop for Handle {
    #[inline]
    fn drop(&mut self) {
        let child = self.child();
        if child.unit.has(Flag::FOREIGN_JOINER) || !child.unit.has(Flag::OWNED) {
            self.drop_slowly();
        } else {
            child.unit.clear(Flag::TASK);
        }
    }
}
