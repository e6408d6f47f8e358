//! The units of one nursery, which are its body and its children, the queue of those that are
//! ready, and the host, which has to be told when some are.
//!
//! # Invariants
//!
//! 1. An attached unit is in use. It may be freed only when it has been detached.
//! 2. When a roster is dropped, nothing is attached to it and its queue is empty. It checks this.
//! 3. Nothing here runs foreign code except `set_host`, which keeps a waker before it changes
//!    anything, and drops another when everything is done.

use std::cell::{Cell, OnceCell};
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::task::Waker;

use crate::schedule::current;
use crate::schedule::foreign::Foreign;
use crate::schedule::ids::{RunId, UnitId};
use crate::schedule::units::chunk::NodeLayout;
use crate::schedule::units::queue::Queue;
use crate::schedule::units::table::{self, Table};
use crate::schedule::units::unit::{Flag, NO_INDEX, Unit};

/// The units of one nursery. See the module's documentation.
pub(crate) struct Roster {
    pub(crate) queue: Queue,
    draining: Cell<Draining>,
    host: Cell<HostWaker>,
    /// The children, in the order in which they were attached.
    first: Cell<*const Unit>,
    last: Cell<*const Unit>,
    /// The nursery's body, while it is attached.
    body: Cell<*const Unit>,
    /// The table that has the units.
    table: OnceCell<Rc<Table>>,
}

/// Whether the nursery is taking units out of its queue. If so, nobody need be told of new ones.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Draining {
    No,
    Yes,
}

/// The last thing that polled the nursery's future. It has to be told when the nursery has
/// something ready.
#[derive(Clone, Default)]
pub(crate) enum HostWaker {
    /// Nothing has polled it yet.
    #[default]
    Nobody,
    Unit(UnitId),
    /// Something from another library, which has to be woken.
    Foreign(Foreign),
}

impl Roster {
    pub(crate) const fn new() -> Self {
        Roster {
            queue: Queue::new(),
            draining: Cell::new(Draining::No),
            host: Cell::new(HostWaker::Nobody),
            first: Cell::new(ptr::null()),
            last: Cell::new(ptr::null()),
            body: Cell::new(ptr::null()),
            table: OnceCell::new(),
        }
    }

    // The body.

    /// Attaches a body, in memory of the present run. The children's memory will be there too.
    ///
    /// # Panics
    ///
    /// If no run is going on.
    ///
    /// # Safety
    ///
    /// The roster must stay where it is until it has been closed.
    pub(crate) unsafe fn open(this: *const Roster) {
        // SAFETY: the caller's promise.
        let roster = unsafe { &*this };
        let current = || current::current_table().expect("a nursery is opened in a run");
        let body = roster.table.get_or_init(current).allocate(NodeLayout::of::<Unit>());
        // SAFETY: it was just allocated.
        let unit = unsafe { body.as_ref() };
        unit.set(Flag::OWNED);
        unit.roster.set(this);
        roster.body.set(body.as_ptr());
    }

    /// Detaches and frees the body. To be called when there are no children any more.
    pub(crate) fn close(&self) {
        self.detach_body();
        self.queue.sweep();
        if !self.queue.is_empty() || !self.first.get().is_null() {
            std::process::abort(); // invariant 2
        }
    }

    /// Detaches the body, so that nothing wakes it any more.
    pub(crate) fn detach_body(&self) {
        let Some(body) = NonNull::new(self.body.replace(ptr::null()).cast_mut()) else { return };
        // SAFETY: `open` allocated it.
        let unit = unsafe { body.as_ref() };
        unit.roster.set(ptr::null());
        unit.clear(Flag::OWNED);
        if unit.is_queued() {
            self.queue.add_ghost();
        } else {
            // SAFETY: nobody has it any more.
            unsafe { Table::free(body) };
        }
    }

    /// The nursery's body; null once it is detached.
    #[inline]
    pub(crate) fn body(&self) -> *const Unit {
        self.body.get()
    }

    // The children.

    /// Allocates memory for a child.
    pub(crate) fn allocate(&self, layout: NodeLayout) -> NonNull<Unit> {
        self.table.get().expect("it was opened").allocate(layout)
    }

    /// The run that the units belong to.
    #[inline]
    pub(crate) fn run(&self) -> RunId {
        self.table.get().map_or(RunId::NONE, |table| table.run())
    }

    /// Whether the units of both are in one table.
    pub(crate) fn has_table_of(&self, other: &Roster) -> bool {
        match (self.table.get(), other.table.get()) {
            (Some(one), Some(other)) => Rc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Attaches a child.
    ///
    /// # Safety
    ///
    /// The child is attached to nothing, belongs to the same run as the roster, and stays in use
    /// until it is detached. Until then the roster stays where it is.
    #[inline]
    pub(crate) unsafe fn attach(this: *const Roster, child: *const Unit) {
        // SAFETY (both): the caller's promise.
        let (roster, unit) = unsafe { (&*this, &*child) };
        unit.roster.set(this);
        unit.next.set(NO_INDEX);
        // SAFETY: invariant 1.
        match unsafe { roster.last.replace(child).as_ref() } {
            Some(last) => {
                unit.prev.set(last.index());
                last.next.set(unit.index());
            }
            None => {
                unit.prev.set(NO_INDEX);
                roster.first.set(child);
            }
        }
    }

    /// Detaches a child.
    #[inline]
    pub(crate) fn detach(&self, unit: &Unit) {
        debug_assert!(ptr::eq(unit.roster.get(), self), "it is attached here");
        let (prev, next) = (self.node(unit.prev.get()), self.node(unit.next.get()));
        // SAFETY (both): invariant 1.
        match unsafe { prev.as_ref() } {
            Some(prev) => prev.next.set(unit.next.get()),
            None => self.first.set(next),
        }
        match unsafe { next.as_ref() } {
            Some(next) => next.prev.set(unit.prev.get()),
            None => self.last.set(prev),
        }
        unit.roster.set(ptr::null());
        if unit.is_queued() {
            self.queue.add_ghost();
        }
    }

    #[inline]
    fn node(&self, index: u32) -> *const Unit {
        match self.table.get() {
            Some(table) if index != NO_INDEX => table.node(index),
            _ => ptr::null(),
        }
    }

    /// The child that was attached first, or null.
    pub(crate) fn first(&self) -> *const Unit {
        self.first.get()
    }

    /// The children, none of which may be attached or detached while the iterator is in use.
    pub(crate) fn children(&self) -> impl Iterator<Item = *const Unit> {
        let mut next = self.first.get();
        std::iter::from_fn(move || {
            let this = next;
            // SAFETY: invariant 1.
            next = self.node(unsafe { this.as_ref() }?.next.get());
            Some(this)
        })
    }

    // The host.

    /// Sets what polls the nursery's future: this unit, or else something with this foreign waker.
    /// Foreign code may run before the change and after it.
    #[inline]
    pub(crate) fn set_host(&self, unit: Option<UnitId>, waker: &Waker) {
        match unit {
            Some(unit) => self.replace_host(HostWaker::Unit(unit)),
            None => self.set_foreign_host(waker),
        }
    }

    #[inline]
    fn replace_host(&self, host: HostWaker) {
        let old = self.host.replace(host);
        if let HostWaker::Foreign(waker) = old {
            drop(waker); // foreign code, run when the roster is whole again
        }
    }

    fn set_foreign_host(&self, waker: &Waker) {
        let host = self.host.take();
        let is_same = matches!(&host, HostWaker::Foreign(host) if host.will_wake(waker));
        self.host.set(host);
        if !is_same {
            // Cloned before anything is changed: that may do anything to this roster.
            self.replace_host(HostWaker::Foreign(Foreign::keep(waker)));
        }
    }

    pub(crate) fn host(&self) -> HostWaker {
        let host = self.host.take();
        let answer = host.clone(); // reference-counted, so this runs no foreign code
        self.host.set(host);
        answer
    }

    // The ready queue.

    /// The nursery begins to take units out, or resumes doing so.
    pub(crate) fn start_draining(&self) {
        self.draining.set(Draining::Yes);
    }

    /// The nursery stops taking units out, or is interrupted.
    pub(crate) fn stop_draining(&self) {
        self.draining.set(Draining::No);
    }

    #[inline]
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get() == Draining::Yes
    }

    /// Whether this unit is attached here and ready.
    pub(crate) fn has_ready(&self, unit: UnitId) -> bool {
        // SAFETY: units that the table finds are valid.
        table::lookup(unit)
            .map(|unit| unsafe { &*unit })
            .is_some_and(|unit| ptr::eq(unit.roster.get(), self) && unit.is_queued())
    }
}

impl Drop for Roster {
    fn drop(&mut self) {
        // Invariant 2. An abort is the only safe answer to a roster that units still point to.
        if !self.queue.is_empty() || !self.first.get().is_null() || !self.body.get().is_null() {
            std::process::abort();
        }
    }
}
