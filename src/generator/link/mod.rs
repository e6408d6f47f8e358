//! What the two ends of a body that yields share: its state, a slot for the value that comes out,
//! and one for whatever goes in.
//!
//! | file | concept |
//! |---|---|
//! | `driver` | the driver's end, which polls, resumes and closes the body |
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
    /// The value of the waiting yield, until the poll of the body is over.
    out: Cell<Option<T>>,
    /// What the waiting yield, or the next one, returns. The state says whether there is something,
    /// and of which kind; a plain next needs nothing here.
    sent: Cell<Option<Result<S>>>,
    /// The place of the waiting yield, or of the last one that waited.
    at: Cell<Option<&'static Location<'static>>>,
    /// The waker that the body is being polled with, only for comparison; null while it is not
    /// being polled.
    driver: Cell<*const Waker>,
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
