//! What a run's code is surrounded by, on every thread that it runs on: the context of another
//! runtime, for example.
//!
//! It is entered by whoever makes a thread run that code: by the run itself, and by a thread of the
//! pool for each of its jobs.

use crate::error::panic::quietly;
use crate::platform::Arc;
use crate::threads::job::Work;

/// Something that surrounds a run's code.
pub(crate) trait Surroundings: Send + Sync {
    /// Enters it on this thread, until the returned value is dropped. Those that are entered on one
    /// thread have to be left in reverse order, so this is not to be held while the thread is left
    /// to others, as between two polls.
    fn enter(&self) -> Box<dyn Entered + '_>;
}

/// As long as this lives, something surrounds the code that runs on this thread.
pub(crate) trait Entered {}

impl<T> Entered for T {}

/// The work of a job, in surroundings.
pub(super) fn surrounded(surroundings: Arc<dyn Surroundings>, work: Work) -> Work {
    Box::new(move |key| {
        let entered = surroundings.enter();
        let call = work(key);
        // If the function has left them in disorder, its outcome still has to arrive.
        quietly(|| drop(entered));
        call
    })
}
