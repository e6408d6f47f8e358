//! How a waiting operation learns that it was cancelled.

use std::mem;
use std::task::{Context, Waker};

use crate::error::Result;
use crate::schedule::foreign::Foreign;
use crate::schedule::waker;
use crate::scope::current::{current_scope, is_current_scope};
use crate::scope::tree::pool::ScopeRef;

/// How a waiting operation learns that it was cancelled.
///
/// What counts is whether a cancellation came while it waited, not whether its scope is cancelled
/// when it is finally polled: a shield may have been raised in between, or what it waited for may
/// have come a moment later.
///
/// If the operation is polled with its unit's own waker, the scope tree finds the unit, and there
/// is nothing more to do. Otherwise there is something in between, such as a `FuturesUnordered`,
/// that reacts only to the wakers that it made itself. In that case the waker has to be left with
/// the scope.
pub(crate) struct Watch(Option<Armed>);

struct Armed {
    scope: ScopeRef,
    /// The scope's count of cancellations when the wait began.
    since: u32,
    /// The waker left with the scope, or `NOT_LEFT`.
    foreign: u32,
}

const NOT_LEFT: u32 = u32::MAX;

/// Things that a watch which goes on no longer needs. Dropping this runs foreign code.
pub(crate) struct Stale {
    _scope: Option<Armed>,
    _waker: Option<Foreign>,
}

impl Watch {
    pub(crate) const fn new() -> Self {
        Watch(None)
    }

    /// A watch over a wait that begins now, in the unit that is being polled.
    #[inline(always)]
    pub(crate) fn of_unit() -> Self {
        Watch(Armed::in_current_scope())
    }

    /// A watch over a wait that begins now. Foreign code may run before and after it begins.
    #[inline]
    pub(crate) fn armed(cx: &Context<'_>) -> Self {
        // As long as nothing points to the value, it stays in registers until it is in its final
        // place.
        if waker::is_of_current_unit(cx.waker()) {
            Watch::of_unit()
        } else {
            Watch::armed_foreign(cx)
        }
    }

    #[cold]
    fn armed_foreign(cx: &Context<'_>) -> Self {
        let watch = Watch::armed_with(Foreign::keep(cx.waker()));
        // While the waker was being cloned, a cancellation may have come, which has not woken it.
        if watch.0.as_ref().is_some_and(|armed| armed.scope.is_cancelled()) {
            cx.waker().wake_by_ref();
        }
        watch
    }

    /// The same with a foreign waker that has already been kept.
    pub(crate) fn armed_with(foreign: Foreign) -> Self {
        let mut armed = Armed::in_current_scope();
        if let Some(armed) = &mut armed {
            armed.foreign = armed.scope.watch(foreign);
        }
        Watch(armed)
    }

    /// To be called whenever the operation goes on waiting. Foreign code may run before anything
    /// is changed, and afterwards.
    #[inline]
    pub(crate) fn arm(&mut self, cx: &Context<'_>) {
        if waker::is_of_current_unit(cx.waker()) {
            drop(self.arm_in_scope());
        } else {
            self.arm_foreign(cx);
        }
    }

    #[cold]
    fn arm_foreign(&mut self, cx: &Context<'_>) {
        let foreign = (!self.is_left(cx.waker())).then(|| Foreign::keep(cx.waker()));
        drop(self.arm_with(foreign));
    }

    /// Whether there is a wait to watch over.
    #[inline]
    pub(crate) fn is_armed(&self) -> bool {
        self.0.is_some()
    }

    /// Whether this foreign waker is left with the present scope.
    pub(crate) fn is_left(&self, waker: &Waker) -> bool {
        self.0.as_ref().is_some_and(|armed| {
            is_current_scope(&armed.scope)
                && armed.foreign != NOT_LEFT
                && armed.scope.watches(armed.foreign, waker)
        })
    }

    /// Watches the present scope. Returns the former scope's part of the watch, if that was another
    /// scope.
    #[inline]
    fn arm_in_scope(&mut self) -> Option<Armed> {
        match &self.0 {
            Some(armed) if is_current_scope(&armed.scope) => None,
            _ => mem::replace(&mut self.0, Armed::in_current_scope()),
        }
    }

    /// Watches the present scope, and leaves a foreign waker there, if there is one. Dropping the
    /// returned value runs foreign code.
    #[must_use]
    pub(crate) fn arm_with(&mut self, foreign: Option<Foreign>) -> Stale {
        let elsewhere = self.arm_in_scope();
        let former = match (&mut self.0, foreign) {
            (Some(armed), Some(foreign)) if armed.foreign == NOT_LEFT => {
                armed.foreign = armed.scope.watch(foreign);
                None
            }
            (Some(armed), Some(foreign)) => Some(armed.scope.update_watch(armed.foreign, foreign)),
            (_, foreign) => foreign,
        };
        Stale { _scope: elsewhere, _waker: former }
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

    /// Records that what the operation waited for has come.
    #[inline]
    pub(crate) fn handed(&self) {
        if let Some(armed) = &self.0 {
            armed.scope.hand();
        }
    }

    #[inline]
    pub(crate) fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Armed {
    #[inline]
    fn in_current_scope() -> Option<Armed> {
        current_scope().map(|scope| {
            // An operation that was moved into a cancelled scope fails too.
            let late = u32::from(scope.is_cancelled());
            let since = scope.cancellations().wrapping_sub(late);
            Armed { scope, since, foreign: NOT_LEFT }
        })
    }

    #[cold]
    fn take_back(&self) {
        drop(self.scope.unwatch(self.foreign)); // foreign code
    }

    #[cold]
    fn fail(&mut self) -> Result<()> {
        match self.scope.cause() {
            Some(why) => Err(why.into()),
            None => {
                // The scope was moved out of the cancelled one, and the cancellation no longer
                // applies.
                self.since = self.scope.cancellations();
                Ok(())
            }
        }
    }
}

impl Drop for Armed {
    #[inline]
    fn drop(&mut self) {
        if self.foreign != NOT_LEFT {
            self.take_back();
        }
    }
}
