//! Whether what is in a scope is attended to: what `run::stuck` asks.

use super::{Handed, Scope};
use crate::error::Cancelled;
use crate::schedule::current::CONTEXT;
use crate::schedule::memory::table::{self, UnitId};

impl Scope {
    /// An operation in here has been handed something.
    #[inline]
    pub(crate) fn hand(&self) {
        let scope = self.forward().map_or(self, |to| to);
        if scope.handed.get() == Handed::No && scope.is_entered() && scope.roster().is_none() {
            scope.handed.set(Handed::Yes);
            scope.mark();
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

    /// Why the scope around it is cancelled, if a shield keeps that from this one.
    pub(crate) fn cancelled_around(&self) -> Option<Cancelled> {
        if !self.shield() || self.is_cancelled() {
            return None;
        }
        self.parent().filter(|parent| parent.is_cancelled())?.cause()
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
    #[inline]
    pub(crate) fn is_innermost(&self) -> bool {
        self.first_child.get().is_null()
    }

    /// The unit whose poll last came through it.
    pub(crate) fn host(&self) -> UnitId {
        self.host.get()
    }

    /// Whether the unit that polls it is still to run.
    pub(crate) fn host_is_queued(&self) -> bool {
        // SAFETY: what the table knows is alive (invariant 1 of `wake::unit`).
        table::lookup(self.host.get()).is_some_and(|host| unsafe { &*host }.is_queued())
    }
}
