//! Wakers from other libraries that are kept.
//!
//! Cloning, waking or dropping one may run any code, which may panic, call back into this crate, or
//! drop whatever the caller is working on. So a waker is cloned before anything is changed, and
//! reference-counted from then on: code that walks the crate's structures can take it along, and
//! call it when the walk is over.

use std::rc::Rc;
use std::task::Waker;

use crate::error::panic::FirstPanic;

/// A foreign waker. Cloning it runs no foreign code; dropping the last clone drops the waker.
#[derive(Clone)]
pub(crate) struct Foreign(Rc<Waker>);

impl Foreign {
    /// Keeps a waker. This runs foreign code: nothing may be borrowed or half changed.
    pub(crate) fn keep(waker: &Waker) -> Foreign {
        Foreign(Rc::new(waker.clone()))
    }

    /// Whether both wake the same task. Compares two pointers, and runs no foreign code.
    pub(crate) fn will_wake(&self, waker: &Waker) -> bool {
        self.0.will_wake(waker)
    }

    /// Wakes it, or a clone if it is also kept elsewhere. This runs foreign code.
    pub(crate) fn wake(self) {
        Rc::unwrap_or_clone(self.0).wake();
    }
}

/// Wakes all of them, even if one panics; the panic is passed on at the end. This runs foreign
/// code.
pub(crate) fn wake_all(wakers: Vec<Foreign>) {
    if wakers.is_empty() {
        return; // nearly always the case
    }
    let mut panic = FirstPanic::new();
    panic.catch_each(&mut wakers.into_iter(), Foreign::wake);
    panic.resume();
}
