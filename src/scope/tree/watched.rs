//! The foreign wakers left with a scope: those of operations that are polled with a waker other
//! than their unit's. Something between the unit and the operation passes a poll on only if a waker
//! of its own was woken, so waking the unit would not reach the operation.

use std::mem;
use std::task::Waker;

use super::Scope;
use crate::schedule::foreign::{Foreign, wake_all};

impl Scope {
    /// Leaves a waker here, to be woken when a cancellation comes. Returns its key.
    pub(crate) fn watch(&self, waker: Foreign) -> u32 {
        let key = self.rare().foreign.borrow_mut().insert(waker);
        u32::try_from(key).expect("fewer than 4 billion wakers")
    }

    /// Whether the waker that was left here wakes the same task as this one.
    pub(crate) fn watches(&self, key: u32, waker: &Waker) -> bool {
        self.rare().foreign.borrow()[key as usize].will_wake(waker)
    }

    /// Replaces a waker that was left here. Returns the former one; dropping it runs foreign code.
    #[must_use]
    pub(crate) fn update_watch(&self, key: u32, waker: Foreign) -> Foreign {
        mem::replace(&mut self.rare().foreign.borrow_mut()[key as usize], waker)
    }

    /// Takes a waker back. Dropping it runs foreign code.
    #[must_use]
    pub(crate) fn unwatch(&self, key: u32) -> Foreign {
        self.rare().foreign.borrow_mut().remove(key as usize)
    }

    /// The wakers that were left here.
    #[must_use]
    pub(crate) fn foreign(&self) -> Vec<Foreign> {
        self.rare.get().map_or_else(Vec::new, |rare| {
            rare.foreign.borrow().iter().map(|(_, waker)| waker.clone()).collect()
        })
    }

    /// Wakes the operations that left a waker here, so that they find out which scope they are in
    /// now.
    pub(crate) fn wake_foreign(&self) {
        wake_all(self.foreign());
    }
}
