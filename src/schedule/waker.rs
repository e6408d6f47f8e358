//! `std::task::Waker` as a number.
//!
//! # Invariants
//!
//! The data pointer of every waker made here is a [`UnitId`], or nobody's, and is never
//! dereferenced. Cloning and dropping do nothing. So a waker is valid for ever, on any thread: what
//! it stands for is looked up when it is woken, in the table of the thread's runtime, or else it is
//! handed to the runtime it belongs to through `remote::registry`.

use std::mem::ManuallyDrop;
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::schedule::current::CONTEXT;
use crate::schedule::memory::table::{self, UnitId};
use crate::schedule::remote::inbox::Woken;
use crate::schedule::remote::registry;
use crate::schedule::unit::{Again, Unit};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop_waker);

static OF_NOBODY: RawWakerVTable =
    RawWakerVTable::new(|data| RawWaker::new(data, &OF_NOBODY), |_| {}, |_| {}, |_| {});

/// The waker of who is polled again anyway. Its clones are known to be the same, which those of
/// `Waker::noop` need not be: its functions may be there several times.
pub(crate) fn of_nobody() -> Waker {
    // SAFETY: the functions of the table accept any data pointer on any thread.
    unsafe { Waker::new(ptr::null(), &OF_NOBODY) }
}

/// The waker of a unit.
pub(crate) fn waker(id: UnitId) -> ManuallyDrop<Waker> {
    // SAFETY: the functions of the table accept any data pointer on any thread.
    ManuallyDrop::new(unsafe { Waker::new(ptr::without_provenance(id.0), &VTABLE) })
}

/// The unit a waker wakes, if it is one of ours.
#[inline]
pub(crate) fn unit_of(waker: &Waker) -> Option<UnitId> {
    ptr::eq(waker.vtable(), &VTABLE).then(|| UnitId(waker.data().addr()))
}

/// The index of the unit it wakes, if that is one of the current runtime.
#[inline]
pub(crate) fn index_here(waker: &Waker) -> Option<u32> {
    let id = unit_of(waker)?;
    CONTEXT.with(|context| context.unit_run.get() == id.run()).then(|| id.index())
}

/// Makes the unit ready that has the place with this index in the current runtime, whatever had it
/// before.
pub(crate) fn wake_place(index: u32) {
    make_ready(table::node(index));
}

/// The unit that is being polled, if it is its waker.
#[inline]
pub(crate) fn current_unit(waker: &Waker) -> Option<UnitId> {
    unit_of(waker).filter(|&unit| CONTEXT.with(|context| context.unit.get() == unit))
}

/// Whether it is the waker of the unit that is being polled.
#[inline]
pub(crate) fn is_of_current_unit(waker: &Waker) -> bool {
    current_unit(waker).is_some()
}

/// Makes a unit of this thread's runtime ready, or tells the runtime it belongs to.
pub(crate) fn wake_unit(id: UnitId) {
    CONTEXT.with(|context| {
        let polled = context.polled.get();
        if context.unit.get() == id && !polled.is_null() {
            // It wakes itself, and need not be looked for.
            make_ready(Some(polled));
        } else if context.unit_run.get() == id.run() {
            make_ready(table::lookup(id));
        } else {
            registry::wake(id);
        }
    });
}

/// Makes a unit of this thread's runtime ready that another thread has woken.
pub(crate) fn wake_from_elsewhere(woken: Woken) {
    make_ready(match woken.any_generation {
        false => table::lookup(woken.id),
        true => table::node(woken.id.index()),
    });
}

#[inline]
fn make_ready(unit: Option<*const Unit>) {
    if let Some(unit) = unit {
        // SAFETY: what the table knows is alive (invariant 1 of `wake::unit`).
        let foreign = unsafe { Unit::make_ready(unit) };
        if let Some(foreign) = foreign {
            foreign.wake();
        }
    }
}

/// Wakes a waker of what is polled right now.
#[inline]
pub(crate) fn yield_now(waker: &Waker) {
    if !unit_of(waker).is_some_and(|id| Unit::poll_again(id, Again::Yields)) {
        waker.wake_by_ref();
    }
}

/// Wakes a waker of what is polled right now, for a nursery that wants to be polled again.
/// If the `round_was_cut`, it goes on with that.
pub(crate) fn poll_nursery_again(waker: &Waker, round_was_cut: bool) {
    let why = if round_was_cut { Again::WasCut } else { Again::ForNursery };
    if !unit_of(waker).is_some_and(|id| Unit::poll_again(id, why)) {
        waker.wake_by_ref();
    }
}

/// Wakes a waker of what is polled right now: where it is one of this runtime's, what it stands
/// for is polled in the present round of the scheduler, not in the next.
pub(crate) fn wake_now(waker: &Waker) {
    match unit_of(waker).and_then(table::lookup) {
        Some(unit) => {
            // SAFETY: what the table knows is alive (invariant 1 of `wake::unit`).
            let foreign = unsafe { Unit::make_ready_now(unit) };
            if let Some(foreign) = foreign {
                foreign.wake();
            }
        }
        None => waker.wake_by_ref(),
    }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &VTABLE)
}

unsafe fn wake(data: *const ()) {
    wake_unit(UnitId(data.addr()));
}

unsafe fn drop_waker(_: *const ()) {}
