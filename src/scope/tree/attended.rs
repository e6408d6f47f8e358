//! Whether what runs in a scope is still polled. An operation that is given something marks its
//! scope, a poll that comes through the scope takes the mark away, and `run::stuck` looks for those
//! that stay.

use super::{Handed, Patience, Scope};
use crate::error::Cancelled;
use crate::schedule::current::THREAD;
use crate::schedule::ids::UnitId;
use crate::schedule::units::table;

impl Scope {
    /// Records that an operation in here has been given something.
    #[inline]
    pub(crate) fn hand(&self) {
        let scope = self.forward().map_or(self, |to| to);
        if scope.handed.get() == Handed::No && scope.is_entered() && scope.roster().is_none() {
            THREAD.with(|thread| {
                // One of another run is not counted here, so it would not be looked for there.
                if thread.run.get().may_have(scope.host.get()) {
                    scope.handed.set(Handed::Yes);
                    scope.mark();
                    thread.counts.handed.set(thread.counts.handed.get() + 1);
                }
            });
        }
    }

    /// Records that the scope is being polled, and its operations can take what they were given.
    #[inline]
    pub(crate) fn polled(&self) {
        if self.is_handed() {
            self.taken();
        }
    }

    #[cold]
    fn taken(&self) {
        self.handed.set(Handed::No);
        THREAD
            .with(|thread| thread.counts.handed.set(thread.counts.handed.get().saturating_sub(1)));
    }

    pub(crate) fn is_handed(&self) -> bool {
        self.handed.get() != Handed::No
    }

    /// Records that `run::stuck` has seen that an operation in here was given something. True if
    /// that had been recorded before.
    pub(crate) fn notice_handed(&self) -> bool {
        self.handed.replace(Handed::Noticed) == Handed::Noticed
    }

    /// Records that `run::stuck` has seen that the scope is open though cancelled. True if that had
    /// been recorded before.
    pub(crate) fn notice_open(&self) -> bool {
        self.noticed.replace(true)
    }

    /// Why the scope around this one is cancelled, if a shield keeps the cancellation out.
    pub(crate) fn cancelled_around(&self) -> Option<Cancelled> {
        if !self.shield() || self.is_cancelled() {
            return None;
        }
        self.parent().filter(|parent| parent.is_cancelled())?.cause()
    }

    /// The scope that this one is in, or null.
    pub(crate) fn around(&self) -> *const Scope {
        self.parent.get()
    }

    /// Why this scope itself was cancelled, if that can be looked at.
    pub(crate) fn why_to_show(&self) -> Option<Cancelled> {
        self.rare.get()?.why.try_borrow().ok()?.clone()
    }

    pub(crate) fn patience(&self) -> Patience {
        self.patience.get()
    }

    /// Counts an operation that ignores a cancellation.
    pub(in crate::scope) fn add_uncancellable(&self) {
        self.uncancellable.set(self.uncancellable.get() + 1);
    }

    pub(in crate::scope) fn remove_uncancellable(&self) {
        self.uncancellable.set(self.uncancellable.get() - 1);
    }

    pub(crate) fn has_uncancellable(&self) -> bool {
        self.uncancellable.get() != 0
    }

    /// The unit whose poll last came through this scope.
    pub(crate) fn host(&self) -> UnitId {
        self.host.get()
    }

    /// Whether the unit that polls this scope is ready and has not run yet.
    pub(crate) fn host_is_queued(&self) -> bool {
        table::is_queued(self.host.get())
    }
}
