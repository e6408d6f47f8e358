//! What every operation of this crate does besides its work: look for cancellation, be reachable
//! by one while it waits, and let others run now and then.

use std::rc::Rc;
use std::task::Context;

use crate::Result;
use crate::context::{self, CONTEXT};
use crate::error::{Error, NotRunning};
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

/// Counts an operation that finishes at once. True if the task has had its share and must let
/// others run before it goes on.
#[inline]
pub(crate) fn spend() -> bool {
    CONTEXT.with(|context| {
        let left = context.budget.get().saturating_sub(1);
        context.budget.set(left);
        left == 0
    })
}

/// How a waiting operation is reached by a cancellation.
///
/// If it is polled with its unit's own waker, the scope tree finds the unit, and there is nothing
/// to do. Otherwise something is in between, `FuturesUnordered` for one, that passes on only the
/// wakes of what it made itself, and the waker has to be left with the scope.
pub(crate) struct Watch(Option<(Rc<Scope>, usize)>);

impl Watch {
    pub(crate) const fn new() -> Self {
        Watch(None)
    }

    /// To be called whenever the operation goes on waiting.
    #[inline]
    pub(crate) fn arm(&mut self, cx: &Context<'_>) {
        let unit = CONTEXT.with(|context| context.unit.get());
        if waker::unit_of(cx.waker()) == Some(unit) {
            self.disarm();
        } else {
            self.arm_foreign(cx);
        }
    }

    #[cold]
    fn arm_foreign(&mut self, cx: &Context<'_>) {
        let Some(scope) = context::current_scope() else { return self.disarm() };
        match &self.0 {
            Some((armed, key)) if Rc::ptr_eq(armed, &scope) => scope.update_watch(*key, cx.waker()),
            _ => {
                self.disarm();
                let key = scope.watch(cx.waker());
                self.0 = Some((scope, key));
            }
        }
    }

    #[inline]
    pub(crate) fn disarm(&mut self) {
        if let Some((scope, key)) = self.0.take() {
            scope.unwatch(key);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.disarm();
    }
}
