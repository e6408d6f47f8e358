//! Entering a scope, polling in it, and leaving it.

use std::ptr;

use super::{Level, Stage};
use crate::context::{self, CONTEXT};
use crate::error::{NotRunning, ScopeReused};
use crate::frame::Hold;
use crate::remote::cancel_handle;
use crate::scope::pool::ScopeRef;

/// A scope that is to be in the tree, or is. Dropping it takes the scope out.
pub(crate) struct Entered {
    /// Counts it in the frame that entered it.
    hold: Option<Hold>,
    /// The `run` it was entered in, where its timer and its units are. 0 while it is outside.
    run: u32,
    scope: ScopeRef,
}

impl Entered {
    /// A scope that is still to be entered.
    #[inline]
    pub(in crate::scope) fn outside(scope: ScopeRef) -> Entered {
        Entered { hold: None, run: 0, scope }
    }

    /// Enters a scope, whose deadline begins to run.
    ///
    /// # Errors
    ///
    /// If no runtime is running, or if the scope was entered before.
    pub(crate) fn new(scope: ScopeRef, what: &'static str) -> crate::Result<Entered> {
        let mut entered = Entered::outside(scope);
        entered.enter(what)?;
        entered.scope.arm_deadline();
        Ok(entered)
    }

    /// # Errors
    ///
    /// As [`new`](Self::new). It is outside then.
    #[inline]
    pub(in crate::scope) fn enter(&mut self, what: &'static str) -> crate::Result<()> {
        let run = context::current_run();
        let scope = &*self.scope;
        if run == 0 || scope.stage.get() != Stage::New {
            return Err(self.refuse(run));
        }
        scope.stage.set(Stage::Entered);
        self.run = run;
        scope.link(scope.note_host());
        CONTEXT.with(|context| context.scopes.set(context.scopes.get() + 1));
        let mut in_frame = false;
        context::with_frame(|_| in_frame = true);
        if in_frame || scope.is_anything_cancelled() || scope.rare.get().is_some() {
            self.enter_noted(what);
        }
        if self.scope.has_deadline() {
            self.scope.begin_deadline();
        }
        Ok(())
    }

    /// There is somebody who has to know, or to be heard.
    #[inline(never)]
    fn enter_noted(&mut self, what: &'static str) {
        let scope = &*self.scope;
        self.hold =
            context::current_frame().map(|frame| frame.hold(what.into(), scope.place.get()));
        scope.look_up();
        if scope.own.get() != Level::None {
            CONTEXT.with(|context| context.cancelled.set(context.cancelled.get() + 1));
        }
        if let Some(shared) = scope.remote() {
            cancel_handle::enter(shared, &self.scope);
        }
    }

    #[cold]
    fn refuse(&self, run: u32) -> crate::Error {
        match run {
            0 => NotRunning.into(),
            _ => ScopeReused::new(self.scope.place.get()).into(),
        }
    }

    pub(crate) fn scope(&self) -> &ScopeRef {
        &self.scope
    }

    #[inline]
    pub(in crate::scope) fn is_inside(&self) -> bool {
        self.run != 0
    }

    /// To be called before each poll: the scope belongs under the one that is being polled now,
    /// and to the unit that polls it.
    ///
    /// # Panics
    ///
    /// If it was entered in another `run`: what it waits for would never come.
    #[inline]
    pub(crate) fn touch(&self) {
        let scope = &*self.scope;
        assert!(
            context::current_run() == self.run,
            "the scope opened at {} was entered in another `seedbed::run` and cannot go on here",
            scope.place.get(),
        );
        scope.polled();
        let parent = scope.note_host();
        if scope.parent.get() != parent {
            scope.move_to(parent);
        }
    }

    /// Leaves the scope with the outcome of what ran in it, as Trio's scopes do: a cancellation
    /// is absorbed if this scope was cancelled and nothing from outside is visible through its
    /// shield. `Ok(None)`: there was nothing but cancellations.
    #[inline]
    pub(crate) fn leave<T>(&mut self, outcome: crate::Result<T>) -> crate::Result<Option<T>> {
        let left = match outcome {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.absorb(error).map(|()| None),
        };
        self.close();
        left
    }

    #[cold]
    fn absorb(&self, error: crate::Error) -> crate::Result<()> {
        let scope = &*self.scope;
        if !scope.cancel_called() || scope.level_above() >= Level::Graceful {
            return Err(error);
        }
        let (absorbed, rest) = error.absorb_cancelled();
        if absorbed {
            scope.caught.set(true);
        }
        rest.map_or(Ok(()), Err)
    }

    /// Somebody has to know.
    #[cold]
    fn leave_noted(&self) {
        if let Some(shared) = self.scope.remote() {
            cancel_handle::leave(shared);
        }
        if context::current_run() != self.run {
            return; // it is not counted in this one
        }
        self.scope.polled();
        if self.scope.own.get() != Level::None {
            CONTEXT
                .with(|context| context.cancelled.set(context.cancelled.get().saturating_sub(1)));
        }
    }

    #[inline(never)]
    fn let_go(&mut self) {
        self.hold = None;
    }

    /// Takes the scope out of the tree.
    #[inline]
    fn close(&mut self) {
        let scope = &*self.scope;
        if scope.has_deadline() {
            scope.end_deadline();
        }
        scope.stage.set(Stage::Left);
        if scope.rare.get().is_some() || scope.is_handed() {
            self.leave_noted();
        }
        scope.unlink();
        if !scope.first_child.get().is_null() {
            scope.move_children(ptr::null());
        }
        scope.effective.set(scope.own.get());
        CONTEXT.with(|context| {
            if context.run.get() == self.run {
                context.scopes.set(context.scopes.get() - 1);
            }
        });
        self.run = 0;
        if self.hold.is_some() {
            self.let_go();
        }
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        if self.is_inside() {
            self.close();
        }
    }
}
