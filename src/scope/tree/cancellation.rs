//! How a cancellation travels: down from the scope that is cancelled, to everything below that is
//! not shielded from it. [`Scope::cancel`] leads to [`Scope::cancel_because`], and that to
//! [`Scope::refresh`]. `Scope::walk` and `Scope::make_ready` are in `mod`.

use std::panic::Location;
use std::ptr;

use super::{Scope, Stage};
use crate::error::{Cancelled, Reason};
use crate::schedule::current::THREAD;
use crate::schedule::foreign::{Foreign, wake_all};
use crate::schedule::seen::onlookers::{self, Ends, Happening};

/// How far a cancellation goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    /// Not cancelled.
    None,
    /// Cancelled gracefully from above, in a section that finishes its work. The section is spared:
    /// only code in it that is [idle](crate::idle) is cancelled.
    Spared,
    /// Everything is cancelled except sections that finish their work.
    Graceful,
    /// Everything is cancelled.
    Full,
}

/// What a scope makes of a graceful cancellation from above.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Patience {
    /// It is cancelled.
    None,
    /// It finishes its work, and is spared.
    Finishes,
    /// It serves others that are being cancelled, and hears nothing of it yet.
    Serves,
}

impl Scope {
    // The cancellation of this scope itself.

    pub(crate) fn cancel_called(&self) -> bool {
        self.own.get() != Level::None
    }

    pub(crate) fn is_fully_cancelled(&self) -> bool {
        self.own.get() == Level::Full
    }

    /// Why this scope itself was cancelled.
    pub(crate) fn why(&self) -> Option<Cancelled> {
        self.rare.get()?.why.borrow().clone()
    }

    /// Cancels the scope. The first reason stays, unless a later cancellation goes further. A scope
    /// that has been left stays as it is.
    pub(crate) fn cancel(
        &self,
        level: Level,
        reason: Reason,
        by: Option<&'static Location<'static>>,
    ) {
        self.cancel_because(level, || Cancelled::new(self.place.get(), by, reason));
    }

    /// Cancels the scope. The reason is made only if it is needed.
    pub(crate) fn cancel_because(&self, level: Level, why: impl FnOnce() -> Cancelled) {
        if self.own.get() >= level || self.stage.get() == Stage::Left {
            return;
        }
        let why = why(); // may be foreign code, so nothing may be borrowed or half done
        if self.own.get() >= level || self.stage.get() == Stage::Left {
            return;
        }
        if self.own.replace(level) == Level::None && self.is_entered() {
            THREAD.with(|thread| thread.counts.cancelled.set(thread.counts.cancelled.get() + 1));
        }
        if onlookers::is_looked_on() {
            self.tell_of_cancellation(level, &why);
        }
        drop(self.rare().why.replace(Some(why)));
        self.refresh();
    }

    #[cold]
    fn tell_of_cancellation(&self, level: Level, why: &Cancelled) {
        let gracefully = level == Level::Graceful && self.is_entered();
        onlookers::happened(Happening::Cancelled {
            scope: ptr::from_ref(self).cast(),
            why: why.reason(),
            ends: if gracefully { Ends::Gracefully } else { Ends::AtOnce },
        });
    }

    /// Works out the effective level of this scope and of those below that depend on it, and makes
    /// everything ready that has been cancelled. Foreign code runs at the end.
    fn refresh(&self) {
        let mut foreign = Vec::new();
        self.refresh_into(&mut foreign);
        onlookers::after_wake();
        wake_all(foreign);
    }

    /// Like `refresh`, but adds the foreign wakers to `foreign`. The caller has to wake them.
    pub(super) fn refresh_into(&self, foreign: &mut Vec<Foreign>) {
        self.walk(|scope| {
            let before = scope.effective.get();
            let after = scope.own.get().max(scope.level_above());
            scope.effective.set(after);
            if after > before {
                if after >= Level::Graceful {
                    scope.cancellations.set(scope.cancellations.get().wrapping_add(1));
                }
                scope.make_ready(foreign);
            }
            after != before
        });
    }

    pub(crate) fn shield(&self) -> bool {
        self.shield.get()
    }

    pub(crate) fn set_shield(&self, up: bool) {
        self.shield.set(up);
        self.refresh();
    }

    /// Says what the scope makes of a graceful cancellation from above.
    pub(crate) fn set_patience(&self, patience: Patience) {
        self.patience.set(patience);
        if self.is_entered() {
            self.refresh();
        } // else there is nothing above yet
    }

    // The effective cancellation in this scope.

    pub(crate) fn effective(&self) -> Level {
        self.effective.get()
    }

    /// Whether a checkpoint in this scope fails.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.effective.get() >= Level::Graceful
    }

    /// Whether the scope is cancelled, or would be if it were not finishing its work.
    pub(crate) fn is_ending(&self) -> bool {
        self.effective.get() != Level::None
    }

    /// How often a cancellation has reached this scope.
    pub(crate) fn cancellations(&self) -> u32 {
        self.cancellations.get()
    }

    /// Why an operation in this scope fails, if it does: the nearest reason for a cancellation that
    /// goes as far as the one that has reached this scope.
    pub(crate) fn cause(&self) -> Option<Cancelled> {
        let mut scope = self;
        loop {
            if scope.own.get() >= self.effective.get().max(Level::Graceful) {
                return scope.why();
            }
            scope = scope.parent()?;
        }
    }

    /// The cancellation that reaches this scope from above.
    pub(super) fn level_above(&self) -> Level {
        if self.shield.get() {
            return Level::None;
        }
        let Some(parent) = self.parent() else { return Level::None };
        match (parent.effective.get(), self.patience.get()) {
            (Level::Graceful, Patience::Finishes) => Level::Spared,
            (Level::Spared | Level::Graceful, Patience::Serves) => Level::None,
            (level, _) => level,
        }
    }

    /// Whether something above is cancelled.
    #[inline]
    pub(super) fn is_cancelled_above(&self) -> bool {
        self.parent().is_some_and(|parent| parent.effective.get() != Level::None)
    }

    /// To be called when the scopes above this one have changed. Nearly always nothing there is
    /// cancelled, and nothing changes here.
    #[inline]
    pub(super) fn look_up(&self) {
        if self.own.get().max(self.level_above()) != self.effective.get() {
            self.refresh();
        }
    }
}
