//! A waker of another library that is kept.
//!
//! Cloning, waking or dropping one may run any code, which may panic, call back into this crate, or
//! drop whatever the caller is working on. So it is cloned before anything is changed, and counted
//! from then on: whoever walks through the crate's structures can take it along, and call it when
//! the walk is over.

use std::rc::Rc;
use std::task::Waker;

use crate::error::panic::FirstPanic;

/// A foreign waker. Cloning it calls nothing; dropping the last one drops the waker.
#[derive(Clone)]
pub(crate) struct Foreign(Rc<Waker>);

impl Foreign {
    /// Keeps a waker. Foreign code: nothing may be borrowed or half changed.
    pub(crate) fn keep(waker: &Waker) -> Foreign {
        Foreign(Rc::new(waker.clone()))
    }

    /// Whether both wake the same task. Compares two pointers, and calls nothing.
    pub(crate) fn will_wake(&self, waker: &Waker) -> bool {
        self.0.will_wake(waker)
    }

    /// Wakes it, or a clone if it is also kept elsewhere. Foreign code.
    pub(crate) fn wake(self) {
        Rc::unwrap_or_clone(self.0).wake();
    }
}

/// Wakes them all, even if one of them panics, which is passed on at the end. Foreign code.
pub(crate) fn wake_all(wakers: Vec<Foreign>) {
    if wakers.is_empty() {
        return; // as nearly always
    }
    let mut panic = FirstPanic::new();
    panic.catch_each(&mut wakers.into_iter(), Foreign::wake);
    panic.resume();
}
