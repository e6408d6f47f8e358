//! Entering a scope, polling in it, and leaving it.

use std::ptr;
use std::task::{Context, Poll};

use super::{Level, Stage};
use crate::error::{Absorbed, NotRunning, ScopeReused};
use crate::schedule::current::{self, THREAD};
use crate::schedule::foreign::wake_all;
use crate::schedule::ids::RunId;
use crate::schedule::remote::away;
use crate::schedule::seen::onlookers::{self, Happening};
use crate::scope::aside::Aside;
use crate::scope::cancel_handle;
use crate::scope::frame::hold_in_current;
use crate::scope::tree::pool::ScopeRef;

/// A scope that is in the tree, or is about to be. Dropping this takes the scope out.
pub(crate) struct Entered {
    /// The run that the scope was entered in, which has its timer and its units. [`RunId::NONE`]
    /// while the scope is outside.
    run: RunId,
    /// Lets others run before the scope is entered, if the budget is spent.
    aside: Aside,
    scope: ScopeRef,
}

impl Entered {
    /// A scope that has not been entered yet.
    #[inline]
    pub(in crate::scope) fn outside(scope: ScopeRef) -> Entered {
        Entered { run: RunId::NONE, aside: Aside::new(), scope }
    }

    /// Called before the scope is entered, if its body may end at once. See [`Aside::begin`];
    /// leaving the scope is what is counted.
    ///
    /// # Errors
    ///
    /// The same as for [`Aside::begin`].
    #[inline(always)]
    pub(in crate::scope) fn begin(&self, cx: &Context<'_>) -> Poll<crate::error::Result<()>> {
        self.aside.begin(cx)
    }

    /// Enters a scope. Its deadline begins to run.
    ///
    /// # Errors
    ///
    /// If no run is going on, or if the scope was entered before.
    pub(crate) fn new(scope: ScopeRef, what: &'static str) -> crate::error::Result<Entered> {
        let mut entered = Entered::outside(scope);
        entered.enter(what)?;
        entered.scope.arm_deadline();
        Ok(entered)
    }

    /// # Errors
    ///
    /// The same as for [`new`](Self::new). In that case the scope is still outside.
    #[inline(always)]
    pub(in crate::scope) fn enter(&mut self, what: &'static str) -> crate::error::Result<()> {
        let scope = &*self.scope;
        let (run, in_frame) = THREAD.with(|thread| {
            let run = thread.run.get();
            if !run.is_none() && scope.stage.get() == Stage::New {
                scope.stage.set(Stage::Entered);
                scope.link(scope.set_host(thread));
                thread.counts.scopes.set(thread.counts.scopes.get() + 1);
                self.run = run;
            }
            (run, thread.is_in_frame())
        });
        // These are tail calls, so that no registers have to be saved on the common path.
        if !self.is_inside() {
            return self.refuse(run);
        }
        if in_frame || scope.marked.get() || scope.is_cancelled_above() {
            return self.enter_marked(what);
        }
        if scope.has_deadline() {
            self.scope.begin_deadline();
        }
        Ok(())
    }

    /// Enters a scope when something else has to be told, or asked.
    #[inline(never)]
    fn enter_marked(&mut self, what: &'static str) -> crate::error::Result<()> {
        let scope = &*self.scope;
        scope.mark();
        scope.hold.set(hold_in_current(|| what.into(), scope.place.get()));
        if scope.own.get() != Level::None {
            THREAD.with(|thread| thread.counts.cancelled.set(thread.counts.cancelled.get() + 1));
        }
        scope.look_up(); // foreign code may run from here on
        if let Some(shared) = scope.remote() {
            cancel_handle::enter(shared, &self.scope);
        }
        if scope.has_deadline() {
            self.scope.begin_deadline();
        }
        Ok(())
    }

    #[cold]
    fn refuse(&self, run: RunId) -> crate::error::Result<()> {
        Err(match run {
            RunId::NONE => NotRunning.into(),
            _ => ScopeReused::new(self.scope.place.get()).into(),
        })
    }

    pub(crate) fn scope(&self) -> &ScopeRef {
        &self.scope
    }

    #[inline]
    pub(in crate::scope) fn is_inside(&self) -> bool {
        !self.run.is_none()
    }

    /// Called before each poll. Moves the scope under the one that is being polled now, and gives
    /// it to the unit that polls it.
    ///
    /// # Panics
    ///
    /// If the scope was entered in another run, because whatever it waits for would never come.
    #[inline]
    pub(crate) fn touch(&self) {
        let scope = &*self.scope;
        assert!(
            current::current_run() == self.run,
            "the scope opened at {} was entered in another `seedbed::run` and cannot go on here",
            scope.place.get(),
        );
        scope.polled();
        let parent = THREAD.with(|thread| scope.set_host(thread));
        if scope.parent.get() != parent {
            scope.move_to(parent);
        }
    }

    /// Leaves the scope with the outcome of its body, as Trio's scopes do: a cancellation is
    /// absorbed if this scope was cancelled and no cancellation from outside gets through its
    /// shield. `Ok(None)` means that there were only cancellations.
    #[inline]
    pub(crate) fn leave<T>(
        &mut self,
        outcome: crate::error::Result<T>,
    ) -> crate::error::Result<Option<T>> {
        let left = match outcome {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.absorb(error).map(|()| None),
        };
        self.close();
        left
    }

    #[cold]
    fn absorb(&self, error: crate::error::Error) -> crate::error::Result<()> {
        let scope = &*self.scope;
        if !scope.cancel_called() || scope.level_above() >= Level::Graceful {
            return Err(error);
        }
        let rest = match error.absorb_cancelled() {
            Absorbed::Nothing(error) => return Err(error),
            Absorbed::Part(rest) => Err(rest),
            Absorbed::Everything => Ok(()),
        };
        scope.caught.set(true);
        rest
    }

    /// Called when the scope is being left, and something else has to be told.
    #[cold]
    fn leave_marked(&self) {
        if let Some(shared) = self.scope.remote() {
            cancel_handle::leave(shared);
        }
        if current::current_run() != self.run {
            return; // it is not counted in this run
        }
        self.scope.polled();
        if self.scope.own.get() != Level::None {
            THREAD.with(|thread| {
                thread.counts.cancelled.set(thread.counts.cancelled.get().saturating_sub(1))
            });
            onlookers::happened(Happening::Left { scope: ptr::from_ref(&*self.scope).cast() });
        }
    }

    /// Takes the scope out of the tree.
    #[inline(never)]
    fn close(&mut self) {
        let scope = &*self.scope;
        if scope.marked.get() || !scope.is_innermost() || !scope.forget_deadline() {
            return self.close_marked();
        }
        scope.stage.set(Stage::Left);
        scope.unlink();
        self.closed();
    }

    /// Takes the scope out of the tree when something else may have to be told or put away.
    #[inline(never)]
    fn close_marked(&mut self) {
        let scope = &*self.scope;
        scope.end_deadline();
        scope.stage.set(Stage::Left);
        if scope.rare.get().is_some() || scope.is_handed() {
            self.leave_marked();
        }
        scope.unlink();
        let foreign = scope.move_children(ptr::null());
        let hold = scope.hold.take();
        self.closed();
        drop(hold);
        wake_all(foreign); // foreign code, run when the scope has been left
    }

    #[inline(never)]
    fn close_in_its_run(&mut self) {
        away::in_run(self.run, || self.close());
    }

    #[inline]
    fn closed(&mut self) {
        let scope = &*self.scope;
        scope.effective.set(scope.own.get());
        THREAD.with(|thread| {
            if thread.run.get() == self.run {
                thread.counts.scopes.set(thread.counts.scopes.get() - 1);
            }
        });
        self.run = RunId::NONE;
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        if self.is_inside() {
            self.close_in_its_run();
        }
    }
}
