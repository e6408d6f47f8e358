//! A child of a nursery: one node of the runtime's table that holds the unit, what the nursery
//! needs to know, and the future, later its value.
//!
//! # Invariants
//!
//! 1. A node is a `Node<F, T>` behind a pointer to its first field. All types are `repr(C)` with
//!    that field first, and every pointer to a node comes from the table, so it may be cast back.
//! 2. A node has two owners at the most: a [`Held`], the nursery's, until the child has ended, and
//!    a [`Handle`], the [`Task`]'s. `Flag::HELD` and `Flag::TASK` say which there are. The last of
//!    them frees it; if it stands in a ready queue, its memory goes when it is taken out there.
//! 3. What `stage` holds is what the flags `FUTURE`, `VALUE` and `FAILED` say: one, or nothing. It
//!    is touched through the functions of the node's own vtable: by the nursery while there is a
//!    `Held`, and by the `Task` only from then on. The future in it never moves.
//! 4. The future's lifetime is erased. The nursery drops it before `'scope` ends, or leaks it
//!    together with itself and never polls it again.
//!
//! [`Task`]: crate::nursery::Task

use std::cell::{RefCell, UnsafeCell};
use std::collections::HashMap;
use std::future::Future;
use std::mem::{ManuallyDrop, needs_drop};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll, Waker};

use crate::Result;
use crate::error::Cancelled;
use crate::platform::part::part;
use crate::schedule::memory::chunk::NodeLayout;
use crate::schedule::memory::table::Table;
use crate::schedule::roster::Roster;
use crate::schedule::unit::{Flag, NO_INDEX, Unit};
use crate::schedule::wake::{self, Which};
use crate::schedule::waker;

part! {
    /// The wakers of tasks that wait for a child, where they are not units' of this run, by the
    /// child's address.
    pub(crate) const JOINERS: RefCell<HashMap<usize, Waker>>;
}

/// What is known of a child whatever its future is.
#[repr(C)]
pub(crate) struct Child {
    unit: Unit,
    vtable: &'static VTable,
    place: &'static Location<'static>,
}

struct VTable {
    poll: unsafe fn(NonNull<Child>, &mut Context<'_>) -> Poll<Result<()>>,
    fail: unsafe fn(NonNull<Child>, Option<Cancelled>),
    take: unsafe fn(NonNull<Child>, *mut ()),
    free: unsafe fn(NonNull<Child>),
    /// Whether dropping the value may do anything.
    value_needs_drop: bool,
}

#[repr(C)]
struct Node<F, T> {
    child: Child,
    stage: UnsafeCell<Stage<F, T>>,
}

#[repr(C)]
union Stage<F, T> {
    future: ManuallyDrop<F>,
    value: ManuallyDrop<T>,
    failed: ManuallyDrop<Cancelled>,
}

impl<F: Future<Output = Result<T>>, T> Node<F, T> {
    const VTABLE: VTable = VTable {
        poll: Self::poll,
        fail: Self::fail,
        take: Self::take,
        free: Self::free,
        value_needs_drop: needs_drop::<T>(),
    };

    /// # Safety
    ///
    /// The child is alive and its node is of this type, as for all that follow.
    unsafe fn stage(child: NonNull<Child>) -> *mut Stage<F, T> {
        // SAFETY: invariant 1.
        unsafe { (*child.cast::<Self>().as_ptr()).stage.get() }
    }

    /// Drops the future.
    ///
    /// # Safety
    ///
    /// The stage is the caller's, and there is a future.
    unsafe fn drop_future(child: NonNull<Child>) {
        // SAFETY: the caller's promise. It counts as gone should dropping it panic. A pinned future
        // is dropped in place.
        unsafe {
            child.as_ref().unit.clear(Flag::FUTURE);
            ManuallyDrop::drop(&mut (*Self::stage(child)).future);
        }
    }

    unsafe fn poll(child: NonNull<Child>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // SAFETY: invariants 1 and 3: there is a `Held`, so the stage is the nursery's, which polls
        // the child once at a time until its end: what is in it is the future. That stays there.
        let polled = unsafe { Pin::new_unchecked(&mut *(*Self::stage(child)).future).poll(cx) };
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(value)) => {
                // SAFETY: as above.
                unsafe {
                    Self::drop_future(child);
                    (*Self::stage(child)).value = ManuallyDrop::new(value);
                    child.as_ref().unit.set(Flag::VALUE);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    unsafe fn fail(child: NonNull<Child>, why: Option<Cancelled>) {
        // SAFETY (both): invariants 1 and 3. Nothing is in the stage when it is written to.
        let dropped = catch_unwind(AssertUnwindSafe(|| unsafe {
            if child.as_ref().unit.has(Flag::FUTURE) {
                Self::drop_future(child);
            }
        }));
        if let Some(why) = why {
            unsafe {
                (*Self::stage(child)).failed = ManuallyDrop::new(why);
                child.as_ref().unit.set(Flag::FAILED);
            }
        }
        if let Err(payload) = dropped {
            resume_unwind(payload);
        }
    }

    unsafe fn take(child: NonNull<Child>, out: *mut ()) {
        // SAFETY: invariants 1 and 3: the child has ended; `out` is what `Handle::take` passes.
        unsafe {
            let unit = &child.as_ref().unit;
            let stage = &mut *Self::stage(child);
            *out.cast::<Option<std::result::Result<T, Cancelled>>>() = if unit.has(Flag::VALUE) {
                unit.clear(Flag::VALUE);
                Some(Ok(ManuallyDrop::take(&mut stage.value)))
            } else if unit.has(Flag::FAILED) {
                Some(Err(Cancelled::clone(&stage.failed)))
            } else {
                None
            };
        }
    }

    unsafe fn free(child: NonNull<Child>) {
        /// Frees the memory also when dropping what is in it panics.
        struct Free(NonNull<Child>);
        impl Drop for Free {
            fn drop(&mut self) {
                // SAFETY: the last owner has gone.
                unsafe {
                    self.0.as_ref().unit.clear(Flag::HELD);
                    if !self.0.as_ref().unit.is_queued() {
                        Table::free(self.0.cast());
                    }
                }
            }
        }
        let _free = Free(child);
        // SAFETY: invariant 3: the last owner has gone, and its stage with it.
        unsafe {
            let unit = &child.as_ref().unit;
            // Whatever is dropped here does, the node is somebody's until that is over.
            unit.set(Flag::HELD);
            let stage = Self::stage(child);
            if unit.has(Flag::VALUE) {
                unit.clear(Flag::VALUE);
                ManuallyDrop::drop(&mut (*stage).value);
            } else if unit.has(Flag::FAILED) {
                unit.clear(Flag::FAILED);
                ManuallyDrop::drop(&mut (*stage).failed);
            } else if unit.has(Flag::FUTURE) {
                Self::drop_future(child);
            }
        }
    }
}

impl Child {
    /// Where it was spawned.
    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Polls the future of a child.
    ///
    /// # Safety
    ///
    /// The child has a `Held`, has not ended, is not being polled, and what its future borrows is
    /// there.
    #[inline]
    pub(crate) unsafe fn poll(child: NonNull<Child>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // SAFETY: the caller's promise.
        unsafe { (child.as_ref().vtable.poll)(child, cx) }
    }
}

/// Puts a future into a node of its own, which the nursery and a task have.
///
/// # Safety
///
/// The future's lifetime is forgotten: it must be polled only while what it borrows is there.
#[inline]
pub(crate) unsafe fn new<F, T>(
    roster: &Roster,
    future: F,
    place: &'static Location<'static>,
) -> (Held, Handle)
where
    F: Future<Output = Result<T>>,
{
    let node = roster.allocate(const { NodeLayout::of::<Node<F, T>>() });
    let child = node.cast::<Child>();
    // SAFETY: the memory is that of such a node, and nobody else has it. What is there of the unit
    // stays.
    unsafe {
        (&raw mut (*child.as_ptr()).vtable).write(&Node::<F, T>::VTABLE);
        (&raw mut (*child.as_ptr()).place).write(place);
        let stage = &raw mut (*child.cast::<Node<F, T>>().as_ptr()).stage;
        stage.write(UnsafeCell::new(Stage { future: ManuallyDrop::new(future) }));
    }
    // SAFETY: it is a valid unit, in use or not.
    unsafe { node.as_ref() }.begin();
    (Held(child), Handle(child))
}

/// The nursery's ownership of a node. Dropping it says that the child has ended: its value is the
/// `Task`'s from then on, whose waker is woken.
pub(crate) struct Held(NonNull<Child>);

impl Held {
    /// One that was given up with `into_raw`.
    ///
    /// # Safety
    ///
    /// It is not used in any other way.
    pub(crate) unsafe fn from_raw(child: NonNull<Child>) -> Held {
        Held(child)
    }

    pub(crate) fn into_raw(self) -> NonNull<Child> {
        ManuallyDrop::new(self).0
    }

    pub(crate) fn place(&self) -> &'static Location<'static> {
        // SAFETY: invariant 2.
        unsafe { self.0.as_ref() }.place
    }

    /// Gives up a child that has ended with a value, if that takes no foreign code: if nobody wants
    /// the value.
    #[inline]
    pub(crate) fn free_at_once(self) -> std::result::Result<(), Held> {
        // SAFETY: invariant 2.
        let child = unsafe { self.0.as_ref() };
        if child.unit.has_any(Flag::TASK, Flag::QUEUED) || child.vtable.value_needs_drop {
            return Err(self);
        }
        // SAFETY: it is the last owner, and what is in the node needs no dropping.
        unsafe { Table::free(self.into_raw().cast()) };
        Ok(())
    }

    /// Whether there is somebody to leave word for.
    pub(crate) fn is_wanted(&self) -> bool {
        // SAFETY: invariant 2.
        unsafe { self.0.as_ref() }.unit.has(Flag::TASK)
    }

    /// Drops the future, if there still is one, and leaves word for the `Task` why there is no
    /// value.
    ///
    /// # Safety
    ///
    /// The child is not being polled.
    pub(crate) unsafe fn fail(&self, why: Option<Cancelled>) {
        // SAFETY: the caller's promise; invariant 2.
        unsafe { (self.0.as_ref().vtable.fail)(self.0, why) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: invariant 2.
        let child = unsafe { self.0.as_ref() };
        child.unit.clear(Flag::HELD);
        if child.unit.has(Flag::TASK) {
            let joiner = child.unit.note.replace(NO_INDEX);
            let foreign = child.take_foreign_joiner();
            // The child may be freed by what is woken.
            if joiner != NO_INDEX {
                wake::wake_here(Which::Place(joiner));
            }
            if let Some(foreign) = foreign {
                foreign.wake();
            }
        } else {
            // SAFETY: it was the last owner.
            unsafe { (child.vtable.free)(self.0) };
        }
    }
}

impl Child {
    /// The waker of who waits for it, where that is not a unit of this runtime.
    #[inline]
    fn take_foreign_joiner(&self) -> Option<Waker> {
        if self.unit.has(Flag::NOTE) { self.find_foreign_joiner() } else { None }
    }

    #[cold]
    fn find_foreign_joiner(&self) -> Option<Waker> {
        self.unit.clear(Flag::NOTE);
        JOINERS.with(|joiners| joiners?.borrow_mut().remove(&ptr::from_ref(self).addr()))
    }
}

/// The `Task`'s ownership of a node.
pub(crate) struct Handle(NonNull<Child>);

impl Handle {
    fn child(&self) -> &Child {
        // SAFETY: invariant 2.
        unsafe { self.0.as_ref() }
    }

    /// Where the child was spawned.
    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.child().place
    }

    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        !self.child().unit.has(Flag::HELD)
    }

    /// Whom to wake when it ends. False if it has, while the waker was cloned.
    #[must_use]
    pub(crate) fn set_joiner(&self, waker: &Waker) -> bool {
        let Some(index) = waker::index_here(waker) else { return self.set_foreign_joiner(waker) };
        let old = self.child().take_foreign_joiner();
        self.child().unit.note.set(index);
        drop(old); // foreign code
        true
    }

    #[cold]
    fn set_foreign_joiner(&self, waker: &Waker) -> bool {
        let waker = waker.clone(); // foreign code, by which the child may end
        if self.has_ended() {
            return false;
        }
        let old = self.child().take_foreign_joiner();
        let unit = &self.child().unit;
        let stale = JOINERS.with(|joiners| {
            let joiners = joiners?;
            unit.note.set(NO_INDEX);
            unit.set(Flag::NOTE);
            let address = self.0.as_ptr().addr();
            joiners.borrow_mut().insert(address, waker)
        });
        drop((old, stale)); // foreign code
        true
    }

    #[cold]
    fn drop_slowly(&mut self) {
        let child = self.child();
        let _joiner = child.take_foreign_joiner(); // foreign code, dropped last
        child.unit.clear(Flag::TASK);
        if !child.unit.has(Flag::HELD) {
            // SAFETY: it was the last owner.
            unsafe { (child.vtable.free)(self.0) };
        }
    }

    /// The child's value, once, or why there is none.
    ///
    /// # Safety
    ///
    /// The child has ended and its future's value is a `T`.
    pub(crate) unsafe fn take<T>(&self) -> Option<std::result::Result<T, Cancelled>> {
        let mut out = None::<std::result::Result<T, Cancelled>>;
        // SAFETY: the caller's promise; `out` is of the type that `take` writes.
        unsafe { (self.child().vtable.take)(self.0, (&raw mut out).cast()) };
        out
    }
}

impl Drop for Handle {
    #[inline]
    fn drop(&mut self) {
        let child = self.child();
        if child.unit.has(Flag::NOTE) || !child.unit.has(Flag::HELD) {
            self.drop_slowly();
        } else {
            child.unit.clear(Flag::TASK);
        }
    }
}
