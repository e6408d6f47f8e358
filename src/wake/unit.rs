//! A unit is a piece of work that is polled with a waker of its own: the main future, the body of
//! a nursery, a child. Units are linked, in place, into two lists: the ready queue of whoever
//! polls them, and the members of the cancel scope they run in.
//!
//! # Invariants
//!
//! 1. A unit that is registered does not move and is not freed. Dropping it takes it out of both
//!    lists and out of the table, so every pointer to a unit found in any of the three is valid.
//! 2. `Unit::queue` and `Unit::members` are null, or point to a list that outlives the unit's
//!    being attached to it: [`ReadyQueue`] and [`Members`] check, when dropped, that nothing is
//!    attached any more.
//! 3. Everything here belongs to one thread: no type in this file is `Send` or `Sync` (raw
//!    pointers see to it), and wakers from other threads go through `remote::inbox`.
//! 4. No function in this file calls foreign code, but that it clones wakers, of which safe code
//!    cannot make one whose clone does more than count. A foreign waker that has to be woken is
//!    returned to the caller, who wakes it when nothing here is borrowed any more.

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::ptr;
use std::task::Waker;

use crate::context::CONTEXT;
use crate::run::order::Order;
use crate::wake::table::{self, UnitId};
use crate::wake::waker;

/// A piece of work with a waker of its own. See the module's documentation.
pub(crate) struct Unit {
    id: Cell<UnitId>,
    /// The queue this unit goes to when it is woken.
    queue: Cell<*const ReadyQueue>,
    ready: Links,
    /// The scope's members this unit is one of.
    members: Cell<*const Members>,
    siblings: Links,
    /// The tick in which the unit became ready: it runs in a later one.
    tick: Cell<u32>,
    queued: Cell<bool>,
    _pin: PhantomPinned,
}

struct Links {
    prev: Cell<*const Unit>,
    next: Cell<*const Unit>,
}

impl Links {
    const fn new() -> Self {
        Links { prev: Cell::new(ptr::null()), next: Cell::new(ptr::null()) }
    }
}

impl Unit {
    /// A unit that is not attached to anything yet.
    pub(crate) const fn new() -> Self {
        Unit {
            id: Cell::new(UnitId::NONE),
            queue: Cell::new(ptr::null()),
            ready: Links::new(),
            members: Cell::new(ptr::null()),
            siblings: Links::new(),
            tick: Cell::new(0),
            queued: Cell::new(false),
            _pin: PhantomPinned,
        }
    }

    /// Gives the unit a number for its wakers and attaches it to the queue it will run from and
    /// to the members of its scope. Both lists keep the pointers as they were given, so that
    /// their owners may get from a unit, or from a queue, to what it is the first field of.
    ///
    /// # Safety
    ///
    /// The unit must stay where it is until it is dropped, and `queue` and `members` must outlive
    /// its being attached to them.
    pub(crate) unsafe fn attach(this: *const Unit, queue: *const ReadyQueue, members: &Members) {
        // SAFETY: the caller's promise.
        let (unit, ready) = unsafe { (&*this, &*queue) };
        if unit.id.get() == UnitId::NONE {
            unit.id.set(table::register(this));
        }
        unit.queue.set(queue);
        ready.attached.set(ready.attached.get() + 1);
        members.push(this);
    }

    /// Takes the unit out of its queue and its scope. Its wakers stay valid and do nothing until
    /// it is attached again.
    pub(crate) fn detach(&self) {
        if !self.queue.get().is_null() {
            // SAFETY: invariant 2: a unit's queue is valid while the unit is attached.
            let queue = unsafe { &*self.queue.get() };
            self.unqueue();
            queue.attached.set(queue.attached.get() - 1);
            self.queue.set(ptr::null());
        }
        if !self.members.get().is_null() {
            // SAFETY: invariant 2, as above.
            unsafe { &*self.members.get() }.unlink(self);
        }
    }

    /// Takes back that the unit was made ready.
    pub(crate) fn unqueue(&self) {
        if self.queued.get() {
            // SAFETY: invariant 2: a unit's queue is valid while the unit is attached.
            unsafe { &*self.queue.get() }.unlink(self);
        }
    }

    /// The queue it is attached to, or null.
    pub(crate) fn queue(&self) -> *const ReadyQueue {
        self.queue.get()
    }

    pub(crate) fn id(&self) -> UnitId {
        self.id.get()
    }

    pub(crate) fn is_queued(&self) -> bool {
        self.queued.get()
    }

    /// Makes the unit ready, in the present tick: it is polled in the next one. Whoever has to
    /// come for it is made ready too, up to the root or up to the first foreign waker, which is
    /// returned and must be woken by the caller.
    ///
    /// # Safety
    ///
    /// `this` is a unit that is alive: one found in the table, in a queue or among members.
    #[must_use]
    #[inline]
    pub(crate) unsafe fn make_ready(this: *const Unit) -> Option<Waker> {
        let now = CONTEXT.with(|context| context.tick.get());
        // SAFETY: the caller's promise.
        unsafe { Unit::make_ready_in(this, now, UnitId::NONE) }
    }

    /// As `make_ready`, but the unit is polled in the present tick, if its owner is. The unit that
    /// is being polled is left alone: it is about to poll the owner.
    ///
    /// # Safety
    ///
    /// As `make_ready`.
    #[must_use]
    pub(crate) unsafe fn make_ready_now(this: *const Unit) -> Option<Waker> {
        let (before, current) =
            CONTEXT.with(|context| (context.tick.get().wrapping_sub(1), context.unit.get()));
        // SAFETY: the caller's promise.
        unsafe { Unit::make_ready_in(this, before, current) }
    }

    /// # Safety
    ///
    /// As `make_ready`.
    unsafe fn make_ready_in(mut this: *const Unit, tick: u32, stop: UnitId) -> Option<Waker> {
        CONTEXT.with(|context| context.turn.set(context.turn.get().wrapping_sub(1)));
        loop {
            // SAFETY: the caller's promise, and below invariant 1.
            let unit = unsafe { &*this };
            if unit.queued.get() || unit.queue.get().is_null() || unit.id.get() == stop {
                return None;
            }
            // SAFETY: invariant 2: a unit's queue is valid while the unit is attached.
            let queue = unsafe { &*unit.queue.get() };
            let first = queue.is_empty();
            queue.push(this, tick);
            if !first || queue.draining.get() {
                return None;
            }
            match queue.host_unit()? {
                Ok(id) => this = table::lookup(id)?,
                Err(foreign) => return Some(foreign),
            }
        }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        self.detach();
        if self.id.get() != UnitId::NONE {
            table::unregister(self.id.get(), self);
        }
    }
}

/// The units that are ready, first in, first out, and who is to be told when there are some.
pub(crate) struct ReadyQueue {
    head: Cell<*const Unit>,
    tail: Cell<*const Unit>,
    /// True while the owner takes units out: it need not be told of new ones.
    draining: Cell<bool>,
    host: Cell<Option<Waker>>,
    /// The `run` that counts this queue among those that have units in them.
    counted_in: Cell<u32>,
    attached: Cell<usize>,
}

impl ReadyQueue {
    pub(crate) const fn new() -> Self {
        ReadyQueue {
            head: Cell::new(ptr::null()),
            tail: Cell::new(ptr::null()),
            draining: Cell::new(false),
            host: Cell::new(None),
            counted_in: Cell::new(0),
            attached: Cell::new(0),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    /// The tick in which the first of the units became ready. While nobody takes units out it
    /// stays the same, and no later wait for somebody to come has the same one.
    pub(crate) fn ready_since(&self) -> Option<u32> {
        // SAFETY: invariant 1: linked units are alive.
        unsafe { self.head.get().as_ref() }.map(|head| head.tick.get())
    }

    /// Whether its owner is taking units out, and running them.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    pub(crate) fn set_draining(&self, draining: bool) {
        self.draining.set(draining);
    }

    /// Says who polls the owner of this queue.
    pub(crate) fn set_host(&self, waker: &Waker) {
        let old = self.host.take();
        match old {
            Some(old) if old.will_wake(waker) => self.host.set(Some(old)),
            old => {
                self.host.set(Some(waker.clone()));
                drop(old); // foreign code, run when the queue is whole again
            }
        }
    }

    /// The host as a unit of this runtime, or else a clone of its waker.
    fn host_unit(&self) -> Option<Result<UnitId, Waker>> {
        let host = self.host.take()?;
        let answer = waker::unit_of(&host).ok_or_else(|| host.clone());
        self.host.set(Some(host));
        Some(answer)
    }

    #[inline]
    fn push(&self, this: *const Unit, tick: u32) {
        // SAFETY: `make_ready_in`, the only caller, has a unit that is alive.
        let unit = unsafe { &*this };
        unit.tick.set(tick);
        unit.queued.set(true);
        unit.ready.next.set(ptr::null());
        let tail = self.tail.replace(this);
        unit.ready.prev.set(tail);
        // SAFETY: invariant 1: linked units are alive.
        match unsafe { tail.as_ref() } {
            Some(tail) => tail.ready.next.set(this),
            None => {
                self.head.set(this);
                self.count();
            }
        }
    }

    #[inline]
    fn unlink(&self, unit: &Unit) {
        let (prev, next) = (unit.ready.prev.get(), unit.ready.next.get());
        // SAFETY (both): invariant 1: linked units are alive.
        match unsafe { prev.as_ref() } {
            Some(prev) => prev.ready.next.set(next),
            None => self.head.set(next),
        }
        match unsafe { next.as_ref() } {
            Some(next) => next.ready.prev.set(prev),
            None => self.tail.set(prev),
        }
        unit.queued.set(false);
        if self.head.get().is_null() {
            self.uncount();
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
            // In a later `run` it is not counted.
            if self.counted_in.get() == context.run.get() {
                context.ready_queues.set(context.ready_queues.get() - 1);
            }
        });
    }

    /// Takes out the next unit that became ready before the present tick.
    #[inline]
    pub(crate) fn pop(&self, order: &Order) -> Option<*const Unit> {
        let now = CONTEXT.with(|context| context.tick.get());
        let mut this = self.head.get();
        // SAFETY: invariant 1: linked units are alive.
        if unsafe { this.as_ref() }?.tick.get() == now {
            return None;
        }
        if !order.is_first_in_first_out() {
            this = self.choose(order, now);
        }
        // SAFETY: invariant 1.
        self.unlink(unsafe { &*this });
        Some(this)
    }

    /// One of those that became ready before the tick `now`, of which there are some.
    #[cold]
    fn choose(&self, order: &Order, now: u32) -> *const Unit {
        let mut this = self.head.get();
        for _ in 0..order.choose(self.older_than(now, order.reach())) {
            // SAFETY: invariant 1; there are as many as `older_than` counted.
            this = unsafe { &*this }.ready.next.get();
        }
        this
    }

    /// How many units at the head became ready before the tick `now`, counted up to a limit.
    fn older_than(&self, now: u32, limit: usize) -> usize {
        let mut count = 0;
        let mut next = self.head.get();
        // SAFETY: invariant 1: linked units are alive.
        while let Some(unit) = unsafe { next.as_ref() } {
            if unit.tick.get() == now || count == limit {
                break;
            }
            count += 1;
            next = unit.ready.next.get();
        }
        count
    }
}

impl Drop for ReadyQueue {
    fn drop(&mut self) {
        // Invariant 2. An abort is the only safe answer to a queue that units still point to.
        if self.attached.get() != 0 {
            std::process::abort();
        }
    }
}

/// The units that run directly in a cancel scope.
pub(crate) struct Members {
    first: Cell<*const Unit>,
}

impl Members {
    pub(crate) const fn new() -> Self {
        Members { first: Cell::new(ptr::null()) }
    }

    fn push(&self, this: *const Unit) {
        // SAFETY: `attach`, the only caller, has a unit that is alive.
        let unit = unsafe { &*this };
        let first = self.first.get();
        unit.siblings.prev.set(ptr::null());
        unit.siblings.next.set(first);
        // SAFETY: invariant 1: linked units are alive.
        if let Some(first) = unsafe { first.as_ref() } {
            first.siblings.prev.set(this);
        }
        self.first.set(this);
        unit.members.set(self);
    }

    fn unlink(&self, unit: &Unit) {
        let (prev, next) = (unit.siblings.prev.get(), unit.siblings.next.get());
        // SAFETY (both): invariant 1: linked units are alive.
        match unsafe { prev.as_ref() } {
            Some(prev) => prev.siblings.next.set(next),
            None => self.first.set(next),
        }
        if let Some(next) = unsafe { next.as_ref() } {
            next.siblings.prev.set(prev);
        }
        unit.members.set(ptr::null());
    }

    /// Any one of the members.
    pub(crate) fn first(&self) -> *const Unit {
        self.first.get()
    }

    /// The members, of whom none may come or go as long as the answer is used.
    pub(crate) fn iter(&self) -> impl Iterator<Item = *const Unit> {
        let mut next = self.first.get();
        std::iter::from_fn(move || {
            let this = next;
            // SAFETY: invariant 1: linked units are alive.
            next = unsafe { this.as_ref() }?.siblings.next.get();
            Some(this)
        })
    }

    /// Makes every member ready, in the order in which they came. Foreign wakers that have to be
    /// woken for it are added to `foreign`.
    pub(crate) fn make_ready(&self, foreign: &mut Vec<Waker>) {
        // SAFETY (all): invariant 1, and `make_ready` neither links nor unlinks members.
        let mut last = self.first.get();
        while let Some(unit) = unsafe { last.as_ref() } {
            match unit.siblings.next.get() {
                next if next.is_null() => break,
                next => last = next,
            }
        }
        while let Some(unit) = unsafe { last.as_ref() } {
            foreign.extend(unsafe { Unit::make_ready(last) });
            last = unit.siblings.prev.get();
        }
    }

    /// To be called before the list goes, or is used for other units.
    #[inline]
    pub(crate) fn check_empty(&self) {
        // Invariant 2, as for the queue.
        if !self.first.get().is_null() {
            std::process::abort();
        }
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        self.check_empty();
    }
}
