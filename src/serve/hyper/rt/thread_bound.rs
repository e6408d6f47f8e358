//! Something that stays on its thread, inside a type that others require to be `Send`.
//!
//! # Invariant
//!
//! The value is accessed only on the thread on which it was put in: every access first checks which
//! thread this is. If it is dropped elsewhere, it is leaked.

use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, Ordering};

/// A value that can be carried to another thread, where it is of no use.
///
/// hyper puts the stream of a connection that may be upgraded into a box that is `Send`. No stream
/// of this crate is `Send`. The same goes for what the handlers of an axum router await.
///
/// A value that is pinned must not disappear without its destructor, so it has to be in a box, which
/// is leaked with it.
pub(crate) struct ThreadBound<T> {
    value: ManuallyDrop<T>,
    thread: u64,
}

// SAFETY: the module's invariant.
unsafe impl<T> Send for ThreadBound<T> {}
// SAFETY: the module's invariant. A shared reference leads nowhere either.
unsafe impl<T> Sync for ThreadBound<T> {}

/// A number that no other thread has, or ever will have.
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    thread_local!(static THIS: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
    THIS.with(|this| *this)
}

impl<T> ThreadBound<T> {
    pub(crate) fn new(value: T) -> ThreadBound<T> {
        ThreadBound { value: ManuallyDrop::new(value), thread: this_thread() }
    }

    pub(crate) fn is_here(&self) -> bool {
        self.thread == this_thread()
    }

    /// # Panics
    ///
    /// On another thread.
    #[track_caller]
    fn check(&self) {
        assert!(
            self.is_here(),
            "a stream for hyper, or what was given to `hyper::local`, was used on a thread other \
             than its own"
        );
    }

    #[track_caller]
    pub(crate) fn get(&self) -> &T {
        self.check();
        &self.value
    }

    #[track_caller]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.check();
        &mut self.value
    }

    #[track_caller]
    pub(crate) fn into_inner(self) -> T {
        self.check();
        let mut this = ManuallyDrop::new(self);
        // SAFETY: the value is not used again, and not dropped with `this`.
        unsafe { ManuallyDrop::take(&mut this.value) }
    }
}

impl<T> Drop for ThreadBound<T> {
    fn drop(&mut self) {
        if self.is_here() {
            // SAFETY: the value is not used again.
            unsafe { ManuallyDrop::drop(&mut self.value) }
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for ThreadBound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_here() {
            true => self.value.fmt(f),
            false => f.write_str("(on another thread)"),
        }
    }
}
