//! The scope and the frame that are being polled on this thread.
//!
//! They are kept with the unit that is being polled, in [`schedule::current`], so that an operation
//! has one thread-local to look at. There they are untyped pointers; this module is the only one
//! that sets and reads them.
//!
//! [`schedule::current`]: crate::schedule::current
//!
//! # Invariants
//!
//! 1. `scope` is null or points into a [`ScopeRef`] that whoever set it keeps until the former
//!    value has been restored. Likewise `frame` is null or points to a frame that whoever set it
//!    borrows until then.

use std::ptr;

use crate::schedule::current::{THREAD, Thread};
use crate::scope::frame::Frame;
use crate::scope::tree::Scope;
use crate::scope::tree::pool::ScopeRef;

/// The scope that is being polled, as stored in the thread.
#[inline(always)]
fn scope(thread: &Thread) -> *const Scope {
    thread.scope.get().cast()
}

/// The frame that is being polled, as stored in the thread.
#[inline(always)]
fn frame(thread: &Thread) -> *const Frame {
    thread.frame.get().cast()
}

/// The scope that is being polled.
#[inline]
pub(crate) fn scope_in(thread: &Thread) -> Option<&Scope> {
    // SAFETY: invariant 1: whoever made it current is further up the stack.
    unsafe { scope(thread).as_ref() }
}

/// Calls `f` with the scope that is being polled.
#[inline]
pub(crate) fn with_scope<R>(f: impl FnOnce(Option<&Scope>) -> R) -> R {
    THREAD.with(|thread| f(scope_in(thread)))
}

/// A reference of its own to the scope that is being polled.
#[inline]
pub(crate) fn current_scope() -> Option<ScopeRef> {
    let scope = THREAD.with(scope);
    // SAFETY: invariant 1.
    (!scope.is_null()).then(|| unsafe { ScopeRef::keep(scope) })
}

#[inline]
pub(crate) fn is_current_scope(this: &ScopeRef) -> bool {
    THREAD.with(|thread| ptr::eq(scope(thread), this.as_ptr()))
}

/// Runs `f` with `scope` as the current one.
#[inline(always)]
pub(crate) fn in_scope<R>(scope: &ScopeRef, f: impl FnOnce() -> R) -> R {
    struct Restore<'a>(&'a Thread, *const Scope);
    impl Drop for Restore<'_> {
        #[inline]
        fn drop(&mut self) {
            let Restore(thread, former) = *self;
            // SAFETY: invariant 1: whoever made it current is still further up the stack.
            let forward = unsafe { former.as_ref() }.and_then(Scope::forward);
            // The pointer itself, not one made from a `&Scope`, which would not cover the reference
            // count.
            thread.scope.set(forward.map_or(former, ScopeRef::as_ptr).cast());
        }
    }
    THREAD.with(|thread| {
        // `scope` stays borrowed, and so alive, until `f` has returned: invariant 1.
        let _restore = Restore(thread, thread.scope.replace(scope.as_ptr().cast()).cast());
        f()
    })
}

/// From now on, `new` is the current scope wherever `old` is, or would be again.
///
/// `old` keeps `new`, so whoever has made `old` current keeps `new` too (invariant 1).
pub(crate) fn forward_scope(old: &ScopeRef, new: &ScopeRef) {
    old.set_forward(new.clone());
    THREAD.with(|thread| {
        if ptr::eq(scope(thread), old.as_ptr()) {
            thread.scope.set(new.as_ptr().cast());
        }
    });
}

/// Calls `f` with the frame that is being polled, if there is one.
#[inline]
pub(crate) fn with_frame(f: impl FnOnce(&Frame)) {
    // SAFETY: invariant 1.
    if let Some(frame) = unsafe { THREAD.with(frame).as_ref() } {
        f(frame);
    }
}

#[inline(always)]
pub(crate) fn is_current_frame(this: *const Frame) -> bool {
    THREAD.with(|thread| ptr::eq(frame(thread), this))
}

/// Runs `f` with `frame` as the current one.
#[inline(always)]
pub(crate) fn in_frame<R>(frame: &Frame, f: impl FnOnce() -> R) -> R {
    struct Restore(*const ());
    impl Drop for Restore {
        #[inline(always)]
        fn drop(&mut self) {
            THREAD.with(|thread| thread.frame.set(self.0));
        }
    }
    // `frame` stays borrowed, and so alive, until `f` has returned: invariant 1.
    let frame = ptr::from_ref(frame);
    let _restore = THREAD.with(|thread| Restore(thread.frame.replace(frame.cast())));
    f()
}
