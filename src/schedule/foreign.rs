//! Wakers that are kept: those of another library, and any.
//!
//! To clone, to wake and to drop one may be any code: it may panic, call back into this crate, or
//! drop whatever the caller is working on. It is cloned before anything is changed, and from then on
//! counted. So whoever walks through our structures can take it along, and call it when the walk is
//! over.

use std::rc::Rc;
use std::task::Waker;

use crate::error::panic::FirstPanic;
use crate::schedule::ids::UnitId;
use crate::schedule::waker;

/// A foreign waker. Cloning it calls nothing; dropping the last one drops the waker.
#[derive(Clone)]
pub(crate) struct Foreign(Rc<Waker>);

impl Foreign {
    /// Keeps a waker. Foreign code: nothing may be borrowed or half changed.
    pub(crate) fn keep(waker: &Waker) -> Foreign {
        Foreign(Rc::new(waker.clone()))
    }

    /// Whether both wake the same. Compares two pointers, and calls nothing.
    pub(crate) fn will_wake(&self, waker: &Waker) -> bool {
        self.0.will_wake(waker)
    }

    /// Wakes it, or a clone, if it is kept elsewhere as well. Foreign code.
    pub(crate) fn wake(self) {
        Rc::unwrap_or_clone(self.0).wake();
    }
}

/// Wakes them all, also when one of them panics, which is passed on at the end. Foreign code.
pub(crate) fn wake_all(wakers: Vec<Foreign>) {
    if wakers.is_empty() {
        return; // as nearly always
    }
    let mut panic = FirstPanic::new();
    panic.catch_each(&mut wakers.into_iter(), Foreign::wake);
    panic.resume();
}

/// A waker that is kept: where it stands for a unit, as most do, the unit's number, which is woken
/// and dropped without asking what it is.
pub(crate) enum KeptWaker {
    Unit(UnitId),
    Foreign(Foreign),
}

impl KeptWaker {
    /// Foreign code may run.
    #[inline]
    pub(crate) fn wake(self) {
        match self {
            KeptWaker::Unit(unit) => waker::wake_unit(unit),
            KeptWaker::Foreign(waker) => waker.wake(),
        }
    }
}
