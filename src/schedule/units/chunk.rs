//! Memory for units. Nodes of one size lie side by side, so that taking one or putting one back
//! costs a few instructions, without the allocator's bookkeeping.
//!
//! # Invariants
//!
//! 1. A chunk is one allocation: padding, the header, and its nodes. The header is right before the
//!    first node. All pointers to its nodes come from that allocation.
//! 2. All nodes begin with a valid `Unit` at any time: whoever uses a node keeps its `Unit` valid.
//! 3. A node is in use, or in the list `unused`.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use crate::schedule::ids::UnitId;
use crate::schedule::units::table::{Table, Vacant};
use crate::schedule::units::unit::Unit;

/// The most nodes that a chunk has. Under the sanitizer there is only one, so that a use after free
/// is detected.
const NODES: usize = if cfg!(seedbed_sanitize) { 1 } else { 1 << NODE_BITS };
const NODE_BITS: u32 = 6;

/// About how many bytes of nodes a chunk has; fewer if the nodes are small.
const BYTES: usize = 16 << 10;

/// The size and alignment of a node.
#[derive(Clone, Copy)]
pub(crate) struct NodeLayout(Layout);

impl NodeLayout {
    /// Classes are 8 bytes apart. Nodes of class 0 have a chunk of their own.
    pub(super) const CLASSES: usize = 256;

    /// The layout of a node, which begins with a `Unit`.
    pub(crate) const fn of<N>() -> NodeLayout {
        NodeLayout(Layout::new::<N>())
    }

    #[inline]
    pub(super) const fn class(self) -> usize {
        let class = self.0.size() / 8;
        if self.0.align() > 8 || class >= Self::CLASSES || NODES == 1 { 0 } else { class }
    }

    #[inline]
    pub(super) const fn is_alone(self) -> bool {
        self.class() == 0
    }

    /// How many nodes of this layout a chunk has.
    fn count(self) -> usize {
        if self.is_alone() { 1 } else { (BYTES / self.0.size()).min(NODES) }
    }
}

#[repr(C)]
pub(super) struct Chunk {
    table: Rc<Table>,
    number: u32,
    class: u8,
    in_use: Cell<u32>,
    /// How far the header is from the beginning of the allocation.
    padding: u32,
    /// The layout of the allocation.
    layout: Layout,
    nodes: Nodes,
    unused: Cell<*const Unit>,
    /// Its neighbours in the list of chunks with unused nodes.
    prev: Cell<*const Chunk>,
    next: Cell<*const Chunk>,
}

/// Where the nodes of a chunk are.
#[derive(Clone, Copy)]
pub(super) struct Nodes {
    first: *const Unit,
    /// The distance between two nodes, in bytes.
    stride: u32,
    count: u32,
}

impl Nodes {
    /// Stands for no chunk.
    pub(super) const NONE: Nodes = Nodes { first: ptr::null(), stride: 0, count: 0 };

    /// The node with this index, which belongs to this chunk. Null if there is none.
    #[inline]
    pub(super) fn node(&self, index: u32) -> *const Unit {
        let nth = index % (1 << NODE_BITS);
        if nth < self.count { self.nth(nth) } else { ptr::null() }
    }

    #[inline]
    fn nth(&self, nth: u32) -> *const Unit {
        self.first.wrapping_byte_add((nth * self.stride) as usize)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = *const Unit> {
        (0..self.count).map(|nth| self.nth(nth))
    }
}

/// The nodes left in a chunk after one was put back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    /// Other nodes that are in use.
    Nodes,
}

impl Chunk {
    /// The most chunks that one table can have.
    pub(super) const MOST: u32 = UnitId::INDICES >> NODE_BITS;

    /// Allocates a chunk in which no node is in use.
    pub(super) fn allocate(
        table: Rc<Table>,
        number: u32,
        generation: u16,
        node: NodeLayout,
    ) -> *const Chunk {
        let count = node.count();
        let size = node.0.size() * count;
        let nodes = Layout::from_size_align(size, node.0.align()).expect("a node fits in memory");
        let (layout, first) = Layout::new::<Chunk>().extend(nodes).expect("a node fits in memory");
        let padding = first - size_of::<Chunk>();
        // SAFETY: the layout is not of size zero: it includes the header.
        let memory = unsafe { alloc(layout) };
        if memory.is_null() {
            handle_alloc_error(layout);
        }
        let class = node.class() as u8;
        // SAFETY: the nodes begin there.
        let first_node = unsafe { memory.add(first) }.cast::<Unit>();
        let stride = node.0.size() as u32;
        let nodes = Nodes { first: first_node, stride, count: count as u32 };
        let mut unused = ptr::null();
        for nth in (0..nodes.count).rev() {
            let node = nodes.nth(nth);
            // SAFETY: this is memory for a node, which begins with a unit, and nobody has it yet.
            unsafe {
                node.cast_mut().write(Unit::new(number << NODE_BITS | nth, generation, class));
                (*node).set_unused(unused);
            }
            unused = node;
        }
        // SAFETY: invariant 1: the header fits there and is aligned, because the alignment of the
        // nodes is at least as large, and the header's size is a multiple of its alignment.
        unsafe {
            let chunk = memory.add(padding).cast::<Chunk>();
            chunk.write(Chunk {
                table,
                number,
                class,
                in_use: Cell::new(0),
                padding: padding as u32,
                layout,
                nodes,
                unused: Cell::new(unused),
                prev: Cell::new(ptr::null()),
                next: Cell::new(ptr::null()),
            });
            chunk
        }
    }

    /// # Safety
    ///
    /// The chunk came from `allocate`, and nobody has it or a node of it any more.
    pub(super) unsafe fn free(chunk: NonNull<Chunk>) {
        // SAFETY: the caller's promise; invariant 1.
        unsafe {
            let Chunk { table, padding, layout, .. } = chunk.as_ptr().read();
            dealloc(chunk.as_ptr().cast::<u8>().sub(padding as usize), layout);
            drop(table);
        }
    }

    /// The chunk that a node is in.
    ///
    /// # Safety
    ///
    /// This is a node of a chunk.
    #[inline]
    pub(super) unsafe fn of(node: NonNull<Unit>) -> NonNull<Chunk> {
        // SAFETY: the caller's promise; invariants 1 and 2. A chunk of one has no other node.
        unsafe {
            let unit = node.as_ref();
            let before = (unit.index() % (1 << NODE_BITS)) as usize * unit.class() as usize * 8;
            node.byte_sub(before).cast::<Chunk>().sub(1)
        }
    }

    #[inline]
    pub(super) fn number_of(index: u32) -> usize {
        (index >> NODE_BITS) as usize
    }

    pub(super) fn nodes(&self) -> Nodes {
        self.nodes
    }

    /// A pointer to the chunk that may be used to access all of it.
    pub(super) fn whole(&self) -> NonNull<Chunk> {
        let first = NonNull::new(self.nodes.first.cast_mut()).expect("it has nodes");
        // SAFETY: invariant 1.
        unsafe { first.cast::<Chunk>().sub(1) }
    }

    /// Takes a node out. The chunk has an unused one, so it is in the list of `vacant`.
    #[inline]
    pub(super) fn take(&self, vacant: &Vacant) -> NonNull<Unit> {
        let in_use = self.in_use.get();
        if in_use == 0 {
            vacant.empty.set(vacant.empty.get() - 1);
        }
        self.in_use.set(in_use + 1);
        if in_use + 1 == self.nodes.count {
            self.remove_from(vacant);
        }
        self.take_unused()
    }

    /// Takes the only node out.
    pub(super) fn take_only(&self) -> NonNull<Unit> {
        self.in_use.set(1);
        self.take_unused()
    }

    #[inline]
    fn take_unused(&self) -> NonNull<Unit> {
        let node = NonNull::new(self.unused.get().cast_mut()).expect("there is an unused node");
        // SAFETY: invariant 2.
        self.unused.set(unsafe { node.as_ref() }.take_next_unused());
        node
    }

    /// Puts a node back. Returns what is left in the chunk.
    #[inline]
    pub(super) fn put(&self, node: NonNull<Unit>, vacant: &Vacant) -> Left {
        // SAFETY: invariant 2.
        unsafe { node.as_ref() }.set_unused(self.unused.replace(node.as_ptr()));
        let in_use = self.in_use.get();
        self.in_use.set(in_use - 1);
        if in_use == self.nodes.count {
            self.add_to(vacant);
        }
        if in_use == 1 {
            vacant.empty.set(vacant.empty.get() + 1);
            return Left::Nothing;
        }
        Left::Nodes
    }

    /// Adds the chunk to the list of those that have unused nodes.
    pub(super) fn add_to(&self, vacant: &Vacant) {
        let next = vacant.first.replace(self);
        self.prev.set(ptr::null());
        self.next.set(next);
        // SAFETY: listed chunks are alive (invariant 1 of `units::table`).
        if let Some(next) = unsafe { next.as_ref() } {
            next.prev.set(self);
        }
        if self.is_empty() {
            vacant.empty.set(vacant.empty.get() + 1);
        }
    }

    /// Removes the chunk from that list.
    pub(super) fn remove_from(&self, vacant: &Vacant) {
        let (prev, next) = (self.prev.get(), self.next.get());
        // SAFETY (both): listed chunks are alive (invariant 1 of `units::table`).
        match unsafe { prev.as_ref() } {
            Some(prev) => prev.next.set(next),
            None => vacant.first.set(next),
        }
        if let Some(next) = unsafe { next.as_ref() } {
            next.prev.set(prev);
        }
        if self.is_empty() {
            vacant.empty.set(vacant.empty.get() - 1);
        }
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    #[inline]
    pub(super) fn class(&self) -> usize {
        self.class as usize
    }

    #[inline]
    pub(super) fn is_alone(&self) -> bool {
        self.class == 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_use.get() == 0
    }

    pub(super) fn next_vacant(&self) -> *const Chunk {
        self.next.get()
    }
}
