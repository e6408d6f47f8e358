//! The cores that the process may use.
//!
//! A new thread inherits the affinity of the thread that starts it. If that thread is pinned to a
//! core, as is common in a program with a run for each core, the threads of the crate would be
//! pinned too, although those of the pool later work for other runs, and those that watch a run
//! should not take its time. So they get the affinity that the process began with: that of its main thread when the first `run` began. Whatever was set before
//! that, with `taskset` or by the program, holds for them too.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::sync::OnceLock;

    use crate::platform::get_or_set;
    use rustix::process::getpid;
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    /// `None` if it could not be found out, for instance because the main thread has ended.
    static OF_PROCESS: OnceLock<Option<CpuSet>> = OnceLock::new();

    /// Remembers the process's cores. To be called when a run begins, before the program's code
    /// runs in it.
    pub(crate) fn remember() {
        // The main thread has the same number as the process.
        get_or_set(&OF_PROCESS, || sched_getaffinity(Some(getpid())).ok());
    }

    /// Lets this thread run on all the cores the process began with.
    pub(crate) fn restore() {
        if let Some(Some(own)) = OF_PROCESS.get()
            && sched_getaffinity(None).is_ok_and(|inherited| inherited != *own)
        {
            // If those cores are no longer the process's, the inherited ones will do.
            let _ = sched_setaffinity(None, own);
        }
    }
}

/// Only Linux has this.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    pub(crate) fn remember() {}

    pub(crate) fn restore() {}
}

pub(crate) use system::{remember, restore};
