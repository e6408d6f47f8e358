//! The nursery in which everything runs. Its body is the main future, and its children are the
//! tasks that belong to the run itself.

use std::cell::Cell;
use std::future::Future;
use std::panic::Location;
use std::ptr;
use std::rc::Rc;

use crate::error::Result;
use crate::nursery::core::Core;
use crate::platform::part::part;
use crate::schedule::remote::registry::TENANT;

part! {
    /// The system's nursery of the present run.
    pub(crate) const SYSTEM: System;
}

/// The nursery of a run.
pub(crate) struct System {
    core: Rc<Core>,
    /// Where `run` was called.
    place: &'static Location<'static>,
    is_ending: Cell<bool>,
    is_abandoned: Cell<bool>,
}

impl System {
    pub(crate) fn new(place: &'static Location<'static>) -> System {
        System {
            core: Core::new(place),
            place,
            is_ending: Cell::new(false),
            is_abandoned: Cell::new(false),
        }
    }

    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Whether the main future has ended. If so, no more tasks are taken from other threads.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.get()
    }

    /// To be called when the main future has ended, or the run has failed.
    pub(crate) fn begin_to_end(&self) {
        self.is_ending.set(true);
    }

    /// To be called when everything is about to be dropped as it is, which was reported for all of
    /// it.
    pub(crate) fn abandon(&self) {
        self.begin_to_end();
        self.is_abandoned.set(true);
    }

    /// Whether the nursery still takes tasks. It no longer does when it has closed and the rest of
    /// the run is being dropped.
    pub(crate) fn takes_tasks(&self) -> bool {
        self.core.is_open()
    }

    /// Spawns a task that belongs to the run, which has to be [taking tasks](Self::takes_tasks).
    /// The task must not fail.
    pub(crate) fn spawn(&self, task: impl Future<Output = Result<()>> + 'static) {
        drop(self.core.spawn_static(task, self.place));
    }

    /// Whether none of its tasks is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.core.is_empty()
    }

    /// Waits until none of its tasks is left.
    pub(crate) async fn empty(&self) {
        self.core.empty().await;
    }
}

/// Whether this is the system's nursery of the present run.
pub(crate) fn is_of_run(core: &Core) -> bool {
    SYSTEM.with(|system| system.is_some_and(|system| ptr::eq(&**system.core(), core)))
}

/// Whether the present run is being dropped as it is, so that nothing is reported of its parts.
pub(crate) fn is_abandoned() -> bool {
    SYSTEM.with(|system| system.is_some_and(|system| system.is_abandoned.get()))
}

/// Where `run` was called, if that was in another process, from which this one was forked.
pub(crate) fn forked_from() -> Option<&'static Location<'static>> {
    let is_here = TENANT.with(|tenant| tenant.is_none_or(|tenant| tenant.is_here()));
    if is_here { None } else { SYSTEM.with(|system| system.map(System::place)) }
}
