//! What loom can see through.

use std::io;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

pub(crate) use loom::sync::Arc;
pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};

pub(crate) use crate::time::clock::VirtualClock as DefaultClock;

/// As `parking_lot`'s.
#[derive(Default)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

pub(crate) struct MutexGuard<'a, T>(&'a Mutex<T>, loom::sync::MutexGuard<'a, T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Mutex(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(self, self.0.lock().expect("loom's locks are not poisoned"))
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.1
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.1
    }
}

#[derive(Default)]
pub(crate) struct Condvar(loom::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Condvar::default()
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let MutexGuard(mutex, guard) = guard;
        MutexGuard(mutex, self.0.wait(guard).expect("loom's locks are not poisoned"))
    }

    /// Loom's own waits without end. Here the time is over as soon as the lock can be had again,
    /// with or without others in between: every order of a time-out and what it races with.
    pub(crate) fn wait_for<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        _time: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        let mutex = guard.0;
        drop(guard);
        (mutex.lock(), true)
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }
}

/// Starts a thread that nobody joins.
pub(crate) fn spawn_thread(_name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    drop(loom::thread::spawn(run));
    Ok(())
}

/// What interrupts the reactor's sleep.
#[derive(Clone)]
pub(crate) struct Interrupter(Arc<Sleep>);

impl Interrupter {
    pub(crate) fn wake(&self) -> io::Result<()> {
        *self.0.interrupted.lock() = true;
        self.0.changed.notify_one();
        Ok(())
    }
}

struct Sleep {
    interrupted: Mutex<bool>,
    changed: Condvar,
}

/// What is left of the reactor without a network: its sleep. An interruption ends it, or the next
/// one, as with `mio`.
pub(crate) mod reactor {
    use std::io;
    use std::time::Duration;

    use super::{Arc, Condvar, Interrupter, Mutex, Sleep};

    pub(crate) struct Reactor(Arc<Sleep>);

    impl Reactor {
        pub(crate) fn new() -> io::Result<(Reactor, Interrupter)> {
            let sleep = Sleep { interrupted: Mutex::new(false), changed: Condvar::new() };
            let sleep = Arc::new(sleep);
            Ok((Reactor(sleep.clone()), Interrupter(sleep)))
        }

        /// No time-out, as the clock is a virtual one, which never sleeps for a time.
        pub(crate) fn poll(&self, timeout: Option<Duration>) -> io::Result<()> {
            assert_eq!(timeout, None, "a model runs on a virtual clock");
            let mut interrupted = self.0.interrupted.lock();
            while !*interrupted {
                interrupted = self.0.changed.wait(interrupted);
            }
            *interrupted = false;
            Ok(())
        }

        pub(crate) fn has_sources(&self) -> bool {
            false
        }

        pub(crate) fn sources(&self) -> usize {
            0
        }
    }
}

/// Runs `f` on a stack that is large enough: that of a thread of loom is 32 KiB.
pub(crate) fn on_large_stack<R>(f: impl FnOnce() -> R) -> R {
    stacker::grow(1 << 20, f)
}

/// A static that threads share.
macro_rules! shared_static {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $value:expr;) => {
        loom::lazy_static! {
            $(#[$meta])*
            static ref $name: $type = $value;
        }
    };
}
pub(crate) use shared_static;

/// A value for each thread, made by a constant expression.
macro_rules! thread_static {
    ($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $value:expr;) => {
        loom::thread_local! {
            $(#[$meta])*
            $vis static $name: $type = $value;
        }
    };
}
pub(crate) use thread_static;
