//! A timer of the running runtime.

use std::task::Waker;

use crate::context;
use crate::run::Runtime;
use crate::scope::pool::ScopeRef;
use crate::time::clock::Nanos;
use crate::time::wheel::TimerKey;

/// What a timer does when it fires.
pub(crate) enum Target {
    Wake(Waker),
    Expire(ScopeRef),
}

/// A timer that was set, and the `run` whose it is: the key alone could name another timer in a
/// later one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timer {
    key: TimerKey,
    run: u32,
}

impl Timer {
    pub(crate) const NONE: Timer = Timer { key: TimerKey::NONE, run: 0 };

    pub(crate) fn set(runtime: &Runtime, deadline: Nanos, target: Target) -> Timer {
        let key = runtime.timers.borrow_mut().insert(deadline, target);
        Timer { key, run: context::current_run() }
    }

    /// Clears the timer, if it has not fired and its runtime is the present one.
    pub(crate) fn clear(self) {
        if self == Timer::NONE || self.run != context::current_run() {
            return;
        }
        context::with_runtime(|runtime| {
            let target = runtime.and_then(|runtime| runtime.timers.borrow_mut().remove(self.key));
            drop(target); // foreign code, run when the wheel is not borrowed any more
        });
    }

    /// Whether it is a timer of the present `run`.
    pub(crate) fn is_current(self) -> bool {
        self != Timer::NONE && self.run == context::current_run()
    }

    /// Makes the timer wake this waker instead, if it is another one.
    pub(crate) fn update(self, runtime: &Runtime, waker: &Waker) {
        let new = {
            let mut timers = runtime.timers.borrow_mut();
            match timers.get_mut(self.key) {
                Some(Target::Wake(old)) if !old.will_wake(waker) => waker.clone(),
                _ => return,
            }
        };
        let old = match runtime.timers.borrow_mut().get_mut(self.key) {
            Some(target) => std::mem::replace(target, Target::Wake(new)),
            None => return,
        };
        drop(old);
    }
}
