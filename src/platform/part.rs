//! The parts of a run, such as its clock, its timers and its reactor. Each is found through a
//! thread-local of its own, so no part knows the run that it belongs to, and code that needs one
//! part depends on nothing else.
//!
//! # Invariants
//!
//! 1. A part's pointer is null, or points to what the [`Lent`] that set it borrows. A `Lent` is
//!    dropped before that borrow ends, in the stack frame that made it: `Run::within` holds on to
//!    each `Lent` and never leaks one.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;

use crate::platform::ThreadStatic;

/// Where the thread finds one part of the present run. Parts are constants, so that the compiler
/// sees which thread-local is meant.
pub(crate) struct Part<T: 'static>(&'static ThreadStatic<Pointer<T>>);

/// Null while no run is running.
pub(crate) struct Pointer<T>(Cell<*const T>);

impl<T> Pointer<T> {
    pub(crate) const fn null() -> Self {
        Pointer(Cell::new(ptr::null()))
    }
}

impl<T> Part<T> {
    pub(crate) const fn new(pointer: &'static ThreadStatic<Pointer<T>>) -> Self {
        Part(pointer)
    }

    /// Calls `f` with this part of the present run, if one is running on this thread.
    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(Option<&T>) -> R) -> R {
        let part = self.0.with(|pointer| pointer.0.get());
        // SAFETY: invariant 1: `Run::within`, further up the stack, has lent it.
        f(unsafe { part.as_ref() })
    }

    /// Makes this the part of the present run until the returned value is dropped.
    pub(crate) fn lend<'a>(&self, part: &'a T) -> Lent<'a, T> {
        self.lend_or_hide(Some(part))
    }

    /// Does the same for a part that the present run may not have.
    pub(crate) fn lend_or_hide<'a>(&self, part: Option<&'a T>) -> Lent<'a, T> {
        let part = part.map_or(ptr::null(), ptr::from_ref);
        let former = self.0.with(|pointer| pointer.0.replace(part));
        Lent { pointer: self.0, former, part: PhantomData }
    }
}

/// As long as this lives, a part is that of the present run. Dropping it restores the previous one.
pub(crate) struct Lent<'a, T: 'static> {
    pointer: &'static ThreadStatic<Pointer<T>>,
    former: *const T,
    part: PhantomData<&'a T>,
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        self.pointer.with(|pointer| pointer.0.set(self.former));
    }
}

/// Declares a [`Part`].
macro_rules! part {
    ($(#[$meta:meta])* $vis:vis const $name:ident: $type:ty;) => {
        $(#[$meta])*
        $vis const $name: crate::platform::part::Part<$type> = {
            crate::platform::thread_static! {
                static POINTER: crate::platform::part::Pointer<$type> =
                    crate::platform::part::Pointer::null();
            }
            crate::platform::part::Part::new(&POINTER)
        };
    };
}
pub(crate) use part;
