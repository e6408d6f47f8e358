//! The units of one run: their memory, and the lookup from the number in a waker to its unit.
//!
//! A waker holds a [number](crate::schedule::ids), not a pointer: cloning and dropping one costs
//! nothing and touches no memory, and a waker may outlive everything it was made for. The number's
//! index leads to a chunk and to a node in it. If a number's unit is gone, this is recognised by
//! the generation.
//!
//! # Invariants
//!
//! 1. The chunks that `chunks` and `vacant` point to are alive. A chunk's nodes are in `chunks`
//!    from when it is made until it is freed, and it is in the list of its class while it has
//!    unused nodes. Chunks with a single node are in no list.
//! 2. A table is alive while anything is in it: the run, each nursery and each chunk count their
//!    references to it.
//! 3. Nothing here runs foreign code.

use std::array;
use std::cell::{Cell, UnsafeCell};
use std::ptr::{self, NonNull};
use std::rc::Rc;

use crate::schedule::current::THREAD;
use crate::schedule::ids::{RunId, UnitId};
use crate::schedule::units::chunk::{Chunk, Left, NodeLayout, Nodes};
use crate::schedule::units::unit::Unit;

/// How many empty chunks of each class are kept for reuse.
const KEPT: u32 = if cfg!(seedbed_sanitize) { 0 } else { 4 };

/// How far apart the generations of two chunks begin. It is odd, so that all generations are used
/// before one recurs.
const STEP: u16 = 2531;

/// The units of one run. See the module's documentation.
pub(crate) struct Table {
    run: RunId,
    /// The nodes of each chunk, by its number.
    chunks: UnsafeCell<Vec<Nodes>>,
    free_numbers: UnsafeCell<Vec<u32>>,
    /// The chunks of each class of sizes that have unused nodes.
    vacant: [Vacant; NodeLayout::CLASSES],
    /// The first generation of the next chunk's nodes.
    generation: Cell<u16>,
    /// Whether the run has ended. If so, nothing is kept for reuse.
    closed: Cell<bool>,
}

/// The chunks of one class that have unused nodes.
pub(super) struct Vacant {
    pub(super) first: Cell<*const Chunk>,
    /// How many of them are empty.
    pub(super) empty: Cell<u32>,
}

impl Table {
    /// The table of this run.
    pub(crate) fn new(run: RunId) -> Rc<Table> {
        Rc::new(Table {
            run,
            chunks: UnsafeCell::new(Vec::new()),
            free_numbers: UnsafeCell::new(Vec::new()),
            vacant: array::from_fn(|_| Vacant {
                first: Cell::new(ptr::null()),
                empty: Cell::new(0),
            }),
            generation: Cell::new(0),
            closed: Cell::new(false),
        })
    }

    pub(crate) fn run(&self) -> RunId {
        self.run
    }

    /// Allocates a node, in which only the fields that belong to its place are set.
    ///
    /// # Panics
    ///
    /// If there are more nodes than indices.
    #[inline]
    pub(crate) fn allocate(self: &Rc<Self>, layout: NodeLayout) -> NonNull<Unit> {
        if !layout.is_alone() {
            let vacant = &self.vacant[layout.class()];
            // SAFETY: invariant 1.
            if let Some(chunk) = unsafe { vacant.first.get().as_ref() } {
                return chunk.take(vacant);
            }
        }
        self.allocate_chunk(layout)
    }

    #[cold]
    fn allocate_chunk(self: &Rc<Self>, layout: NodeLayout) -> NonNull<Unit> {
        // SAFETY (all): invariant 3: nobody else accesses them meanwhile. Nothing is borrowed where
        // this panics, because a hook may look at the table.
        let number = unsafe { &mut *self.free_numbers.get() }.pop().unwrap_or_else(|| {
            let chunks = unsafe { &mut *self.chunks.get() };
            chunks.push(Nodes::NONE);
            chunks.len() as u32 - 1
        });
        assert!(number < Chunk::MOST, "more tasks in one run than can be numbered");
        let generation = self.generation.get();
        self.generation.set(generation.wrapping_add(STEP));
        let chunk = Chunk::allocate(self.clone(), number, generation, layout);
        // SAFETY: it was just made.
        let chunk = unsafe { &*chunk };
        let chunks = unsafe { &mut *self.chunks.get() };
        chunks[number as usize] = chunk.nodes();
        if layout.is_alone() {
            return chunk.take_only();
        }
        let vacant = &self.vacant[layout.class()];
        chunk.add_to(vacant);
        chunk.take(vacant)
    }

    /// Frees a node.
    ///
    /// # Safety
    ///
    /// The node came from `allocate`, of any table, and nobody has it any more.
    #[inline]
    pub(crate) unsafe fn free(node: NonNull<Unit>) {
        // SAFETY: the caller's promise.
        let chunk = unsafe { Chunk::of(node) };
        // SAFETY: a chunk with a node in it is alive.
        let alive = unsafe { chunk.as_ref() };
        let table = alive.table();
        let is_spare = if alive.is_alone() {
            true
        } else {
            let vacant = &table.vacant[alive.class()];
            alive.put(node, vacant) == Left::Nothing
                && (vacant.empty.get() > KEPT || table.closed.get())
        };
        if is_spare {
            // SAFETY: it has no node that is in use.
            unsafe { Table::free_chunk(chunk) };
        }
    }

    /// # Safety
    ///
    /// The chunk is alive, and nobody uses a node of it.
    #[cold]
    unsafe fn free_chunk(chunk: NonNull<Chunk>) {
        // SAFETY (all): the caller's promise, and invariant 3.
        unsafe {
            let chunk = chunk.as_ref();
            let table = chunk.table();
            if !chunk.is_alone() {
                chunk.remove_from(&table.vacant[chunk.class()]);
            }
            (&mut *table.chunks.get())[chunk.number() as usize] = Nodes::NONE;
            (&mut *table.free_numbers.get()).push(chunk.number());
        }
        // This drops the chunk's reference to the table, and perhaps the table. SAFETY: the
        // caller's promise; it is in no list any more.
        unsafe { Chunk::free(chunk) };
    }

    /// To be called when the run has ended. Frees the chunks that are kept for reuse. Those still
    /// in use are freed later.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        for vacant in &self.vacant {
            let mut next = vacant.first.get();
            // SAFETY (both): invariant 1.
            while let Some(chunk) = unsafe { next.as_ref() } {
                next = chunk.next_vacant();
                if chunk.is_empty() {
                    unsafe { Table::free_chunk(chunk.whole()) };
                }
            }
        }
    }

    /// The node with this index, in use or not. Null if there is none.
    #[inline]
    pub(crate) fn node(&self, index: u32) -> *const Unit {
        // SAFETY: invariant 3: nobody changes it meanwhile.
        let chunks = unsafe { &*self.chunks.get() };
        chunks.get(Chunk::number_of(index)).map_or(ptr::null(), |nodes| nodes.node(index))
    }

    fn find(&self, which: fn(&Unit) -> bool) -> Vec<*const Unit> {
        // SAFETY: invariant 3.
        let chunks = unsafe { &*self.chunks.get() };
        // SAFETY: invariant 1; nodes of a chunk are valid, in use or not, and `which` frees none of
        // them, because it is given only a shared reference.
        chunks.iter().flat_map(Nodes::iter).filter(|&unit| which(unsafe { &*unit })).collect()
    }
}

/// The node with this index in the present run, in use or not.
#[inline]
pub(crate) fn node(index: u32) -> Option<*const Unit> {
    THREAD.with(|thread| {
        let node = thread.table()?.node(index);
        (!node.is_null()).then_some(node)
    })
}

/// The nodes of the present run for which this is true. Takes time proportional to the number of
/// nodes.
pub(crate) fn find(which: fn(&Unit) -> bool) -> Vec<*const Unit> {
    THREAD.with(|thread| thread.table().map_or_else(Vec::new, |table| table.find(which)))
}

/// Gives the units of the present run that have been idle for at least so many rounds the number of
/// the last of these, before it recurs.
pub(in crate::schedule) fn give_up_ticks(now: u32, rounds: u32) {
    THREAD.with(|thread| {
        if let Some(table) = thread.table() {
            table.find(|_| true).into_iter().for_each(|unit| {
                // SAFETY: the table has it.
                unsafe { &*unit }.give_up_tick(now, rounds);
            });
        }
    });
}

/// Whether the unit with this number exists and is in a ready queue.
pub(crate) fn is_queued(id: UnitId) -> bool {
    // SAFETY: units that the table finds are alive (invariant 1 of `units::unit`).
    lookup(id).is_some_and(|unit| unsafe { &*unit }.is_queued())
}

/// The unit with this number, if the present run still has it.
#[inline]
pub(crate) fn lookup(id: UnitId) -> Option<*const Unit> {
    THREAD.with(|thread| {
        // Without a table there is no run, and the only number that `may_have` accepts is that of
        // no unit.
        if !thread.run.get().may_have(id) {
            return None;
        }
        let node = thread.table()?.node(id.index());
        // SAFETY: a node of a chunk is valid, in use or not.
        id.is_of_generation(unsafe { node.as_ref() }?.generation()).then_some(node)
    })
}
