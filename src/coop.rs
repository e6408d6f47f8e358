//! What every operation of this crate does besides its work: look for cancellation, be reachable
//! by one while it waits, and let others run now and then.

use std::task::Context;

use crate::Result;
use crate::context::{self, CONTEXT};
use crate::error::{Error, NotRunning};
use crate::run::order::Order;
use crate::scope::pool::ScopeRef;
use crate::scope::tree::Scope;
use crate::wake::waker;

/// Looks for cancellation.
#[inline]
pub(crate) fn check() -> Result<()> {
    context::with_scope(|scope| match scope {
        Some(scope) if !scope.is_cancelled() => Ok(()),
        scope => Err(failure(scope)),
    })
}

#[cold]
fn failure(scope: Option<&Scope>) -> Error {
    match scope.and_then(Scope::cause) {
        Some(why) => why.into(),
        None => NotRunning.into(),
    }
}

/// Counts an operation that finishes at once and looks for cancellation, where neither has a
/// consequence. Otherwise it does nothing, and is false.
#[inline(always)]
pub(crate) fn pass() -> bool {
    CONTEXT.with(|context| {
        let left = context.budget.get().saturating_sub(1);
        let passes =
            left > context.asks.get() && context.scope().is_some_and(|scope| !scope.is_cancelled());
        if passes {
            context.budget.set(left);
        }
        passes
    })
}

/// Counts an operation that finishes at once. True if the task has had its share and must let
/// others run before it goes on.
#[inline]
pub(crate) fn spend() -> bool {
    CONTEXT.with(|context| {
        let left = context.budget.get().saturating_sub(1);
        context.budget.set(left);
        left <= context.asks.get() && lets_others_run(left)
    })
}

/// Whether a task that may finish this many more operations at once lets others run now.
#[cold]
fn lets_others_run(left: u32) -> bool {
    left == 0
        || context::with_runtime(|runtime| {
            runtime.is_some_and(|runtime| runtime.order.interrupts())
        })
}

/// Sets what a run begins with.
pub(crate) fn begin(budget: u32, order: &Order) {
    let asks = if order.decided().is_some() { u32::MAX } else { 0 };
    CONTEXT.with(|context| context.asks.set(asks));
    set_budget(budget);
}

/// How many operations the present unit may still finish at once.
pub(crate) fn budget() -> u32 {
    CONTEXT.with(|context| context.budget.get())
}

pub(crate) fn set_budget(budget: u32) {
    CONTEXT.with(|context| context.budget.set(budget));
}

/// How a waiting operation learns that it was cancelled.
///
/// What counts is whether a cancellation came while it waited, not whether its scope is cancelled
/// when it is polled at last: a shield may have been raised in between, or what it waited for may
/// have come a moment later.
///
/// If the operation is polled with its unit's own waker, the scope tree finds the unit, and there
/// is nothing more to do. Otherwise something is in between, `FuturesUnordered` for one, that
/// passes on only the wakes of what it made itself, and the waker has to be left with the scope.
pub(crate) struct Watch(Option<Armed>);

struct Armed {
    scope: ScopeRef,
    /// The scope's count of cancellations when the wait began.
    since: u32,
    /// The waker left with the scope.
    foreign: Option<usize>,
}

impl Watch {
    pub(crate) const fn new() -> Self {
        Watch(None)
    }

    /// A watch over a wait that begins now.
    pub(crate) fn armed(cx: &Context<'_>) -> Self {
        let mut watch = Watch::new();
        watch.arm(cx);
        watch
    }

    /// To be called whenever the operation goes on waiting.
    #[inline]
    pub(crate) fn arm(&mut self, cx: &Context<'_>) {
        match &self.0 {
            Some(armed) if context::is_current_scope(&armed.scope) => {}
            _ => {
                self.disarm();
                self.0 = context::current_scope().map(|scope| {
                    // An operation that was moved into a cancelled scope fails as well.
                    let late = u32::from(scope.is_cancelled());
                    Armed { since: scope.cancellations().wrapping_sub(late), scope, foreign: None }
                });
            }
        }
        if !waker::is_of_current_unit(cx.waker()) {
            self.arm_foreign(cx);
        }
    }

    #[cold]
    fn arm_foreign(&mut self, cx: &Context<'_>) {
        let Some(armed) = &mut self.0 else { return };
        match armed.foreign {
            Some(key) => armed.scope.update_watch(key, cx.waker()),
            None => armed.foreign = Some(armed.scope.watch(cx.waker())),
        }
    }

    /// Whether a cancellation has come since the wait began, and still has a cause.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.as_ref().is_some_and(|armed| {
            armed.scope.cancellations() != armed.since && armed.scope.cause().is_some()
        })
    }

    /// Fails if a cancellation has come since the wait began.
    #[inline]
    pub(crate) fn check(&mut self) -> Result<()> {
        match &mut self.0 {
            Some(armed) if armed.scope.cancellations() != armed.since => armed.fail(),
            _ => Ok(()),
        }
    }

    /// Says that what the operation waited for has come.
    #[inline]
    pub(crate) fn handed(&self) {
        if let Some(armed) = &self.0 {
            armed.scope.hand();
        }
    }

    #[inline]
    pub(crate) fn disarm(&mut self) {
        if let Some(Armed { scope, foreign: Some(key), .. }) = self.0.take() {
            scope.unwatch(key);
        }
    }
}

impl Armed {
    #[cold]
    fn fail(&mut self) -> Result<()> {
        match self.scope.cause() {
            Some(why) => Err(why.into()),
            None => {
                // The scope was moved out of the one that was cancelled, which has gone.
                self.since = self.scope.cancellations();
                Ok(())
            }
        }
    }
}

impl Drop for Watch {
    #[inline]
    fn drop(&mut self) {
        self.disarm();
    }
}
