//! The real thing.

use std::io;
use std::time::Duration;

use std::sync::PoisonError;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
pub(crate) use std::sync::{Arc, MutexGuard};

pub(crate) use crossbeam_queue::SegQueue;
pub(crate) use mio::Waker as Interrupter;

use super::Wait;
pub(crate) use super::of_process::{OfProcess, get_or_set};

/// A lock of the standard library, because it has to work in a forked process too. The locks of
/// `parking_lot` wait in a table of the process, which a child inherits in whatever state other
/// threads had it in. Nothing guarded by a lock is half changed when something panics, so there is
/// no poison.
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Mutex(std::sync::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Condvar(std::sync::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Condvar(std::sync::Condvar::new())
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until notified, or until the time is over.
    pub(crate) fn wait_for<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        time: Duration,
    ) -> (MutexGuard<'a, T>, Wait) {
        let (guard, outcome) =
            self.0.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner);
        (guard, if outcome.timed_out() { Wait::TimedOut } else { Wait::Notified })
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }
}

/// The number of this process.
pub(crate) fn process() -> u32 {
    std::process::id()
}

/// Starts a thread that nobody joins.
pub(crate) fn spawn_thread(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.into()).spawn(run).map(drop)
}

/// Runs `f` on the present stack, which is large enough.
pub(crate) fn on_large_stack<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// A static that threads share.
macro_rules! shared_static {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $value:expr;) => {
        $(#[$meta])*
        static $name: $type = $value;
    };
}
pub(crate) use shared_static;

/// A thread-local.
pub(crate) use std::thread::LocalKey as ThreadStatic;

/// A value for each thread, made by a constant expression.
macro_rules! thread_static {
    ($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $value:expr;) => {
        std::thread_local! {
            $(#[$meta])*
            $vis static $name: $type = const { $value };
        }
    };
}
pub(crate) use thread_static;
