//! What keeps a nursery's children, and what keeps a nursery open.

use std::ptr::{self, NonNull};
use std::rc::Rc;

use crate::Result;
use crate::error::panic::FirstPanic;
use crate::error::{Cancelled, Reason};
use crate::nursery::core::Core;
use crate::schedule::current::CONTEXT;
use crate::schedule::foreign::wake_all;
use crate::schedule::roster::Roster;
use crate::scope::tree::Entered;

/// Keeps a nursery open, as a child does.
pub(crate) struct Hold {
    core: Rc<Core>,
    /// The `run` that counts it.
    run: u32,
}

impl Hold {
    pub(crate) fn new(core: Rc<Core>) -> Hold {
        core.live.set(core.live.get() + 1);
        let run = CONTEXT.with(|context| {
            context.starts.set(context.starts.get() + 1);
            context.run.get()
        });
        Hold { core, run }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Hold { core, run } = self;
        core.live.set(core.live.get() - 1);
        CONTEXT.with(|context| {
            if context.run.get() == *run {
                context.starts.set(context.starts.get().saturating_sub(1));
            }
        });
        wake_all(core.finish_if_empty().into_iter().collect()); // foreign code, in a destructor
    }
}

/// Keeps a nursery's children. When it is dropped, they are.
pub(crate) struct Guard {
    core: Rc<Core>,
    entered: Option<Entered>,
}

impl Guard {
    /// Enters the nursery's scope and makes ready for a body.
    pub(crate) fn new(core: Rc<Core>, has_body: bool) -> Result<Guard> {
        let entered = Entered::new(core.scope.clone(), "a nursery")?;
        core.body_running.set(has_body);
        let roster = Rc::as_ptr(&core).cast();
        // SAFETY: it is the first field of the core, which does not move and which the guard keeps.
        // It is closed when the guard is dropped, and the scope is told.
        unsafe {
            Roster::open(roster);
            core.scope.set_roster(roster);
        }
        Ok(Guard { core, entered: Some(entered) })
    }

    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    pub(crate) fn entered(&self) -> &Entered {
        self.entered.as_ref().expect("a nursery is not left before it has ended")
    }

    /// Leaves the nursery's scope, when all have ended.
    pub(crate) fn leave<T>(mut self, outcome: Result<T>) -> Result<Option<T>> {
        let mut entered = self.entered.take().expect("a nursery is left once");
        entered.leave(outcome)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let core = &self.core;
        core.open.set(false);
        core.roster.detach_body();
        let mut why = None;
        // Subscribers, children, wakers and payloads are foreign code.
        let mut panic = FirstPanic::new();
        if core.live.get() > 0 || core.body_running.get() {
            panic.catch(|| {
                tracing::warn!(
                    nursery = %core.place,
                    children = core.live.get(),
                    "a nursery was dropped before it had ended: what ran in it was dropped without cleaning up"
                );
            });
        }
        if let Some(payload) = core.panic.take() {
            core.discard(payload, core.place); // there is no end at which it could be passed on
        }
        while let Some(unit) = NonNull::new(core.roster.first().cast_mut()) {
            let child = core.release(unit);
            let why = why.get_or_insert_with(|| {
                let reason = Reason::Requested(Some("its nursery was dropped".into()));
                Cancelled::new(core.place, None, reason)
            });
            panic.catch(|| {
                // SAFETY: nobody polls it: its own nursery does not while that is dropped.
                unsafe { child.fail(Some(why.clone())) };
            });
            panic.catch(|| drop(child));
        }
        // SAFETY: nothing is there any more.
        unsafe { core.scope.set_roster(ptr::null()) };
        core.roster.close();
        panic.resume();
    }
}
