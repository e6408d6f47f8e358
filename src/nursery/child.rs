//! A child of a nursery: one heap node that holds the unit, what the nursery needs to know, and
//! the future, later its value.
//!
//! # Invariants
//!
//! 1. A node is a `Node<F, T>` behind a pointer to its first field. All types are `repr(C)` with
//!    that field first, and every pointer to a node comes from its `Box`, so it may be cast back.
//! 2. `refs` counts the nursery (while the child is among its members) and the [`Task`]. The node
//!    is freed when it comes to 0, and not while it is polled, because the nursery polls only its
//!    members.
//! 3. `stage` is touched through the functions of the node's own vtable: by the nursery until
//!    `done` is set, and by the `Task` only from then on. The future in it never moves.
//! 4. The future's lifetime is erased. The nursery drops it before `'scope` ends, or leaks it
//!    together with itself and never polls it again.
//!
//! [`Task`]: crate::nursery::Task

use std::cell::{Cell, UnsafeCell};
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, Waker};

use crate::Result;
use crate::error::Cancelled;
use crate::wake::unit::Unit;

/// What is known of a child whatever its future is.
#[repr(C)]
pub(crate) struct Child {
    pub(crate) unit: Unit,
    vtable: &'static VTable,
    refs: Cell<u32>,
    done: Cell<bool>,
    /// Whoever waits for the child's value.
    joiner: Cell<Option<Waker>>,
    place: &'static Location<'static>,
}

impl Child {
    /// Where it was spawned.
    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.place
    }
}

struct VTable {
    poll: unsafe fn(*const Child, &mut Context<'_>) -> Poll<Result<()>>,
    fail: unsafe fn(*const Child, Option<Cancelled>),
    take: unsafe fn(*const Child, *mut ()),
    free: unsafe fn(*const Child),
}

#[repr(C)]
struct Node<F, T> {
    child: Child,
    stage: UnsafeCell<Stage<F, T>>,
}

enum Stage<F, T> {
    Running(F),
    Done(T),
    Failed(Cancelled),
    Empty,
}

impl<F: Future<Output = Result<T>>, T> Node<F, T> {
    const VTABLE: VTable =
        VTable { poll: Self::poll, fail: Self::fail, take: Self::take, free: Self::free };

    /// Replaces the stage, also when dropping the old one panics.
    ///
    /// # Safety
    ///
    /// `stage` is valid and borrowed by nobody.
    unsafe fn replace(stage: *mut Stage<F, T>, new: Stage<F, T>) {
        struct Write<F, T>(*mut Stage<F, T>, ManuallyDrop<Stage<F, T>>);
        impl<F, T> Drop for Write<F, T> {
            fn drop(&mut self) {
                // SAFETY: the place is valid, what was in it is gone, and `self.1` is used once.
                unsafe { ptr::write(self.0, ManuallyDrop::take(&mut self.1)) };
            }
        }
        let _write = Write(stage, ManuallyDrop::new(new));
        // SAFETY: the caller's promise. A pinned future is dropped in place.
        unsafe { ptr::drop_in_place(stage) };
    }

    unsafe fn poll(child: *const Child, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // SAFETY: invariant 1.
        let stage = unsafe { (*child.cast::<Self>()).stage.get() };
        // SAFETY: invariant 3: the child is not done, so the stage is the nursery's, which polls
        // it once at a time.
        let Stage::Running(future) = (unsafe { &mut *stage }) else {
            unreachable!("a child is polled until it is done")
        };
        // SAFETY: the future stays in its node until it is dropped there.
        match unsafe { Pin::new_unchecked(future) }.poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(value)) => {
                // SAFETY: as above.
                unsafe { Self::replace(stage, Stage::Done(value)) };
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    unsafe fn fail(child: *const Child, why: Option<Cancelled>) {
        // SAFETY: invariants 1 and 3.
        unsafe {
            let stage = (*child.cast::<Self>()).stage.get();
            Self::replace(stage, why.map_or(Stage::Empty, Stage::Failed));
        }
    }

    unsafe fn take(child: *const Child, out: *mut ()) {
        // SAFETY: invariants 1 and 3: the child is done; `out` is what `ChildRef::take` passes.
        unsafe {
            let stage = (*child.cast::<Self>()).stage.get();
            // What is moved here is not the future any more.
            *out.cast::<Option<std::result::Result<T, Cancelled>>>() =
                match ptr::replace(stage, Stage::Empty) {
                    Stage::Done(value) => Some(Ok(value)),
                    Stage::Failed(why) => Some(Err(why)),
                    Stage::Running(_) | Stage::Empty => None,
                };
        }
    }

    unsafe fn free(child: *const Child) {
        // SAFETY: invariants 1 and 2: it came from a `Box`, and this was the last reference.
        drop(unsafe { Box::from_raw(child.cast::<Self>().cast_mut()) });
    }
}

/// A counted reference to a node.
pub(crate) struct ChildRef(*const Child);

impl ChildRef {
    /// Puts a future into a node of its own.
    ///
    /// # Safety
    ///
    /// The future's lifetime is forgotten: it must be polled only while what it borrows is there.
    pub(crate) unsafe fn new<F, T>(future: F, place: &'static Location<'static>) -> ChildRef
    where
        F: Future<Output = Result<T>>,
    {
        let node = Box::new(Node {
            child: Child {
                unit: Unit::new(),
                vtable: &Node::<F, T>::VTABLE,
                refs: Cell::new(1),
                done: Cell::new(false),
                joiner: Cell::new(None),
                place,
            },
            stage: UnsafeCell::new(Stage::<F, T>::Running(future)),
        });
        ChildRef(Box::into_raw(node).cast::<Child>().cast_const())
    }

    /// A reference that was given up with `into_raw`.
    ///
    /// # Safety
    ///
    /// The reference counted then must not be used in any other way.
    pub(crate) unsafe fn from_raw(child: *const Child) -> ChildRef {
        ChildRef(child)
    }

    pub(crate) fn into_raw(self) -> *const Child {
        ManuallyDrop::new(self).0
    }

    pub(crate) fn as_ptr(&self) -> *const Child {
        self.0
    }

    fn child(&self) -> &Child {
        // SAFETY: invariant 2: `self` is one of the references.
        unsafe { &*self.0 }
    }

    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.child().place
    }

    pub(crate) fn is_done(&self) -> bool {
        self.child().done.get()
    }

    /// Polls the future.
    ///
    /// # Safety
    ///
    /// The child is not done, is not being polled, and what its future borrows is there.
    pub(crate) unsafe fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // SAFETY: the caller's promise.
        unsafe { (self.child().vtable.poll)(self.0, cx) }
    }

    /// Drops the future, and leaves word for the `Task` why there is no value.
    ///
    /// # Safety
    ///
    /// The child is not done and not being polled.
    pub(crate) unsafe fn fail(&self, why: Option<Cancelled>) {
        // SAFETY: the caller's promise.
        unsafe { (self.child().vtable.fail)(self.0, why) }
    }

    /// The stage is the `Task`'s from now on. Returns whom to tell.
    pub(crate) fn set_done(&self) -> Option<Waker> {
        self.child().done.set(true);
        self.child().joiner.take()
    }

    pub(crate) fn set_joiner(&self, waker: &Waker) {
        let old = self.child().joiner.replace(Some(waker.clone()));
        drop(old);
    }

    /// The child's value, once.
    ///
    /// # Safety
    ///
    /// The child is done and its future's value is a `T`.
    pub(crate) unsafe fn take<T>(&self) -> Option<std::result::Result<T, Cancelled>> {
        let mut out = None::<std::result::Result<T, Cancelled>>;
        // SAFETY: the caller's promise; `out` is of the type that `take` writes.
        unsafe { (self.child().vtable.take)(self.0, (&raw mut out).cast()) };
        out
    }
}

impl Clone for ChildRef {
    fn clone(&self) -> Self {
        let refs = &self.child().refs;
        refs.set(refs.get() + 1);
        ChildRef(self.0)
    }
}

impl Drop for ChildRef {
    fn drop(&mut self) {
        let child = self.child();
        child.refs.set(child.refs.get() - 1);
        if child.refs.get() == 0 {
            // SAFETY: the last reference has gone.
            unsafe { (child.vtable.free)(self.0) };
        }
    }
}
