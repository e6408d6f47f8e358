//! What the two ends of a body that yields share: its state, a slot for the value that comes out,
//! and one for whatever goes in.
//!
//! | file | concept |
//! |---|---|
//! | `driver` | the driver's end, which polls, resumes and closes the body |
//! | `yielder` | the body's end: [`Yielder`], and the yield |
//! | `yield_all` | a yield of several values |

mod driver;
mod yield_all;
mod yielder;

use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::vec;

pub(super) use driver::{Resume, Step};
pub use yield_all::YieldAll;
pub use yielder::{Yield, Yielder};

use crate::error::{Error, Result};
use crate::generator::cell::{Memory, Slot};
use crate::generator::state::{Kind, State};
use crate::schedule::ids::UnitId;
use crate::scope::tree::Scope;
use crate::scope::tree::pool::ScopeRef;

/// A body that yields.
pub(super) type DynBody<'a> = dyn Future<Output = Result<()>> + 'a;

/// A body that yields, in its box.
pub(super) type Body<'a> = Pin<Box<DynBody<'a>>>;

pub(super) struct Link<T, S> {
    pub(super) state: State,
    /// The value of the waiting yield, until the poll of the body is over. `FULL` says whether
    /// there is one.
    out: Slot<T>,
    /// The values that come after that one. `BATCH` says whether this is full.
    batch: Slot<vec::IntoIter<T>>,
    /// The value that the waiting yield returns. `VALUE` says whether there is one.
    sent: Slot<S>,
    /// The error that the waiting yield, or the next one, returns.
    error: Cell<Option<Error>>,
    /// The place of the waiting yield, or of the last one that waited.
    at: Cell<Option<&'static Location<'static>>>,
    /// The context that the body is being polled with, or was polled with last. It is only compared
    /// with that of a yield, while the body is running.
    driver: Cell<*const Context<'static>>,
    /// The waker that the waiting yield was polled with, if it is not the body's.
    foreign: Cell<Option<Waker>>,
    /// The scope that the body was last polled in, if that was checked, only for comparison.
    around: Cell<*const Scope>,
    /// Keeps that scope alive, so that no other scope can have its address.
    kept: Cell<Option<ScopeRef>>,
    /// The scope around a context manager's yield, if it has opened one.
    inner: Cell<Option<ScopeRef>>,
    /// The unit that polled the waiting body.
    waits_as: Cell<UnitId>,
    /// The waker that the unit polled it with, if that was not its own.
    waits_with: Cell<Option<Waker>>,
    _pinned: PhantomPinned,
}

impl<T, S> Link<T, S> {
    pub(super) fn new(kind: Kind) -> Self {
        Link {
            state: State::new(kind),
            out: Slot::empty(),
            batch: Slot::empty(),
            sent: Slot::empty(),
            error: Cell::new(None),
            at: Cell::new(None),
            driver: Cell::new(ptr::null()),
            foreign: Cell::new(None),
            around: Cell::new(ptr::null()),
            kept: Cell::new(None),
            inner: Cell::new(None),
            waits_as: Cell::new(UnitId::NONE),
            waits_with: Cell::new(None),
            _pinned: PhantomPinned,
        }
    }

    /// A link on its own.
    pub(super) fn shared(kind: Kind) -> Rc<Self> {
        Rc::new(Link::new(kind))
    }

    pub(super) fn memory(this: &Rc<Self>) -> Memory<T, S> {
        // SAFETY: it is what is owned.
        unsafe { Memory::new(this, Rc::as_ptr(this)) }
    }

    /// Takes the value of a yield that has just noticed that it was resumed with one.
    ///
    /// # Safety
    ///
    /// The state has said that there is one, and does not say so any more.
    #[inline(always)]
    pub(super) unsafe fn take_noticed(&self) -> S {
        // SAFETY: the caller's promise.
        unsafe { self.sent.take() }
    }

    /// The yield that the body is suspended at, if it is.
    pub(super) fn suspended_at(&self) -> Option<&'static Location<'static>> {
        if self.state.is_at_yield() { self.at.get() } else { None }
    }

    /// Takes the value of a yield out.
    #[inline]
    fn take_out(&self) -> Option<T> {
        // SAFETY: the state said that the slot is full, and does not any more.
        self.state.take_full().then(|| unsafe { self.out.take() })
    }

    /// Takes the values out that come after that of the waiting yield.
    #[inline]
    fn take_batch(&self) -> Option<vec::IntoIter<T>> {
        // SAFETY: as above.
        self.state.take_batch().then(|| unsafe { self.batch.take() })
    }

    /// Takes out the value that was sent in, if no yield has returned it.
    #[inline]
    fn take_sent(&self) -> Option<S> {
        // SAFETY: as above.
        self.state.take_value().then(|| unsafe { self.sent.take() })
    }
}

impl<T, S> Drop for Link<T, S> {
    fn drop(&mut self) {
        let left = (self.take_out(), self.take_batch(), self.take_sent());
        self.state.go();
        // Foreign code, which may have a yielder of this link. It finds that the link has gone.
        drop(left);
    }
}
