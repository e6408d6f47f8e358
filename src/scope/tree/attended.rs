//! Whether what is in a scope is attended to: what `run::stuck` asks.

use std::ptr;

use super::{Handed, Scope};
use crate::context::CONTEXT;
use crate::wake::table;

impl Scope {
    /// An operation in here has been handed something.
    #[inline]
    pub(crate) fn hand(&self) {
        let scope = self.forward().map_or(self, |to| to);
        if scope.handed.get() == Handed::No && scope.is_entered() && scope.members.first().is_null()
        {
            scope.handed.set(Handed::Yes);
            CONTEXT.with(|context| context.handed.set(context.handed.get() + 1));
        }
    }

    /// The scope is polled, and with it what it was handed.
    #[inline]
    pub(crate) fn polled(&self) {
        if self.is_handed() {
            self.taken();
        }
    }

    #[cold]
    fn taken(&self) {
        self.handed.set(Handed::No);
        CONTEXT.with(|context| context.handed.set(context.handed.get().saturating_sub(1)));
    }

    pub(crate) fn is_handed(&self) -> bool {
        self.handed.get() != Handed::No
    }

    /// Notices that it was handed something. True if that was noticed before.
    pub(crate) fn notice_handed(&self) -> bool {
        self.handed.replace(Handed::Noticed) == Handed::Noticed
    }

    /// Notices that it is open though cancelled. True if that was noticed before.
    pub(crate) fn notice_open(&self) -> bool {
        self.noticed.replace(true)
    }

    /// Counts an operation that does not heed a cancellation.
    pub(in crate::scope) fn add_unheeding(&self) {
        self.unheeding.set(self.unheeding.get() + 1);
    }

    pub(in crate::scope) fn remove_unheeding(&self) {
        self.unheeding.set(self.unheeding.get() - 1);
    }

    pub(crate) fn is_unheeding(&self) -> bool {
        self.unheeding.get() != 0
    }

    /// Whether no scope is in it.
    pub(crate) fn is_innermost(&self) -> bool {
        self.first_child.get().is_null()
    }

    /// Whether the unit that polls it is still to run.
    pub(crate) fn host_is_queued(&self) -> bool {
        // SAFETY: what the table knows is alive (invariant 1 of `wake::unit`).
        table::lookup(self.host.get()).is_some_and(|host| unsafe { &*host }.is_queued())
    }

    /// Calls `look` with this scope and all below, which it must leave as they are.
    pub(crate) fn for_each(&self, mut look: impl FnMut(&Scope)) {
        let mut scope = self;
        loop {
            look(scope);
            // SAFETY (all): invariant 1 of `tree`: nothing is linked or unlinked meanwhile.
            if let Some(child) = unsafe { scope.first_child.get().as_ref() } {
                scope = child;
                continue;
            }
            loop {
                if ptr::eq(scope, self) {
                    return;
                }
                if let Some(next) = unsafe { scope.next.get().as_ref() } {
                    scope = next;
                    break;
                }
                match unsafe { scope.parent.get().as_ref() } {
                    Some(parent) => scope = parent,
                    None => return,
                }
            }
        }
    }
}
