//! The owner of a nursery's children, and what else keeps a nursery open.

use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::panic::FirstPanic;
use crate::error::{Cancelled, Reason, Result, Spawned};
use crate::nursery::core::{Body, Core};
use crate::nursery::system;
use crate::schedule::current::THREAD;
use crate::schedule::foreign::wake_all;
use crate::schedule::ids::RunId;
use crate::schedule::remote::away;
use crate::schedule::rounds::{Scheduler, Visit};
use crate::schedule::seen::onlookers;
use crate::schedule::units::roster::Roster;
use crate::scope::tree::Entered;

/// Keeps a nursery open, as a child does, on behalf of a `start` that has not returned.
pub(crate) struct KeepOpen {
    core: Rc<Core>,
    /// The run that counts the `start`.
    run: RunId,
}

impl KeepOpen {
    pub(crate) fn new(core: Rc<Core>) -> KeepOpen {
        core.live.set(core.live.get() + 1);
        let run = THREAD.with(|thread| {
            thread.counts.starts.set(thread.counts.starts.get() + 1);
            thread.run.get()
        });
        KeepOpen { core, run }
    }
}

impl Drop for KeepOpen {
    fn drop(&mut self) {
        let KeepOpen { core, run } = self;
        away::in_run(*run, || {
            core.live.set(core.live.get() - 1);
            THREAD.with(|thread| {
                if thread.run.get() == *run {
                    thread.counts.starts.set(thread.counts.starts.get().saturating_sub(1));
                }
            });
            wake_all(core.finish_if_empty().into_iter().collect()); // foreign code, in a destructor
        });
    }
}

/// Owns a nursery's children: dropping it drops them.
pub(crate) struct Guard {
    core: Rc<Core>,
    entered: Option<Entered>,
}

/// Whether a nursery has a body when it is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    /// A body.
    Body,
    /// Nothing except the children spawned into it.
    OnlyChildren,
}

impl Guard {
    /// Enters the nursery's scope and opens its roster.
    pub(crate) fn new(core: Rc<Core>, runs: Runs) -> Result<Guard> {
        let entered = Entered::new(core.scope.clone(), "a nursery")?;
        core.body_running.set(runs == Runs::Body);
        let roster = Rc::as_ptr(&core).cast();
        // SAFETY: the roster is the first field of the core, which does not move and which the
        // guard keeps alive. When the guard is dropped, the roster is closed, and the scope is
        // told.
        unsafe {
            Roster::open(roster);
            core.scope.set_roster(roster);
        }
        Ok(Guard { core, entered: Some(entered) })
    }

    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    fn entered(&self) -> &Entered {
        self.entered.as_ref().expect("a nursery is not left before it has ended")
    }

    /// Polls the body and the children that are ready. `Ready` when all have ended. Only the
    /// nursery's own future calls this: it owns the guard, and lends it to nothing else.
    pub(crate) fn drive(
        &self,
        scheduler: &Scheduler,
        cx: &mut Context<'_>,
        visit: Visit,
        body: &mut Body<'_>,
    ) -> Poll<()> {
        // SAFETY: the nursery's own future, which owns the guard, is being polled.
        unsafe { self.core.drive(self.entered(), scheduler, cx, visit, body) }
    }

    /// Tells that the body of this nursery, which is the run's, is about to be polled for the first
    /// time.
    pub(crate) fn tell_begun(&self) {
        // SAFETY: the guard keeps it alive.
        if let Some(body) = unsafe { self.core.roster.body().as_ref() } {
            onlookers::begun(body);
        }
    }

    /// Tells that the body of this nursery, which is the run's, has ended, when the returned value
    /// is dropped.
    pub(crate) fn tell_when_ended(&self) -> impl Drop {
        struct Tell<'a>(&'a Guard);
        impl Drop for Tell<'_> {
            fn drop(&mut self) {
                // SAFETY: the guard keeps it alive.
                if let Some(body) = unsafe { self.0.core.roster.body().as_ref() } {
                    onlookers::ended(body);
                }
            }
        }
        Tell(self)
    }

    /// Leaves the nursery's scope. To be called when everything in it has ended.
    pub(crate) fn leave<T>(mut self, outcome: Result<T>) -> Result<Option<T>> {
        let mut entered = self.entered.take().expect("a nursery is left once");
        entered.leave(outcome)
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        // A model has no guests, and when it has failed, its threads have nothing to look at.
        if cfg!(loom) || THREAD.with(|thread| thread.run.get() == self.core.roster.run()) {
            drop_children(&self.core);
        } else {
            drop_elsewhere(&self.core);
        }
    }
}

/// Drops what is left in a nursery of a run that is not the present one.
#[cold]
fn drop_elsewhere(core: &Rc<Core>) {
    core.in_its_run(|| drop_children(core));
}

/// Drops what is left in a nursery.
#[inline]
fn drop_children(core: &Rc<Core>) {
    core.open.set(false);
    core.roster.detach_body();
    core.count_services();
    let mut why = None;
    // Subscribers, children, wakers and payloads are foreign code.
    let mut panic = FirstPanic::new();
    if core.live.get() > 0 || core.body_running.get() {
        panic.catch(|| {
            if system::is_abandoned() {
                return;
            }
            tracing::warn!(
                nursery = %core.place,
                children = core.live.get(),
                "a nursery was dropped before it had ended: what ran in it was dropped without cleaning up"
            );
        });
    }
    if let Some(payload) = core.panic.take() {
        core.discard(payload, &Spawned::At(core.place)); // a dropped nursery cannot pass it on
    }
    while let Some(unit) = NonNull::new(core.roster.first().cast_mut()) {
        // SAFETY: it is attached.
        onlookers::ended(unsafe { unit.as_ref() });
        let child = core.release(unit);
        let why = why.get_or_insert_with(|| {
            let reason = Reason::Requested(Some("its nursery was dropped".into()));
            Cancelled::new(core.place, None, reason)
        });
        panic.catch(|| child.fail(Some(why.clone())));
        panic.catch(|| drop(child));
    }
    // SAFETY: nothing is attached any more.
    unsafe { core.scope.set_roster(ptr::null()) };
    core.roster.close();
    panic.resume();
}
