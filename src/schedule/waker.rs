//! A `std::task::Waker` that is a number.
//!
//! # Invariants
//!
//! The data pointer of every waker made here is a [`UnitId`], or null, and is never dereferenced.
//! Cloning and dropping do nothing. So a waker is valid for ever, on any thread. When it is
//! [woken](wake::wake), the unit is looked up in the table of the thread's run, or the number is
//! left for the run that it belongs to.

use std::mem::ManuallyDrop;
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::schedule::current::THREAD;
use crate::schedule::ids::UnitId;
use crate::schedule::wake;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake_raw, wake_raw, drop_waker);

static OF_NOBODY: RawWakerVTable =
    RawWakerVTable::new(|data| RawWaker::new(data, &OF_NOBODY), |_| {}, |_| {}, |_| {});

/// A waker that does nothing, for something that is polled again anyway. Its clones are known to be
/// equal. Those of `Waker::noop` need not be, because its functions may exist several times.
pub(crate) fn of_nobody() -> Waker {
    // SAFETY: the functions of the table accept any data pointer on any thread.
    unsafe { Waker::new(ptr::null(), &OF_NOBODY) }
}

/// The waker of a unit.
#[inline(always)]
pub(crate) fn waker(id: UnitId) -> ManuallyDrop<Waker> {
    // SAFETY: the functions of the table accept any data pointer on any thread.
    ManuallyDrop::new(unsafe { Waker::new(ptr::without_provenance(id.0), &VTABLE) })
}

/// The unit that a waker wakes, if the waker is one of ours.
#[inline]
pub(crate) fn unit_of(waker: &Waker) -> Option<UnitId> {
    ptr::eq(waker.vtable(), &VTABLE).then(|| UnitId(waker.data().addr()))
}

/// The index of the unit that a waker wakes, if it belongs to the present run.
#[inline]
pub(crate) fn index_here(waker: &Waker) -> Option<u32> {
    let id = unit_of(waker)?;
    THREAD.with(|thread| thread.run.get().may_have(id)).then(|| id.index())
}

/// The unit that is being polled, if this is its waker.
#[inline]
pub(crate) fn current_unit(waker: &Waker) -> Option<UnitId> {
    unit_of(waker).filter(|&unit| THREAD.with(|thread| thread.unit.get() == unit))
}

/// Whether this is the waker of the unit that is being polled.
#[inline]
pub(crate) fn is_of_current_unit(waker: &Waker) -> bool {
    current_unit(waker).is_some()
}

unsafe fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &VTABLE)
}

unsafe fn wake_raw(data: *const ()) {
    wake::wake(UnitId(data.addr()));
}

unsafe fn drop_waker(_: *const ()) {}
