//! A child that was cancelled alone, through its `Task`. From then on it is polled in a cancelled
//! scope of its own, which is under the nursery's and absorbs the cancellation.
//!
//! Nobody pays for this who does not ask for it: the child's vtable is replaced by one whose
//! functions know of the scope, which is kept beside the node. The scope is entered when the child
//! is next polled. The scopes that the child has open move into it then, and its operations, which
//! have waited in the nursery's scope, look again, find that they wait in a cancelled one, and
//! fail; one that has been handed what it waits for has happened.
//!
//! The invariants are those of `nursery::child`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::ptr::NonNull;
use std::task::{Context, Poll};

use super::label::Label;
use super::{Child, Node};
use crate::error::{Cancelled, Reason, Result, TaskCancelled};
use crate::platform::part::part;
use crate::schedule::foreign::wake_all;
use crate::schedule::units::unit::Flag;
use crate::scope::current::{in_scope, with_scope};
use crate::scope::tree::pool::ScopeRef;
use crate::scope::tree::{Entered, Level};

part! {
    /// The scopes of the children that were cancelled alone, by the child's address. While such a
    /// child is being polled, its poll has the scope.
    pub(crate) const OWN_SCOPES: RefCell<HashMap<usize, OwnScope>>;
}

/// The scope of a child that was cancelled alone.
pub(crate) enum OwnScope {
    /// The child has not been polled since.
    Asked(ScopeRef),
    Entered(Entered),
}

/// Whether a run is there to cancel a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    TheRun,
    /// None is going on.
    Nobody,
}

/// Makes a cancelled scope for a child, which has none of its own yet.
pub(super) fn ask(
    child: NonNull<Child>,
    place: &'static Location<'static>,
    reason: Reason,
    by: &'static Location<'static>,
) -> Asked {
    let scope = ScopeRef::new(place);
    scope.cancel(Level::Full, reason, Some(by));
    OWN_SCOPES.with(|scopes| {
        let Some(scopes) = scopes else { return Asked::Nobody };
        let former = put(scopes, child, OwnScope::Asked(scope));
        debug_assert!(former.is_none(), "its vtable says that it has none");
        Asked::TheRun
    })
}

/// Takes the scope of a child that has ended, if it has one. Dropping it runs foreign code.
pub(super) fn take(child: NonNull<Child>) -> Option<OwnScope> {
    OWN_SCOPES.with(|scopes| scopes?.borrow_mut().remove(&child.as_ptr().addr()))
}

#[must_use]
fn put(
    scopes: &RefCell<HashMap<usize, OwnScope>>,
    child: NonNull<Child>,
    scope: OwnScope,
) -> Option<OwnScope> {
    scopes.borrow_mut().insert(child.as_ptr().addr(), scope)
}

/// Polls a child in its own scope. If the child ends, the scope is left; if it has then absorbed
/// the cancellation, this gives the reason for that.
fn poll(
    child: NonNull<Child>,
    poll: impl FnOnce() -> Poll<Result<()>>,
) -> Poll<Result<Option<Cancelled>>> {
    let mut entered = match take(child) {
        Some(OwnScope::Entered(entered)) => {
            entered.touch();
            entered
        }
        Some(OwnScope::Asked(scope)) => enter(scope)?,
        None => unreachable!("a child with this vtable has a scope"),
    };
    // If this panics, the scope is left.
    match in_scope(entered.scope(), poll) {
        Poll::Pending => {
            let former = OWN_SCOPES.with(|scopes| put(scopes?, child, OwnScope::Entered(entered)));
            debug_assert!(former.is_none(), "nobody cancels it a second time");
            Poll::Pending
        }
        Poll::Ready(outcome) => {
            let why = entered.scope().why();
            Poll::Ready(entered.leave(outcome).map(|value| match value {
                Some(()) => None,
                None => why,
            }))
        }
    }
}

/// Enters the scope in the nursery's. What the child has open there moves into it.
fn enter(scope: ScopeRef) -> Result<Entered> {
    let entered = Entered::new(scope, "a task")?;
    let foreign = with_scope(|nursery| match nursery {
        Some(nursery) => {
            let mut foreign = nursery.move_children_of_host(entered.scope());
            // An operation in the nursery's scope that is polled through a foreign waker looks
            // again only if that is woken. It may be another child's, which finds nothing new.
            foreign.extend(nursery.foreign());
            foreign
        }
        None => Vec::new(),
    });
    wake_all(foreign); // foreign code, which cannot drop the nursery, because that is being polled
    Ok(entered)
}

/// The functions of the vtable of a child that is polled in a scope of its own.
///
/// # Safety
///
/// The child is alive, and its node is of this type.
impl<F: Future<Output = Result<T>>, T, L: Label> Node<F, T, L> {
    pub(super) unsafe fn poll_in_scope(
        child: NonNull<Child>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        // SAFETY (all): the caller's promise; invariants 1, 3 and 6.
        let this = unsafe { child.as_ref() };
        let Poll::Ready(ended) = poll(child, || unsafe { Self::poll(child, cx) }) else {
            return Poll::Pending;
        };
        Poll::Ready(match ended {
            Ok(None) => Ok(()),
            Ok(Some(why)) => {
                // Foreign code, which may drop the `Task`.
                if this.unit.has(Flag::FUTURE) {
                    unsafe { Self::drop_future(child) };
                }
                if this.unit.has(Flag::TASK) {
                    unsafe { (*Self::stage(child)).failed = ManuallyDrop::new(why) };
                    this.unit.set(Flag::FAILED);
                }
                Ok(())
            }
            Err(error) => {
                this.vtable.set(&Self::VTABLE); // the `Task` is told why the nursery fails
                Err(error)
            }
        })
    }

    pub(super) unsafe fn fail_in_scope(child: NonNull<Child>, why: Option<Cancelled>) {
        // SAFETY (both): the caller's promise.
        unsafe { child.as_ref() }.vtable.set(&Self::VTABLE);
        let _scope = take(child); // foreign code, run when the future has been dropped
        unsafe { Self::fail(child, why) }
    }

    pub(super) unsafe fn take_in_scope(child: NonNull<Child>, out: *mut ()) {
        // SAFETY (all): the caller's promise; invariant 3; `take` has written to `out`.
        unsafe { Self::take(child, out) }
        if unsafe { child.as_ref() }.unit.has(Flag::FAILED) {
            let stage = unsafe { &*Self::stage(child) };
            let why = unsafe { Cancelled::clone(&stage.failed) };
            let error = TaskCancelled::new(unsafe { Child::spawned(child) }, why);
            unsafe { *out.cast::<Option<Result<T>>>() = Some(Err(error.into())) };
        }
    }

    pub(super) unsafe fn free_in_scope(child: NonNull<Child>) {
        let _scope = take(child); // foreign code, run when the node is free
        // SAFETY: the caller's promise.
        unsafe { Self::free(child) }
    }
}
