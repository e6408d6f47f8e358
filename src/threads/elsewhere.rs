//! Work that goes on elsewhere for a run: on the threads of another runtime, for a future that the
//! run awaits.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use crate::error::{NotRunning, Result};
use crate::threads::job::JOBS;

/// How many such futures a run awaits.
#[derive(Default)]
pub(crate) struct Elsewhere {
    /// Made for the first.
    awaited: OnceCell<Rc<Cell<usize>>>,
}

impl Elsewhere {
    /// Whether the run awaits anything that goes on elsewhere.
    pub(crate) fn is_any_awaited(&self) -> bool {
        self.awaited.get().is_some_and(|awaited| awaited.get() > 0)
    }
}

/// As long as this lives, something goes on elsewhere for the run that it was made in.
pub(crate) struct AtWork(Rc<Cell<usize>>);

impl AtWork {
    /// # Errors
    ///
    /// [`NotRunning`].
    pub(crate) fn begin() -> Result<AtWork> {
        JOBS.with(|jobs| {
            let awaited = jobs.ok_or(NotRunning)?.elsewhere.awaited.get_or_init(Rc::default);
            awaited.set(awaited.get() + 1);
            Ok(AtWork(awaited.clone()))
        })
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
