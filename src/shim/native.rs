//! The things themselves.

use std::io;
use std::time::Duration;

pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(crate) use mio::Waker as Interrupter;
pub(crate) use parking_lot::{Mutex, MutexGuard};

use crate::time::clock::{Clock, SystemClock};

/// The clock of a run that was given none.
pub(crate) fn default_clock() -> Clock {
    Clock::System(SystemClock::new())
}

pub(crate) struct Condvar(parking_lot::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Condvar(parking_lot::Condvar::new())
    }

    pub(crate) fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(&mut guard);
        guard
    }

    /// True if the time was over.
    pub(crate) fn wait_for<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        time: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        let over = self.0.wait_for(&mut guard, time).timed_out();
        (guard, over)
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }
}

/// Starts a thread that nobody joins.
pub(crate) fn spawn_thread(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.into()).spawn(run).map(drop)
}

/// The stack there is will do.
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
