//! Making units ready.
//!
//! | verb | finds the unit by | it runs in | counts as a wake | foreign wakers |
//! |---|---|---|---|---|
//! | [`wake`] | its number, on any thread | the next round | yes | are woken |
//! | [`wake_here`] | its number or its place, in this thread's run | the next round | yes | are woken |
//! | [`make_ready`], [`make_all_ready`] | a pointer | the next round | yes | are returned |
//! | [`wake_now`] | its waker | the present round, before all others | yes | are woken |
//! | [`poll_again`] | the fact that it is being polled | see [`Again`] | if it yields | there are none |
//!
//! A unit not woken since its latest poll is polled only because a nursery inside it has something
//! ready. Such a nursery may then begin the next round by itself (see [`rounds`](crate::schedule)).
//!
//! A unit that becomes ready is added to the queue of its nursery. If that queue was empty and the
//! nursery is not being polled, the nursery has to be polled to get there. So the nursery's host is
//! added to the queue that the host belongs to, and so on up the tree. This stops at a queue that
//! was not empty, at a nursery that is being polled, or at a host from another library, whose waker
//! has to be woken. So a wake takes constant time, except for the first one in an idle branch.
//!
//! # Invariants
//!
//! 1. A unit that `table::lookup` or `table::node` finds, or that is attached to a roster, is a
//!    node whose chunk is alive, and the roster that it is attached to is alive too (invariants 1
//!    and 2 of `schedule::units::unit`).
//! 2. Foreign wakers are woken last, when nothing is borrowed or half changed.

use std::ptr;
use std::task::Waker;

use crate::schedule::current::THREAD;
use crate::schedule::foreign::Foreign;
use crate::schedule::ids::UnitId;
use crate::schedule::remote::registry;
use crate::schedule::rounds::SCHEDULER;
use crate::schedule::seen::attention::Attention;
use crate::schedule::seen::onlookers::{self, Is};
use crate::schedule::units::queue::Added;
use crate::schedule::units::roster::{HostWaker, Roster};
use crate::schedule::units::table;
use crate::schedule::units::unit::{Flag, Unit};
use crate::schedule::waker;

/// A unit of the present run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Which {
    Unit(UnitId),
    /// Whichever unit now has the place with this index.
    Place(u32),
}

/// Why the unit that is being polled is to be polled again. This determines the round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Again {
    /// It lets others run: in the next round.
    Yields,
    /// A nursery that it polls has something ready: in the next round.
    ForNursery,
    /// A nursery that it polls has something ready that belongs to the present round, which was
    /// cut: in the present round, before all others.
    WasCut,
}

/// A waker that is kept. Most belong to a unit. In that case this is just the unit's number, which
/// can be woken and dropped without a virtual call.
pub(crate) enum KeptWaker {
    Unit(UnitId),
    Foreign(Foreign),
}

impl KeptWaker {
    /// This may run foreign code.
    #[inline]
    pub(crate) fn wake(self) {
        match self {
            KeptWaker::Unit(unit) => wake(unit),
            KeptWaker::Foreign(waker) => waker.wake(),
        }
    }

    /// Does the same as [`wake`](Self::wake), except that a foreign waker is returned. The caller
    /// must wake it.
    #[must_use]
    #[inline]
    pub(crate) fn wake_without_foreign(self) -> Option<Foreign> {
        match self {
            KeptWaker::Unit(unit) => make_unit_ready(unit),
            KeptWaker::Foreign(waker) => Some(waker),
        }
    }
}

/// Makes a unit of any run ready. This may run foreign code.
pub(crate) fn wake(id: UnitId) {
    make_ready_and_wake(find_or_wake_elsewhere(id));
}

/// Makes a unit of any run ready. A foreign waker is returned, and the caller must wake it.
#[must_use]
#[inline]
fn make_unit_ready(id: UnitId) -> Option<Foreign> {
    let unit = find_or_wake_elsewhere(id)?;
    // SAFETY: invariant 1: the table knows it, or it is being polled.
    unsafe { make_ready(unit) }
}

/// Finds a unit of the present run. One of another run is woken.
#[inline(always)]
fn find_or_wake_elsewhere(id: UnitId) -> Option<*const Unit> {
    THREAD.with(|thread| {
        let polled = thread.polled.get();
        if thread.unit.get() == id && !polled.is_null() {
            // The unit wakes itself, and need not be looked up.
            Some(polled)
        } else if thread.run.get().may_have(id) {
            table::lookup(id)
        } else {
            registry::wake(id);
            None
        }
    })
}

/// Makes a unit of this thread's run ready. This may run foreign code.
pub(crate) fn wake_here(which: Which) {
    make_ready_and_wake(match which {
        Which::Unit(id) => table::lookup(id),
        Which::Place(index) => table::node(index),
    });
}

#[inline]
fn make_ready_and_wake(unit: Option<*const Unit>) {
    if let Some(unit) = unit {
        // SAFETY: invariant 1: the table knows it, or it is being polled.
        let foreign = unsafe { make_ready(unit) };
        onlookers::after_wake();
        if let Some(foreign) = foreign {
            foreign.wake();
        }
    }
}

/// Makes a unit ready, and with it everything that has to be polled to get to it, up to the root or
/// to the first foreign waker. That waker is returned, and the caller must wake it.
///
/// # Safety
///
/// This is a node whose chunk is alive: one found in the table or attached to a roster.
#[must_use]
#[inline]
pub(crate) unsafe fn make_ready(this: *const Unit) -> Option<Foreign> {
    // SAFETY: the caller's promise.
    unsafe { make_ready_as(this, Is::Known) }
}

/// Does the same with a child that has just been attached.
///
/// # Safety
///
/// As for [`make_ready`].
#[must_use]
#[inline]
pub(crate) unsafe fn make_new_ready(this: *const Unit) -> Option<Foreign> {
    // SAFETY: the caller's promise.
    unsafe { make_ready_as(this, Is::New) }
}

#[inline(always)]
unsafe fn make_ready_as(this: *const Unit, is: Is) -> Option<Foreign> {
    // SAFETY: the caller's promise.
    let unit = unsafe { &*this };
    unit.set(Flag::WOKEN);
    let (now, attention) =
        THREAD.with(|thread| (thread.rounds.tick.get(), thread.rounds.attention.get()));
    if attention.is_needed() {
        attend_to(unit, now, attention, is);
    }
    if unit.is_queued() || unit.roster().is_null() {
        return None;
    }
    // SAFETY: invariant 1; it is attached there, and not queued.
    let (roster, added) = unsafe {
        let roster = &*unit.roster();
        (roster, roster.queue.push(this, now))
    };
    match added {
        Added::First if !roster.is_draining() => call_hosts(roster, now),
        _ => None,
    }
}

/// Makes all units of a nursery ready: first the body, then the children in the order in which they
/// were spawned. The foreign wakers to be woken are added to `foreign`.
pub(crate) fn make_all_ready(roster: &Roster, foreign: &mut Vec<Foreign>) {
    let body = roster.body();
    // SAFETY (both): invariant 1; `make_ready` neither attaches nor detaches.
    if !body.is_null() {
        foreign.extend(unsafe { make_ready(body) });
    }
    for child in roster.children() {
        foreign.extend(unsafe { make_ready(child) });
    }
}

/// Makes the hosts ready that have to be polled to get to a unit that became ready in the round
/// `tick`. A foreign waker on the way is returned, and the caller must wake it.
#[cold]
fn call_hosts(roster: &Roster, tick: u32) -> Option<Foreign> {
    let mut roster = roster;
    loop {
        let host = match roster.host() {
            HostWaker::Unit(id) => table::lookup(id)?,
            HostWaker::Foreign(foreign) => return Some(foreign),
            HostWaker::Nobody => return None,
        };
        // SAFETY: invariant 1.
        let unit = unsafe { &*host };
        if unit.is_queued() {
            return None;
        }
        // SAFETY (both): invariant 1; it is attached there, and not queued.
        roster = unsafe { unit.roster().as_ref() }?;
        let added = unsafe { roster.queue.push(host, tick) };
        if added == Added::Behind || roster.is_draining() {
            return None;
        }
    }
}

/// Wakes a waker of this thread on behalf of the unit that is being polled. If the waker belongs to
/// a unit of this run, that unit goes on in the place of the other one: in the present round, if
/// its hosts do, and before all others there. The unit that is being polled is itself left alone,
/// because it is about to poll the nursery. This may run foreign code.
pub(crate) fn wake_now(waker: &Waker) {
    match waker::unit_of(waker).and_then(table::lookup) {
        // SAFETY: invariant 1.
        Some(unit) => {
            let foreign = unsafe { make_ready_now(unit) };
            if let Some(foreign) = foreign {
                foreign.wake();
            }
        }
        None => waker.wake_by_ref(),
    }
}

/// # Safety
///
/// As for [`make_ready`].
#[must_use]
unsafe fn make_ready_now(this: *const Unit) -> Option<Foreign> {
    let (before, current, attention) = THREAD.with(|thread| {
        let current = table::lookup(thread.unit.get()).unwrap_or(ptr::null());
        (thread.rounds.tick.get().wrapping_sub(1), current, thread.rounds.attention.get())
    });
    if attention.has(Attention::TELL) {
        // SAFETY: the caller's promise.
        tell_of_wake(unsafe { &*this }, Is::Known);
    }
    let mut this = this;
    loop {
        // SAFETY: the caller's promise, and then invariant 1.
        let unit = unsafe { &*this };
        unit.set(Flag::WOKEN);
        // SAFETY: invariant 1.
        let roster = unsafe { unit.roster().as_ref() }?;
        if ptr::eq(this, current) {
            return None;
        }
        // SAFETY: it is attached there.
        unsafe { roster.queue.push_first(this, before) };
        if roster.is_draining() {
            return None;
        }
        match roster.host() {
            HostWaker::Unit(host) => this = table::lookup(host)?,
            HostWaker::Foreign(foreign) => return Some(foreign),
            HostWaker::Nobody => return None,
        }
    }
}

/// Has the unit that is being polled, whose waker this is, polled again.
#[inline]
pub(crate) fn poll_again(waker: &Waker, why: Again) {
    match waker::unit_of(waker) {
        Some(id) if queue_polled(id, why) == Queued::Yes => {}
        _ => waker.wake_by_ref(), // foreign code, if it is from another library
    }
}

/// Whether a unit was added to a queue.
#[derive(PartialEq, Eq)]
enum Queued {
    Yes,
    /// It was not, and has to be made ready in the usual way.
    No,
}

/// Adds the unit that is being polled to its queue, if it has this number.
#[inline]
fn queue_polled(id: UnitId, why: Again) -> Queued {
    THREAD.with(|thread| {
        let polled = thread.polled.get();
        // SAFETY (both): it is being polled (invariant 2 of `current`); invariant 1.
        let Some(unit) = (unsafe { polled.as_ref() }) else { return Queued::No };
        let Some(roster) = (unsafe { unit.roster().as_ref() }) else { return Queued::No };
        if thread.unit.get() != id || unit.is_queued() || !roster.is_draining() {
            return Queued::No;
        }
        let now = thread.rounds.tick.get();
        // SAFETY (both): it is attached there, and not queued.
        match why {
            Again::Yields => {
                unit.set(Flag::WOKEN);
                unsafe { roster.queue.push(polled, now) };
            }
            Again::ForNursery => {
                unsafe { roster.queue.push(polled, now) };
            }
            Again::WasCut => unsafe { roster.queue.push_first(polled, now.wrapping_sub(1)) },
        }
        Queued::Yes
    })
}

/// Does what there is to do beyond the usual with a unit that is about to be made ready.
#[cold]
fn attend_to(unit: &Unit, now: u32, attention: Attention, is: Is) {
    if attention.has(Attention::LIST) {
        list_ahead(unit, now);
    }
    if attention.has(Attention::TELL) {
        tell_of_wake(unit, is);
    }
}

fn tell_of_wake(unit: &Unit, is: Is) {
    if !unit.is_queued() && !unit.roster().is_null() {
        onlookers::woken(unit, is);
    }
}

/// Lists a unit that has become ready, because it may go ahead of others, unless it is running and
/// wakes itself.
fn list_ahead(unit: &Unit, now: u32) {
    let (is_polled, id) =
        THREAD.with(|thread| (ptr::eq(thread.polled.get(), unit), unit.id(thread.run.get())));
    if !is_polled {
        let tick = if unit.is_queued() { unit.tick.get() } else { now };
        SCHEDULER.with(|scheduler| {
            if let Some(scheduler) = scheduler {
                scheduler.ahead.list(id, tick);
            }
        });
    }
}
