//! From the number in a waker to the unit it stands for.
//!
//! A waker holds a number, not a pointer: cloning and dropping one costs nothing and touches no
//! memory, and a waker may outlive everything it was made for. The price is this table, one entry
//! of 16 bytes a unit.
//!
//! A number is made of three parts: the runtime's slot among the runtimes of the process, the
//! index of an entry in its table, and the entry's generation, so that a number whose unit has
//! gone is recognised. Generations wrap, and begin anew in each `run`: an old waker may wake a
//! stranger. That is a spurious wake, which every future must bear.

use std::cell::UnsafeCell;
use std::ptr;

use crate::context::CONTEXT;
use crate::wake::unit::Unit;

#[cfg(not(target_pointer_width = "64"))]
compile_error!("seedbed packs three numbers into a waker's data pointer and needs 64-bit pointers");

const SLOT_BITS: u32 = 16;
const INDEX_BITS: u32 = 28;
const GENERATION_BITS: u32 = 20;
const GENERATION_MASK: u32 = (1 << GENERATION_BITS) - 1;

/// The most runtimes that can run at the same time in one process. The last slot is never given
/// out, so that no number is [`UnitId::NONE`].
pub(crate) const MAX_RUNTIMES: usize = (1 << SLOT_BITS) - 1;

/// A unit's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct UnitId(pub(crate) usize);

impl UnitId {
    pub(crate) const NONE: UnitId = UnitId(usize::MAX);

    pub(crate) fn new(slot: u16, index: u32, generation: u32) -> Self {
        UnitId(
            (slot as usize) << (INDEX_BITS + GENERATION_BITS)
                | (index as usize) << GENERATION_BITS
                | generation as usize,
        )
    }

    pub(crate) fn slot(self) -> u16 {
        (self.0 >> (INDEX_BITS + GENERATION_BITS)) as u16
    }

    pub(crate) fn index(self) -> usize {
        (self.0 >> GENERATION_BITS) & ((1 << INDEX_BITS) - 1)
    }

    fn generation(self) -> u32 {
        self.0 as u32 & GENERATION_MASK
    }
}

struct Entry {
    /// Null when the entry is free.
    unit: *const Unit,
    generation: u32,
    /// The next free entry, when this one is free.
    next_free: u32,
}

const NO_ENTRY: u32 = u32::MAX;

/// The table of one runtime. It lives in the thread's context, next to what is being polled.
pub(crate) struct Table {
    inner: UnsafeCell<Inner>,
}

struct Inner {
    entries: Vec<Entry>,
    free: u32,
}

impl Table {
    pub(crate) const fn new() -> Self {
        Table { inner: UnsafeCell::new(Inner { entries: Vec::new(), free: NO_ENTRY }) }
    }

    /// Forgets every unit, when the runtime ends.
    pub(crate) fn clear(&self) {
        self.with(|inner| {
            inner.entries = Vec::new();
            inner.free = NO_ENTRY;
        });
    }

    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        // SAFETY: a `Table` belongs to one thread, and the closures, all in this file, call
        // nothing that could come back here.
        f(unsafe { &mut *self.inner.get() })
    }
}

/// Gives a unit a number in the current runtime; `NONE` where no runtime is running, and such a
/// unit cannot be woken.
pub(crate) fn register(unit: *const Unit) -> UnitId {
    CONTEXT.with(|context| {
        let Some(slot) = context.slot.get() else { return UnitId::NONE };
        let id = context.table.with(|inner| {
            let index = inner.free;
            if index != NO_ENTRY {
                let entry = &mut inner.entries[index as usize];
                inner.free = entry.next_free;
                entry.unit = unit;
                return Some(UnitId::new(slot, index, entry.generation));
            }
            let index = inner.entries.len();
            if index >= 1 << INDEX_BITS {
                return None;
            }
            inner.entries.push(Entry { unit, generation: 0, next_free: NO_ENTRY });
            Some(UnitId::new(slot, index as u32, 0))
        });
        // Out here, as a panic hook is foreign code.
        id.unwrap_or_else(|| panic!("more than {} tasks in one runtime", 1 << INDEX_BITS))
    })
}

/// Makes the number mean nothing any more.
pub(crate) fn unregister(id: UnitId, unit: *const Unit) {
    CONTEXT.with(|context| {
        context.table.with(|inner| {
            // A unit of an earlier runtime may be dropped in a later one, whose table may use the
            // same number for another unit: the pointer tells them apart.
            if let Some(entry) = inner.entries.get_mut(id.index())
                && ptr::eq(entry.unit, unit)
            {
                entry.unit = ptr::null();
                entry.generation = (entry.generation + 1) & GENERATION_MASK;
                entry.next_free = inner.free;
                inner.free = id.index() as u32;
            }
        });
    });
}

/// The unit that has the place of this number at present, whatever had it before.
pub(crate) fn lookup_place(id: UnitId) -> Option<*const Unit> {
    CONTEXT.with(|context| {
        context.table.with(|inner| {
            let entry = inner.entries.get(id.index())?;
            (!entry.unit.is_null()).then_some(entry.unit)
        })
    })
}

/// The units of the current runtime of which this is true. Takes time for each unit there is.
pub(crate) fn find(which: fn(&Unit) -> bool) -> Vec<*const Unit> {
    let units: Vec<_> = CONTEXT.with(|context| {
        context.table.with(|inner| inner.entries.iter().map(|entry| entry.unit).collect())
    });
    // SAFETY: what is registered is alive (invariant 1 of `wake::unit`), and `which`, being given
    // a shared reference and nothing else, drops none of them.
    units.into_iter().filter(|unit| unsafe { unit.as_ref() }.is_some_and(which)).collect()
}

/// The unit with this number, if it is still registered with the current runtime.
#[inline]
pub(crate) fn lookup(id: UnitId) -> Option<*const Unit> {
    CONTEXT.with(|context| {
        if context.slot.get() != Some(id.slot()) {
            return None;
        }
        context.table.with(|inner| {
            let entry = inner.entries.get(id.index())?;
            (entry.generation == id.generation() && !entry.unit.is_null()).then_some(entry.unit)
        })
    })
}
