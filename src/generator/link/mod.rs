//! What the two ends of a body that yields share: its state, a slot for the value that comes out, and
//! one for what goes in.
//!
//! | file | concept |
//! |---|---|
//! | `driver` | the driver's end: the body is polled, resumed, closed |
//! | `yielder` | the body's end: [`Yielder`], and the yield |

mod driver;
mod yielder;

use std::cell::Cell;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::task::Waker;

pub(super) use driver::{Resume, Step};
pub use yielder::{Yield, Yielder};

use crate::error::Result;
use crate::generator::state::{Kind, State};
use crate::schedule::ids::UnitId;
use crate::scope::tree::Scope;
use crate::scope::tree::pool::ScopeRef;

/// A body that yields, in its box.
pub(super) type Body<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

pub(super) struct Link<T, S> {
    pub(super) state: State,
    /// The value of the yield that waits, until the poll of the body is over.
    out: Cell<Option<T>>,
    /// What the yield that waits, or the next one, returns. The state says that there is something,
    /// and of which kind; a plain next needs nothing here.
    sent: Cell<Option<Result<S>>>,
    /// Where the yield is that waits, or waited last.
    at: Cell<Option<&'static Location<'static>>>,
    /// The waker that the body is being polled with, only to be compared; null while it is not.
    driver: Cell<*const Waker>,
    /// The waker that the yield was polled with while it waits, if it is not the body's.
    foreign: Cell<Option<Waker>>,
    /// The scope that the body was polled in last, where that was looked at, only to be compared.
    around: Cell<*const Scope>,
    /// Keeps it, so that no other scope can be at this address.
    kept: Cell<Option<ScopeRef>>,
    /// The scope around a context manager's yield, if it has opened one.
    inner: Cell<Option<ScopeRef>>,
    /// The unit that polled a body that waits.
    waits_as: Cell<UnitId>,
    /// The waker it did so with, if that was not the unit's own.
    waits_with: Cell<Option<Waker>>,
}

impl<T, S> Link<T, S> {
    pub(super) fn new(kind: Kind) -> Rc<Self> {
        Rc::new(Link {
            state: State::new(kind),
            out: Cell::new(None),
            sent: Cell::new(None),
            at: Cell::new(None),
            driver: Cell::new(ptr::null()),
            foreign: Cell::new(None),
            around: Cell::new(ptr::null()),
            kept: Cell::new(None),
            inner: Cell::new(None),
            waits_as: Cell::new(UnitId::NONE),
            waits_with: Cell::new(None),
        })
    }

    /// The yield that the body is suspended at, if it is.
    pub(super) fn suspended_at(&self) -> Option<&'static Location<'static>> {
        if self.state.is_at_yield() { self.at.get() } else { None }
    }
}
