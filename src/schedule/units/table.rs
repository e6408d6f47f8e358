//! The units of one run: their memory, and from the number in a waker to the unit it stands for.
//!
//! A waker holds a number, not a pointer: cloning and dropping one costs nothing and touches no
//! memory, and a waker may outlive everything it was made for. A number is made of four parts: the
//! run's slot among the runs of the process, a tag that tells a run from those that had the
//! slot before, the index of a node in the run's table, and the node's generation, so that a number
//! whose unit has gone is recognised. Tags and generations wrap: an old waker may wake a stranger,
//! if rarely. That is a spurious wake, which every future must bear.
//!
//! # Invariants
//!
//! 1. What `chunks` and `rooms` point to is alive: a chunk's nodes are in `chunks` from when it is
//!    made until it is freed, and it is in the list of its class while it has room. Chunks of one
//!    node are in no list.
//! 2. A table is alive while anything is in it: the run, each nursery and each chunk count in it.
//! 3. Nothing here calls foreign code.

use std::array;
use std::cell::{Cell, UnsafeCell};
use std::ptr::{self, NonNull};
use std::rc::Rc;

use crate::schedule::current::CONTEXT;
use crate::schedule::ids::{RunId, UnitId};
use crate::schedule::units::chunk::{Chunk, Left, NodeLayout, Nodes};
use crate::schedule::units::unit::Unit;

/// How many empty chunks of each class are kept for use again.
const KEPT: u32 = if cfg!(seedbed_sanitize) { 0 } else { 4 };

/// How far apart generations begin: odd, so that it takes as many steps to come back as there are.
const STEP: u16 = 2531;

/// The units of one run. See the module's documentation.
pub(crate) struct Table {
    run: RunId,
    /// By their numbers.
    chunks: UnsafeCell<Vec<Nodes>>,
    free_numbers: UnsafeCell<Vec<u32>>,
    /// For each class of sizes the chunks that have room.
    rooms: [Room; NodeLayout::CLASSES],
    /// Where the generations of the next chunk's nodes begin.
    generation: Cell<u16>,
    /// The run has ended: nothing is kept any more.
    closed: Cell<bool>,
}

pub(super) struct Room {
    pub(super) first: Cell<*const Chunk>,
    /// How many of the chunks are empty.
    pub(super) empty: Cell<u32>,
}

impl Table {
    /// The table of this run.
    pub(crate) fn new(run: RunId) -> Rc<Table> {
        Rc::new(Table {
            run,
            chunks: UnsafeCell::new(Vec::new()),
            free_numbers: UnsafeCell::new(Vec::new()),
            rooms: array::from_fn(|_| Room { first: Cell::new(ptr::null()), empty: Cell::new(0) }),
            generation: Cell::new(0),
            closed: Cell::new(false),
        })
    }

    pub(crate) fn run(&self) -> RunId {
        self.run
    }

    /// Memory for a node, of which only what belongs to its place is set.
    ///
    /// # Panics
    ///
    /// If there are too many.
    #[inline]
    pub(crate) fn allocate(self: &Rc<Self>, layout: NodeLayout) -> NonNull<Unit> {
        if !layout.is_alone() {
            let room = &self.rooms[layout.class()];
            // SAFETY: invariant 1.
            if let Some(chunk) = unsafe { room.first.get().as_ref() } {
                return chunk.take(room);
            }
        }
        self.allocate_chunk(layout)
    }

    #[cold]
    fn allocate_chunk(self: &Rc<Self>, layout: NodeLayout) -> NonNull<Unit> {
        // SAFETY (both): invariant 3: nobody else has them meanwhile.
        let chunks = unsafe { &mut *self.chunks.get() };
        let number = unsafe { &mut *self.free_numbers.get() }.pop().unwrap_or_else(|| {
            chunks.push(Nodes::NONE);
            chunks.len() as u32 - 1
        });
        assert!(number < Chunk::MOST, "more tasks in one run than can be numbered");
        let generation = self.generation.get();
        self.generation.set(generation.wrapping_add(STEP));
        let chunk = Chunk::allocate(self.clone(), number, generation, layout);
        // SAFETY: it was just made.
        let chunk = unsafe { &*chunk };
        chunks[number as usize] = chunk.nodes();
        if layout.is_alone() {
            return chunk.take_only();
        }
        let room = &self.rooms[layout.class()];
        chunk.add_to(room);
        chunk.take(room)
    }

    /// Frees a node.
    ///
    /// # Safety
    ///
    /// It came from `allocate`, of whichever table, and nobody has it any more.
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
            let room = &table.rooms[alive.class()];
            alive.put(node, room) == Left::Nothing
                && (room.empty.get() > KEPT || table.closed.get())
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
                chunk.remove_from(&table.rooms[chunk.class()]);
            }
            (&mut *table.chunks.get())[chunk.number() as usize] = Nodes::NONE;
            (&mut *table.free_numbers.get()).push(chunk.number());
        }
        // With it goes its count in the table, and perhaps the table.
        // SAFETY: the caller's promise; it is in no list any more.
        unsafe { Chunk::free(chunk) };
    }

    /// To be called when the run has ended: gives back what is kept. What is still in use is given
    /// back when it is freed.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        for room in &self.rooms {
            let mut next = room.first.get();
            // SAFETY (both): invariant 1.
            while let Some(chunk) = unsafe { next.as_ref() } {
                next = chunk.next_with_room();
                if chunk.is_empty() {
                    unsafe { Table::free_chunk(chunk.whole()) };
                }
            }
        }
    }

    /// The node with this index, whatever is in it. Null if there is none.
    #[inline]
    pub(crate) fn node(&self, index: u32) -> *const Unit {
        // SAFETY: invariant 3: nobody changes it meanwhile.
        let chunks = unsafe { &*self.chunks.get() };
        chunks.get(Chunk::number_of(index)).map_or(ptr::null(), |nodes| nodes.node(index))
    }

    fn find(&self, which: fn(&Unit) -> bool) -> Vec<*const Unit> {
        // SAFETY: invariant 3.
        let chunks = unsafe { &*self.chunks.get() };
        // SAFETY: invariant 1; nodes of a chunk are valid, in use or not, and `which`, being given a
        // shared reference and nothing else, frees none of them.
        chunks.iter().flat_map(Nodes::iter).filter(|&unit| which(unsafe { &*unit })).collect()
    }
}

/// The node with this index in the present run, whatever is in it.
#[inline]
pub(crate) fn node(index: u32) -> Option<*const Unit> {
    CONTEXT.with(|context| {
        let node = context.table()?.node(index);
        (!node.is_null()).then_some(node)
    })
}

/// The units of the present run of which this is true. Takes time for each unit there is.
pub(crate) fn find(which: fn(&Unit) -> bool) -> Vec<*const Unit> {
    CONTEXT.with(|context| context.table().map_or_else(Vec::new, |table| table.find(which)))
}

/// Whether the unit with this number is there and in a ready queue.
pub(crate) fn is_queued(id: UnitId) -> bool {
    // SAFETY: what the table knows is alive (invariant 1 of `units::unit`).
    lookup(id).is_some_and(|unit| unsafe { &*unit }.is_queued())
}

/// The unit with this number, if the current run still has it.
#[inline]
pub(crate) fn lookup(id: UnitId) -> Option<*const Unit> {
    CONTEXT.with(|context| {
        // Where there is no table the run is none, which only the number of no unit has.
        if !context.run.get().may_have(id) {
            return None;
        }
        let node = context.table()?.node(id.index());
        // SAFETY: a node of a chunk is valid, in use or not.
        id.is_of_generation(unsafe { node.as_ref() }?.generation()).then_some(node)
    })
}
