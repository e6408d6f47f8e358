//! The units of one nursery: all of them, those that are ready, first in, first out, and who is to
//! be told when there are some.
//!
//! # Invariants
//!
//! 1. A unit that is attached is in use. It may be taken out of the table's memory only when it
//!    has been detached.
//! 2. What stands in the ready queue has `Flag::QUEUED`, and its memory is there: a unit that was
//!    detached meanwhile, a ghost, is freed when it is taken out, if nobody has it any more.
//! 3. A roster that goes has nothing attached, and its queue is empty: it checks.
//! 4. Nothing here calls foreign code, but for `set_host`, which keeps a waker before it changes
//!    anything and drops another when all is done. Foreign wakers are returned, to be woken by the
//!    caller.

use std::cell::{Cell, OnceCell};
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::task::Waker;

use crate::schedule::current::{self, CONTEXT};
use crate::schedule::foreign::Foreign;
use crate::schedule::memory::chunk::NodeLayout;
use crate::schedule::memory::table::{self, Table, UnitId};
use crate::schedule::order::Order;
use crate::schedule::unit::{Flag, NO_INDEX, Unit};
use crate::schedule::waker;

/// The units of one nursery. See the module's documentation.
pub(crate) struct Roster {
    /// Those that are ready.
    head: Cell<*const Unit>,
    tail: Cell<*const Unit>,
    /// True while the owner takes units out: it need not be told of new ones.
    draining: Cell<bool>,
    /// The `run` that counts this queue among those that have units in them.
    counted_in: Cell<u32>,
    /// How many in the queue were detached.
    ghosts: Cell<u32>,
    /// The children, in the order in which they came.
    first: Cell<*const Unit>,
    last: Cell<*const Unit>,
    /// The nursery's body, while that is attached.
    body: Cell<*const Unit>,
    host: Cell<Host>,
    /// Where its units are.
    table: OnceCell<Rc<Table>>,
}

/// Who polls the owner of a roster.
#[derive(Default)]
enum Host {
    #[default]
    Nobody,
    Unit(UnitId),
    Foreign(Foreign),
}

impl Roster {
    pub(crate) const fn new() -> Self {
        Roster {
            head: Cell::new(ptr::null()),
            tail: Cell::new(ptr::null()),
            draining: Cell::new(false),
            counted_in: Cell::new(0),
            ghosts: Cell::new(0),
            first: Cell::new(ptr::null()),
            last: Cell::new(ptr::null()),
            body: Cell::new(ptr::null()),
            host: Cell::new(Host::Nobody),
            table: OnceCell::new(),
        }
    }

    /// Attaches a body, with memory of the current runtime, where the children's will be, too.
    ///
    /// # Panics
    ///
    /// If no runtime is running.
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
        unit.set(Flag::HELD);
        unit.roster.set(this);
        roster.body.set(body.as_ptr());
    }

    /// Detaches and frees the body, when there are no children any more.
    pub(crate) fn close(&self) {
        self.detach_body();
        self.sweep();
        if !self.head.get().is_null() || !self.first.get().is_null() {
            std::process::abort(); // invariant 3
        }
    }

    /// Nothing wakes the body any more.
    pub(crate) fn detach_body(&self) {
        let Some(body) = NonNull::new(self.body.replace(ptr::null()).cast_mut()) else { return };
        // SAFETY: `open` allocated it.
        let unit = unsafe { body.as_ref() };
        unit.roster.set(ptr::null());
        unit.clear(Flag::HELD);
        if unit.is_queued() {
            self.ghosts.set(self.ghosts.get() + 1);
        } else {
            // SAFETY: nobody has it any more.
            unsafe { Table::free(body) };
        }
    }

    /// Memory for a child.
    pub(crate) fn allocate(&self, layout: NodeLayout) -> NonNull<Unit> {
        self.table.get().expect("it was opened").allocate(layout)
    }

    /// Whether their units are in one table.
    pub(crate) fn has_table_of(&self, other: &Roster) -> bool {
        match (self.table.get(), other.table.get()) {
            (Some(one), Some(other)) => Rc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// The nursery's body; null once it is detached.
    #[inline]
    pub(crate) fn body(&self) -> *const Unit {
        self.body.get()
    }

    // The children.

    /// Attaches a child.
    ///
    /// # Safety
    ///
    /// It is attached to nothing, belongs to the runtime whose roster this is, and stays in use
    /// until it is detached. The roster stays where it is for as long.
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
            self.ghosts.set(self.ghosts.get() + 1);
        }
    }

    #[inline]
    fn node(&self, index: u32) -> *const Unit {
        match self.table.get() {
            Some(table) if index != NO_INDEX => table.node(index),
            _ => ptr::null(),
        }
    }

    /// The child that came first, or null.
    pub(crate) fn first(&self) -> *const Unit {
        self.first.get()
    }

    /// The children, of whom none may come or go as long as the answer is used.
    pub(crate) fn children(&self) -> impl Iterator<Item = *const Unit> {
        let mut next = self.first.get();
        std::iter::from_fn(move || {
            let this = next;
            // SAFETY: invariant 1.
            next = self.node(unsafe { this.as_ref() }?.next.get());
            Some(this)
        })
    }

    /// Makes all ready, the body and then the children in the order in which they came. Foreign
    /// wakers that have to be woken for it are added to `foreign`.
    pub(crate) fn make_ready(&self, foreign: &mut Vec<Foreign>) {
        let body = self.body.get();
        // SAFETY (all): invariant 1, and `make_ready` neither attaches nor detaches.
        if !body.is_null() {
            foreign.extend(unsafe { Unit::make_ready(body) });
        }
        for child in self.children() {
            foreign.extend(unsafe { Unit::make_ready(child) });
        }
    }

    // Who polls them.

    #[inline]
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    pub(crate) fn set_draining(&self, draining: bool) {
        self.draining.set(draining);
    }

    /// Says who polls the owner of this roster. Foreign code may run, before and after it does.
    #[inline]
    pub(crate) fn set_host(&self, waker: &Waker) {
        match waker::unit_of(waker) {
            Some(unit) => self.replace_host(Host::Unit(unit)),
            None => self.set_foreign_host(waker),
        }
    }

    #[inline]
    fn replace_host(&self, host: Host) {
        let old = self.host.replace(host);
        if let Host::Foreign(waker) = old {
            drop(waker); // foreign code, run when the roster is whole again
        }
    }

    fn set_foreign_host(&self, waker: &Waker) {
        let host = self.host.take();
        let is_same = matches!(&host, Host::Foreign(host) if host.will_wake(waker));
        self.host.set(host);
        if !is_same {
            // Cloned while nothing is changed: that may do anything to this roster.
            self.replace_host(Host::Foreign(Foreign::keep(waker)));
        }
    }

    /// Makes its host ready, in this tick, as far up as need be: up to the root, or up to the first
    /// foreign waker, which is returned and must be woken by the caller.
    #[cold]
    pub(super) fn call_host(&self, tick: u32) -> Option<Foreign> {
        let mut roster = self;
        loop {
            let this = match roster.host_unit()? {
                Ok(id) => table::lookup(id)?,
                Err(foreign) => return Some(foreign),
            };
            // SAFETY: what the table knows is valid.
            let unit = unsafe { &*this };
            if unit.is_queued() {
                return None;
            }
            // SAFETY: what a unit is attached to is there (invariant 2 of `wake::unit`).
            roster = unsafe { unit.roster.get().as_ref() }?;
            if !roster.push(this, tick) || roster.is_draining() {
                return None;
            }
        }
    }

    /// The host, as a unit or as a waker of another library.
    pub(crate) fn host_unit(&self) -> Option<Result<UnitId, Foreign>> {
        let host = self.host.take();
        let answer = match &host {
            Host::Nobody => None,
            Host::Unit(unit) => Some(Ok(*unit)),
            Host::Foreign(waker) => Some(Err(waker.clone())), // counted, which calls nothing
        };
        self.host.set(host);
        answer
    }

    // The ready queue.

    /// Whether nothing is ready.
    pub(crate) fn is_idle(&self) -> bool {
        if self.ghosts.get() > 0 {
            self.sweep();
        }
        self.head.get().is_null()
    }

    /// Whether this unit is attached here, and ready.
    pub(crate) fn has_ready(&self, unit: UnitId) -> bool {
        // SAFETY: what the table knows is valid.
        table::lookup(unit)
            .map(|unit| unsafe { &*unit })
            .is_some_and(|unit| ptr::eq(unit.roster.get(), self) && unit.is_queued())
    }

    /// The tick in which the first of the units became ready. While nobody takes units out it
    /// stays the same, and no later wait for somebody to come has the same one.
    pub(crate) fn ready_since(&self) -> Option<u32> {
        // SAFETY: invariant 2.
        unsafe { self.head.get().as_ref() }.map(|head| head.tick.get())
    }

    /// Adds a unit that is attached and not queued. True if it is the first.
    #[inline]
    pub(super) fn push(&self, this: *const Unit, tick: u32) -> bool {
        // SAFETY: the callers, in `wake`, have a unit that is attached.
        let unit = unsafe { &*this };
        unit.tick.set(tick);
        unit.set(Flag::QUEUED);
        unit.next_ready.set(ptr::null());
        // SAFETY: invariant 2.
        match unsafe { self.tail.replace(this).as_ref() } {
            Some(tail) => {
                tail.next_ready.set(this);
                false
            }
            None => {
                self.head.set(this);
                self.count();
                true
            }
        }
    }

    /// Puts a unit that is attached before all others, as one that became ready in an earlier tick.
    pub(super) fn push_first(&self, this: *const Unit, tick: u32) {
        // SAFETY: as in `push`.
        let unit = unsafe { &*this };
        if unit.is_queued() {
            self.unqueue(this);
        }
        unit.tick.set(tick);
        unit.set(Flag::QUEUED);
        let head = self.head.replace(this);
        unit.next_ready.set(head);
        if head.is_null() {
            self.tail.set(this);
            self.count();
        }
    }

    /// It has units in it.
    fn count(&self) {
        CONTEXT.with(|context| {
            self.counted_in.set(context.run.get());
            context.ready_queues.set(context.ready_queues.get() + 1);
        });
    }

    /// It is empty.
    fn uncount(&self) {
        CONTEXT.with(|context| {
            // In a later `run` it is not counted, and outside of all nothing is.
            if context.run.get() != 0 && self.counted_in.get() == context.run.get() {
                context.ready_queues.set(context.ready_queues.get() - 1);
            }
        });
    }

    /// Takes out the next unit that became ready before the present tick.
    #[inline]
    pub(crate) fn pop(&self, order: &Order) -> Option<NonNull<Unit>> {
        let now = CONTEXT.with(|context| context.tick.get());
        loop {
            let this = self.head.get();
            // SAFETY: invariant 2.
            let unit = unsafe { this.as_ref() }?;
            if unit.tick.get() == now {
                return None;
            }
            if !order.is_first_in_first_out() {
                return self.choose(order, now);
            }
            self.unlink(ptr::null(), unit);
            if ptr::eq(unit.roster.get(), self) {
                return NonNull::new(this.cast_mut());
            }
            self.bury(this);
        }
    }

    /// Takes a unit out of the queue, in which it stands behind `before`, or first.
    #[inline]
    fn unlink(&self, before: *const Unit, unit: &Unit) {
        let next = unit.next_ready.get();
        // SAFETY: invariant 2.
        match unsafe { before.as_ref() } {
            Some(before) => before.next_ready.set(next),
            None => self.head.set(next),
        }
        if next.is_null() {
            self.tail.set(before);
            if before.is_null() {
                self.uncount();
            }
        }
        unit.clear(Flag::QUEUED);
    }

    /// Deals with a ghost that was taken out.
    #[cold]
    fn bury(&self, ghost: *const Unit) {
        self.ghosts.set(self.ghosts.get() - 1);
        // SAFETY: invariant 2: it has only now been taken out.
        let unit = unsafe { &*ghost };
        if let Some(node) = NonNull::new(ghost.cast_mut())
            && !unit.has(Flag::HELD)
            && !unit.has(Flag::TASK)
        {
            // SAFETY: nobody has it any more.
            unsafe { Table::free(node) };
        }
    }

    /// Takes out all ghosts.
    fn sweep(&self) {
        self.take_out(|unit| !ptr::eq(unit.roster.get(), self));
    }

    /// Takes a unit out that is attached here. Takes time for each that stands before it.
    pub(crate) fn unqueue(&self, this: *const Unit) {
        self.take_out(|unit| ptr::eq(unit, this));
    }

    /// Takes out those in the queue for which it is true.
    fn take_out(&self, goes: impl Fn(&Unit) -> bool) {
        // It may be this queue that has units no more.
        CONTEXT.with(|context| context.went_up.set(UnitId::NONE));
        let mut before = ptr::null();
        let mut this = self.head.get();
        // SAFETY: invariant 2.
        while let Some(unit) = unsafe { this.as_ref() } {
            let next = unit.next_ready.get();
            if goes(unit) {
                self.unlink(before, unit);
                if !ptr::eq(unit.roster.get(), self) {
                    self.bury(this);
                }
            } else {
                before = this;
            }
            this = next;
        }
    }

    /// Takes out one of those that became ready before the tick `now`.
    #[cold]
    fn choose(&self, order: &Order, now: u32) -> Option<NonNull<Unit>> {
        if self.ghosts.get() > 0 {
            self.sweep();
        }
        let older = self.older_than(now, order.reach());
        if older == 0 {
            return None;
        }
        let mut before = ptr::null();
        let mut this = self.head.get();
        // SAFETY (both): invariant 2; there are as many as `older_than` counted.
        for _ in 0..order.choose(older) {
            before = this;
            this = unsafe { &*this }.next_ready.get();
        }
        self.unlink(before, unsafe { &*this });
        NonNull::new(this.cast_mut())
    }

    /// How many units at the head became ready before the tick `now`, counted up to a limit.
    fn older_than(&self, now: u32, limit: usize) -> usize {
        let mut count = 0;
        let mut next = self.head.get();
        // SAFETY: invariant 2.
        while let Some(unit) = unsafe { next.as_ref() } {
            if unit.tick.get() == now || count == limit {
                break;
            }
            count += 1;
            next = unit.next_ready.get();
        }
        count
    }
}

impl Drop for Roster {
    fn drop(&mut self) {
        // Invariant 3. An abort is the only safe answer to a roster that units still point to.
        if !self.head.get().is_null() || !self.first.get().is_null() || !self.body.get().is_null() {
            std::process::abort();
        }
    }
}
