//! The cores that the process may use.
//!
//! A thread begins with the affinity of whoever starts it. One that is pinned to a core, as the
//! threads of a program with a run for each core often are, would hand that on to threads of the
//! pool, which work for other runs afterwards. So these are given back what the process began
//! with: the affinity of its main thread when its first `run` began. What was set before that,
//! with `taskset` or by the program, holds for them as well.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::sync::OnceLock;

    use crate::platform::get_or_set;
    use rustix::process::getpid;
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    /// `None` if it could not be found out: the main thread may have ended.
    static OF_PROCESS: OnceLock<Option<CpuSet>> = OnceLock::new();

    /// To be called when a run begins, before anything of the program's runs in it.
    pub(crate) fn remember() {
        // The main thread's number is the process's.
        get_or_set(&OF_PROCESS, || sched_getaffinity(Some(getpid())).ok());
    }

    /// Makes this thread run where the process may.
    pub(crate) fn restore() {
        if let Some(Some(own)) = OF_PROCESS.get()
            && sched_getaffinity(None).is_ok_and(|inherited| inherited != *own)
        {
            // If the cores are not the process's any more, the inherited ones have to do.
            let _ = sched_setaffinity(None, own);
        }
    }
}

/// Only Linux binds threads to cores.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    pub(crate) fn remember() {}

    pub(crate) fn restore() {}
}

pub(crate) use system::{remember, restore};
