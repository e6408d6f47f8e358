//! A child of a nursery: one node of the run's table, with the unit, the data that the nursery
//! needs, and the future, which is replaced by its value when it ends.
//!
//! | file | concept |
//! |---|---|
//! | `mod` | the node, and the nursery's ownership of it |
//! | `handle` | the `Task`'s ownership of it, and who waits for the child |
//! | `label` | a name, or none |
//! | `own_scope` | a child that was cancelled alone, and is polled in a scope of its own |
//!
//! # Invariants
//!
//! 1. A node is a `Node<F, T>` behind a pointer to its first field. All types are `repr(C)` with
//!    that field first, and every pointer to a node comes from the table, so it may be cast back.
//! 2. A node has at most two owners: the nursery, with an [`Owned`], until the child has ended, and
//!    the [`Task`], with a [`Handle`]. `Flag::OWNED` and `Flag::TASK` say which of them exist. The
//!    last one frees the node; if the node is in a ready queue, its memory is freed when it is
//!    taken out.
//! 3. The flags `FUTURE`, `VALUE` and `FAILED` say what `stage` contains: one of these, or nothing.
//!    It is accessed only through the functions of the node's own vtable: by the nursery while
//!    there is an `Owned`, and by the `Task` after that. The future in it never moves.
//! 4. The future's lifetime is erased. The nursery drops the future before `'scope` ends, or leaks
//!    it together with itself and never polls it again.
//! 5. A child is polled only while its [`Owned`] is a raw pointer, in a nursery.
//! 6. A child's vtable is that of its node's type, or the one that this leads to, which polls it in
//!    a scope of its own.
//!
//! [`Task`]: crate::nursery::Task

mod handle;
pub(crate) mod label;
pub(crate) mod own_scope;

use std::cell::{Cell, UnsafeCell};
use std::future::Future;
use std::mem::{ManuallyDrop, needs_drop};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

pub(crate) use handle::{Handle, JOINERS, Joined};
use label::Label;

use crate::error::{Cancelled, Error, Result, Spawned};
use crate::schedule::units::chunk::NodeLayout;
use crate::schedule::units::roster::Roster;
use crate::schedule::units::table::Table;
use crate::schedule::units::unit::{Flag, NO_INDEX, Unit};
use crate::schedule::wake::{self, Which};

/// The part of a node that does not depend on the future's type.
#[repr(C)]
pub(crate) struct Child {
    unit: Unit,
    vtable: Cell<&'static VTable>,
    place: &'static Location<'static>,
}

struct VTable {
    poll: unsafe fn(NonNull<Child>, &mut Context<'_>) -> Poll<Result<()>>,
    fail: unsafe fn(NonNull<Child>, Option<Cancelled>),
    take: unsafe fn(NonNull<Child>, *mut ()),
    free: unsafe fn(NonNull<Child>),
    /// The size of the future.
    size: usize,
    /// Whether there is anything to drop once the child has ended with a value.
    needs_drop: bool,
    /// Where the child was spawned, and its name. `None` for a child without a name.
    spawned: Option<unsafe fn(NonNull<Child>) -> Spawned>,
    /// The vtable of a child that is polled in a scope of its own; `None` if this is it.
    in_scope: Option<&'static VTable>,
}

#[repr(C)]
struct Node<F, T, L> {
    child: Child,
    stage: UnsafeCell<Stage<F, T>>,
    /// The name; nothing, if there is none.
    label: ManuallyDrop<L>,
}

#[repr(C)]
union Stage<F, T> {
    future: ManuallyDrop<F>,
    value: ManuallyDrop<T>,
    failed: ManuallyDrop<Cancelled>,
}

impl<F: Future<Output = Result<T>>, T, L: Label> Node<F, T, L> {
    const VTABLE: VTable = VTable {
        poll: Self::poll,
        fail: Self::fail,
        take: Self::take,
        free: Self::free,
        size: size_of::<F>(),
        needs_drop: needs_drop::<T>() || needs_drop::<L>(),
        spawned: Self::SPAWNED,
        in_scope: Some(&Self::IN_SCOPE),
    };

    const IN_SCOPE: VTable = VTable {
        poll: Self::poll_in_scope,
        fail: Self::fail_in_scope,
        take: Self::take_in_scope,
        free: Self::free_in_scope,
        size: size_of::<F>(),
        needs_drop: true, // the scope
        spawned: Self::SPAWNED,
        in_scope: None,
    };

    const SPAWNED: Option<unsafe fn(NonNull<Child>) -> Spawned> =
        if L::IS_NAME { Some(Self::spawned) } else { None };

    /// # Safety
    ///
    /// The child is alive, and its node is of this type. The same goes for all functions below.
    unsafe fn stage(child: NonNull<Child>) -> *mut Stage<F, T> {
        // SAFETY: invariant 1.
        unsafe { (*child.cast::<Self>().as_ptr()).stage.get() }
    }

    /// Drops the future.
    ///
    /// # Safety
    ///
    /// The caller has access to the stage, and there is a future in it.
    unsafe fn drop_future(child: NonNull<Child>) {
        // SAFETY: the caller's promise. The future counts as gone even if dropping it panics. It is
        // pinned, so it is dropped in place.
        unsafe {
            child.as_ref().unit.clear(Flag::FUTURE);
            ManuallyDrop::drop(&mut (*Self::stage(child)).future);
        }
    }

    unsafe fn poll(child: NonNull<Child>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // SAFETY: invariants 1 and 3: there is an `Owned`, so the stage is the nursery's. The child
        // has not ended, so the stage contains the future, which stays where it is.
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
        // SAFETY (both): invariants 1 and 3. The stage is empty when it is written to: there is no
        // value, and the future has been dropped.
        let dropped = catch_unwind(AssertUnwindSafe(|| unsafe {
            if child.as_ref().unit.has(Flag::FUTURE) {
                Self::drop_future(child);
            }
        }));
        if let Some(why) = why.filter(|_| !unsafe { child.as_ref() }.unit.has(Flag::VALUE)) {
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
            *out.cast::<Option<Result<T>>>() = if unit.has(Flag::VALUE) {
                unit.clear(Flag::VALUE);
                Some(Ok(ManuallyDrop::take(&mut stage.value)))
            } else if unit.has(Flag::FAILED) {
                Some(Err(Error::from(Cancelled::clone(&stage.failed))))
            } else {
                None
            };
        }
    }

    unsafe fn spawned(child: NonNull<Child>) -> Spawned {
        // SAFETY: invariant 1; the label is there until the node is freed.
        unsafe { (*child.cast::<Self>().as_ptr()).label.spawned(child.as_ref().place) }
    }

    unsafe fn free(child: NonNull<Child>) {
        /// Frees the memory even if dropping the contents panics.
        struct Free(NonNull<Child>);
        impl Drop for Free {
            fn drop(&mut self) {
                // SAFETY: the last owner has gone.
                unsafe {
                    self.0.as_ref().unit.clear(Flag::OWNED);
                    if !self.0.as_ref().unit.is_queued() {
                        Table::free(self.0.cast());
                    }
                }
            }
        }
        let _free = Free(child);
        // SAFETY: invariant 3: the last owner has gone, so nobody else has the stage.
        unsafe {
            let unit = &child.as_ref().unit;
            // The node has an owner until this is over, whatever the destructor does.
            unit.set(Flag::OWNED);
            ManuallyDrop::drop(&mut (*child.cast::<Self>().as_ptr()).label); // only a text
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
    /// Where the child was spawned, and its name if it has one.
    ///
    /// # Safety
    ///
    /// The child is alive, and the pointer is one to its node.
    pub(crate) unsafe fn spawned(child: NonNull<Child>) -> Spawned {
        // SAFETY (both): the caller's promise; invariant 6.
        let this = unsafe { child.as_ref() };
        match this.vtable.get().spawned {
            None => Spawned::At(this.place),
            Some(spawned) => unsafe { spawned(child) },
        }
    }

    /// The size of a child's future.
    pub(crate) fn size(&self) -> usize {
        self.vtable.get().size
    }

    /// Where the child was spawned, if it has no name.
    ///
    /// # Safety
    ///
    /// The child is alive.
    #[inline(always)]
    pub(crate) unsafe fn place_if_nameless(
        child: NonNull<Child>,
    ) -> Option<&'static Location<'static>> {
        // SAFETY: the caller's promise.
        let this = unsafe { child.as_ref() };
        this.vtable.get().spawned.is_none().then_some(this.place)
    }

    /// Polls the future of a child.
    ///
    /// # Safety
    ///
    /// The child has an `Owned`, has not ended and is not being polled, and what its future borrows
    /// is alive.
    #[inline]
    pub(crate) unsafe fn poll(child: NonNull<Child>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // SAFETY: the caller's promise.
        unsafe { (child.as_ref().vtable.get().poll)(child, cx) }
    }
}

/// Puts a future into a node of its own, owned by the nursery and a task.
///
/// # Safety
///
/// The future's lifetime is erased: it must be polled only while what it borrows is alive.
#[inline]
pub(crate) unsafe fn new<F, T, L>(
    roster: &Roster,
    future: F,
    place: &'static Location<'static>,
    label: L,
) -> (Owned, Handle)
where
    F: Future<Output = Result<T>>,
    L: Label,
{
    let node = roster.allocate(const { NodeLayout::of::<Node<F, T, L>>() });
    let child = node.cast::<Child>();
    // SAFETY: the memory is that of such a node, and nothing else has it. The unit in it stays as
    // it is.
    unsafe {
        (&raw mut (*child.as_ptr()).vtable).write(Cell::new(&Node::<F, T, L>::VTABLE));
        (&raw mut (*child.as_ptr()).place).write(place);
        let node = child.cast::<Node<F, T, L>>().as_ptr();
        (&raw mut (*node).stage)
            .write(UnsafeCell::new(Stage { future: ManuallyDrop::new(future) }));
        (&raw mut (*node).label).write(ManuallyDrop::new(label));
    }
    // SAFETY: it is a valid unit, in use or not.
    unsafe { node.as_ref() }.begin();
    (Owned(child), Handle(child))
}

/// The nursery's ownership of a node. Dropping it means that the child has ended: from then on its
/// value belongs to the `Task`, which is woken.
pub(crate) struct Owned(NonNull<Child>);

impl Owned {
    /// The reverse of `into_raw`.
    ///
    /// # Safety
    ///
    /// The pointer came from `into_raw` and is not used again, and the child is not being polled.
    pub(crate) unsafe fn from_raw(child: NonNull<Child>) -> Owned {
        Owned(child)
    }

    pub(crate) fn into_raw(self) -> NonNull<Child> {
        ManuallyDrop::new(self).0
    }

    /// Where the child was spawned, and its name if it has one.
    pub(crate) fn spawned(&self) -> Spawned {
        // SAFETY: invariants 1 and 2.
        unsafe { Child::spawned(self.0) }
    }

    /// Gives up a child that has ended with a value which nobody wants, if that runs no foreign
    /// code.
    #[inline]
    pub(crate) fn free_at_once(self) -> std::result::Result<(), Owned> {
        // SAFETY: invariant 2.
        let child = unsafe { self.0.as_ref() };
        if child.unit.has_any(Flag::TASK, Flag::QUEUED) || child.vtable.get().needs_drop {
            return Err(self);
        }
        // SAFETY: it is the last owner, and the contents of the node need no dropping.
        unsafe { Table::free(self.into_raw().cast()) };
        Ok(())
    }

    /// Whether there is a `Task` to tell.
    pub(crate) fn is_wanted(&self) -> bool {
        // SAFETY: invariant 2.
        unsafe { self.0.as_ref() }.unit.has(Flag::TASK)
    }

    /// Drops the future, if there still is one, and tells the `Task` why there is no value.
    pub(crate) fn fail(&self, why: Option<Cancelled>) {
        // SAFETY: invariants 2 and 5.
        unsafe { (self.0.as_ref().vtable.get().fail)(self.0, why) }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: invariant 2.
        let child = unsafe { self.0.as_ref() };
        child.unit.clear(Flag::OWNED);
        if child.unit.has(Flag::TASK) {
            let joiner = child.unit.joiner.replace(NO_INDEX);
            let foreign = child.take_foreign_joiner();
            // The code that this wakes may free the child.
            if joiner != NO_INDEX {
                wake::wake_here(Which::Place(joiner));
            }
            if let Some(foreign) = foreign {
                foreign.wake();
            }
        } else {
            // SAFETY: it was the last owner.
            unsafe { (child.vtable.get().free)(self.0) };
        }
    }
}
