//! The same things for a model, made of types that loom can see.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::ops::{Deref, DerefMut};
use std::panic::catch_unwind;
use std::sync::PoisonError;
use std::thread::panicking;
use std::time::Duration;

use super::Wait;
pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
// Loom's cannot be dropped when a model has failed; `std`'s can, and its counts need no checking.
pub(crate) use std::sync::Arc;

/// Whether the model has failed and this thread is unwinding because of it. Loom cannot be used
/// then, but destructors must still finish: a panic in one would abort the process, and with it the
/// other tests and the message.
pub(crate) fn has_failed() -> bool {
    std::thread_local! { static FAILED: Cell<bool> = const { Cell::new(false) }; }
    // A thread also unwinds for panics that do not concern the model.
    if panicking() && !FAILED.get() {
        FAILED.set(catch_unwind(loom::thread::current).is_err());
    } else if !panicking() {
        FAILED.set(false); // that was an earlier model
    }
    FAILED.get()
}

/// Works like `std`'s.
pub(crate) struct AtomicUsize {
    value: loom::sync::atomic::AtomicUsize,
    /// Used instead when the model has failed.
    last: std::sync::atomic::AtomicUsize,
}

impl AtomicUsize {
    pub(crate) fn new(value: usize) -> Self {
        AtomicUsize {
            value: loom::sync::atomic::AtomicUsize::new(value),
            last: std::sync::atomic::AtomicUsize::new(value),
        }
    }

    pub(crate) fn load(&self, order: Ordering) -> usize {
        if has_failed() { self.last.load(order) } else { self.value.load(order) }
    }

    pub(crate) fn swap(&self, value: usize, order: Ordering) -> usize {
        if has_failed() { self.last.swap(value, order) } else { self.value.swap(value, order) }
    }

    pub(crate) fn fetch_add(&self, value: usize, order: Ordering) -> usize {
        if has_failed() {
            self.last.fetch_add(value, order)
        } else {
            self.value.fetch_add(value, order)
        }
    }

    pub(crate) fn fetch_or(&self, bits: usize, order: Ordering) -> usize {
        if has_failed() {
            self.last.fetch_or(bits, order)
        } else {
            self.value.fetch_or(bits, order)
        }
    }

    pub(crate) fn fetch_and(&self, bits: usize, order: Ordering) -> usize {
        if has_failed() {
            self.last.fetch_and(bits, order)
        } else {
            self.value.fetch_and(bits, order)
        }
    }

    pub(crate) fn compare_exchange(
        &self,
        current: usize,
        new: usize,
        success: Ordering,
        failure: Ordering,
    ) -> Result<usize, usize> {
        if has_failed() {
            self.last.compare_exchange(current, new, success, failure)
        } else {
            self.value.compare_exchange(current, new, success, failure)
        }
    }
}

/// Works like the native one.
#[derive(Default)]
pub(crate) struct Mutex<T> {
    order: loom::sync::Mutex<()>,
    data: std::sync::Mutex<T>,
}

pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    // Dropped in this order.
    data: std::sync::MutexGuard<'a, T>,
    order: Option<loom::sync::MutexGuard<'a, ()>>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Mutex { order: loom::sync::Mutex::new(()), data: std::sync::Mutex::new(value) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let order = (!has_failed()).then(|| self.order.lock().expect("never poisoned"));
        self.locked(order)
    }

    fn locked<'a>(&'a self, order: Option<loom::sync::MutexGuard<'a, ()>>) -> MutexGuard<'a, T> {
        MutexGuard { mutex: self, data: unpoisoned(&self.data), order }
    }
}

/// All threads of a model run on one of the system's, so this never blocks.
fn unpoisoned<T>(data: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    data.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.data
    }
}

#[derive(Default)]
pub(crate) struct Condvar(loom::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Condvar::default()
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let MutexGuard { mutex, data, order } = guard;
        drop(data);
        mutex.locked(order.map(|order| self.0.wait(order).expect("never poisoned")))
    }

    /// Loom's own wait has no limit. Here the time is over as soon as the lock is free again, with
    /// or without others in between, which gives every order of a timeout and what it races with.
    pub(crate) fn wait_for<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        _time: Duration,
    ) -> (MutexGuard<'a, T>, Wait) {
        let mutex = guard.mutex;
        drop(guard);
        (mutex.lock(), Wait::TimedOut)
    }

    pub(crate) fn notify_one(&self) {
        if !has_failed() {
            self.0.notify_one();
        }
    }
}

/// Keeps the promises of crossbeam's and no more. Items come out in the order in which they were
/// pushed, and a `pop` finds an item whose push happened before it.
pub(crate) struct SegQueue<T> {
    /// How many items were ever pushed. It stands for the queue where loom can see it.
    pushed: AtomicUsize,
    items: std::sync::Mutex<VecDeque<T>>,
}

impl<T> SegQueue<T> {
    pub(crate) fn new() -> Self {
        SegQueue { pushed: AtomicUsize::new(0), items: std::sync::Mutex::default() }
    }

    pub(crate) fn push(&self, item: T) {
        self.pushed.fetch_add(1, Ordering::Release);
        // Loom changes threads only before what it sees, so nobody comes in between.
        unpoisoned(&self.items).push_back(item);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.pushed.fetch_add(0, Ordering::Acquire);
        unpoisoned(&self.items).pop_front()
    }
}

/// The number of this process.
pub(crate) fn process() -> u32 {
    1
}

/// The only value, since a model does not fork.
pub(crate) struct OfProcess<T>(T);

impl<T> OfProcess<T> {
    pub(crate) fn new(make: fn() -> T) -> Self {
        OfProcess(make())
    }

    pub(crate) fn get(&self) -> &T {
        &self.0
    }
}

/// Starts a thread that nobody joins.
pub(crate) fn spawn_thread(_name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    drop(loom::thread::spawn(run));
    Ok(())
}

/// Interrupts the reactor's sleep.
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

/// All that is left of the reactor without a network: its sleep. An interruption ends this sleep or
/// the next one, as with `mio`.
pub(crate) mod reactor {
    use std::io;
    use std::time::Duration;

    use super::{Arc, Condvar, Interrupter, Mutex, Sleep};
    use crate::platform::part::part;

    pub(crate) struct Reactor(Arc<Sleep>);

    part! {
        /// The reactor of the present run.
        pub(crate) const REACTOR: Reactor;
    }

    impl Reactor {
        pub(crate) fn new() -> io::Result<Reactor> {
            let sleep = Sleep { interrupted: Mutex::new(false), changed: Condvar::new() };
            Ok(Reactor(Arc::new(sleep)))
        }

        pub(crate) fn interrupter(&self) -> io::Result<Interrupter> {
            Ok(Interrupter(self.0.clone()))
        }

        /// Sleeps until interrupted. There is no timeout, because a virtual clock never sleeps for
        /// one.
        pub(crate) fn poll(&self, timeout: Option<Duration>) -> io::Result<()> {
            assert_eq!(timeout, None, "a model runs on a virtual clock");
            let mut interrupted = self.0.interrupted.lock();
            while !*interrupted {
                interrupted = self.0.changed.wait(interrupted);
            }
            *interrupted = false;
            Ok(())
        }

        pub(crate) fn poll_all(&self) -> io::Result<()> {
            unreachable!("a model has no guests")
        }

        pub(crate) fn may_have_more(&self) -> bool {
            false
        }

        pub(crate) fn has_sources(&self) -> bool {
            false
        }

        pub(crate) fn awaits_news(&self) -> bool {
            false
        }

        pub(crate) fn sources(&self) -> usize {
            0
        }
    }
}

/// Runs `f` on a stack that is large enough: a thread of loom has only 32 KiB.
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

/// A thread-local of loom's, and another that is used instead when the model has failed.
pub(crate) struct ThreadStatic<T: 'static> {
    pub(crate) key: &'static loom::thread::LocalKey<T>,
    pub(crate) last: &'static std::thread::LocalKey<T>,
}

impl<T> ThreadStatic<T> {
    pub(crate) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        if has_failed() { self.last.with(f) } else { self.key.with(f) }
    }

    pub(crate) fn try_with<R>(&self, f: impl FnOnce(&T) -> R) -> Result<R, ()> {
        match has_failed() {
            true => self.last.try_with(f).map_err(drop),
            false => self.key.try_with(f).map_err(drop),
        }
    }
}

/// A value for each thread, made by a constant expression.
macro_rules! thread_static {
    ($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $value:expr;) => {
        $(#[$meta])*
        $vis static $name: crate::platform::ThreadStatic<$type> = {
            loom::thread_local! { static KEY: $type = $value; }
            std::thread_local! { static LAST: $type = const { $value }; }
            crate::platform::ThreadStatic { key: &KEY, last: &LAST }
        };
    };
}
pub(crate) use thread_static;
