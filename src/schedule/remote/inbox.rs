//! What other threads leave for a runtime, and how its sleep is interrupted for it.
//!
//! One lock guards all of it, so that there is one order of everything: what is put in before
//! the reactor says that it falls asleep keeps it awake, and whoever puts something in after that
//! is told to wake it. The flag beside the lock is a hint that spares an awake reactor the lock.
//!
//! Nearly all wakes go beside the lock: there is room for one woken unit in a word of its own,
//! `first`. Who finds the room empty puts the unit in; who finds the unit there leaves it there;
//! everybody else takes the lock. The room is closed while the reactor sleeps, and it closes it only
//! if it is empty. Whoever interrupts the sleep opens it. To leave a unit there is to write it anew:
//! so whoever takes it out knows of all that happened before each of its wakes. For the same reason
//! the word is always exchanged, and never just stored.

use std::mem;
use std::sync::atomic::AtomicU64;

use crate::platform::{Arc, AtomicBool, AtomicUsize, Interrupter, Mutex, MutexGuard, Ordering};
use crate::schedule::ids::{RunId, UnitId};

/// Something to run on the runtime's thread. If it is dropped instead, the runtime has gone.
pub(crate) type Call = Box<dyn FnOnce() + Send>;

/// Which of the runtimes of the process it is, over all time. There is no 0.
pub(crate) type Tenancy = u64;

/// In place of a unit's number in `Inbox::first`: there is room for one.
const EMPTY: usize = UnitId::NONE.0;
/// There is none, as the reactor sleeps, or nobody uses the inbox. Written, and written over, only
/// with the lock held. No unit has this number: its slot is that of `NONE`, which is never given out.
const CLOSED: usize = EMPTY - 1;

/// On a cache line of its own: threads of other runtimes write to the next one.
#[repr(align(64))]
pub(crate) struct Inbox {
    /// A unit that was woken, or what stands in its place.
    first: AtomicUsize,
    /// Whether there is something behind the lock. Written only with the lock held, so that whoever has had
    /// the lock since something was put in knows of it; nobody else need know at once. Therefore
    /// relaxed.
    hint: AtomicBool,
    contents: Mutex<Contents>,
}

struct Contents {
    tenancy: Tenancy,
    /// What interrupts the reactor. `None` while no runtime uses the inbox.
    interrupter: Option<Arc<Interrupter>>,
    takes_calls: bool,
    /// The reactor sleeps, or is about to, and the room for the first woken unit is closed. Whoever
    /// turns this off interrupts it, so that a sleep costs one system call at most.
    asleep: bool,
    woken: Wakes,
    calls: Vec<Call>,
}

/// The units that were woken, each once.
struct Wakes {
    units: Vec<Woken>,
    /// By the index of a unit's number: where it stands in `units`.
    marks: Vec<Mark>,
    /// The marks of earlier rounds count for nothing.
    round: u32,
}

/// A unit that was woken.
#[derive(Clone, Copy)]
pub(crate) struct Woken {
    pub(crate) id: UnitId,
    /// Two units that had the same index, one after the other, were woken: it is the one that is
    /// there now, if any.
    pub(crate) any_generation: bool,
}

#[derive(Clone, Copy)]
struct Mark {
    round: u32,
    position: u32,
}

impl Wakes {
    const fn new() -> Self {
        Wakes { units: Vec::new(), marks: Vec::new(), round: 1 }
    }

    fn add(&mut self, id: UnitId) {
        let index = id.index() as usize;
        if index >= self.marks.len() {
            self.marks.resize(index + 1, Mark { round: 0, position: 0 });
        }
        let mark = &mut self.marks[index];
        if mark.round == self.round {
            let there = &mut self.units[mark.position as usize];
            there.any_generation |= there.id != id;
        } else {
            *mark = Mark { round: self.round, position: self.units.len() as u32 };
            self.units.push(Woken { id, any_generation: false });
        }
    }

    /// Exchanges what is in it for `empty`.
    fn swap(&mut self, empty: &mut Vec<Woken>) {
        mem::swap(&mut self.units, empty);
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.marks.clear();
            self.round = 1;
        }
    }
}

/// What was taken out of an inbox.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) woken: Vec<Woken>,
    pub(crate) calls: Vec<Call>,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Inbox {
            first: AtomicUsize::new(CLOSED),
            hint: AtomicBool::new(false),
            contents: Mutex::new(Contents {
                tenancy: 0,
                interrupter: None,
                takes_calls: false,
                asleep: false,
                woken: Wakes::new(),
                calls: Vec::new(),
            }),
        }
    }

    // What the runtime does.

    /// A runtime moves in.
    pub(super) fn open(&self, interrupter: Interrupter) -> Tenancy {
        static TENANCIES: AtomicU64 = AtomicU64::new(1);
        let mut contents = self.contents.lock();
        contents.tenancy = TENANCIES.fetch_add(1, Ordering::Relaxed);
        contents.interrupter = Some(Arc::new(interrupter));
        contents.takes_calls = true;
        contents.asleep = false;
        self.first.swap(EMPTY, Ordering::Relaxed);
        contents.tenancy
    }

    /// Whether something was put in. What is missed here is found before the reactor sleeps.
    #[inline]
    pub(crate) fn may_have_news(&self) -> bool {
        self.first.load(Ordering::Relaxed) != EMPTY || self.hint.load(Ordering::Relaxed)
    }

    /// Takes what is in it, in exchange for an empty batch. False if there is nothing.
    pub(crate) fn take(&self, batch: &mut Batch) -> bool {
        debug_assert!(batch.woken.is_empty() && batch.calls.is_empty());
        if self.hint.load(Ordering::Relaxed) {
            let mut contents = self.contents.lock();
            self.hint.store(false, Ordering::Relaxed);
            contents.woken.swap(&mut batch.woken);
            mem::swap(&mut contents.calls, &mut batch.calls);
        }
        // Its wakes were made before this, and what was done before them is to be seen.
        let first = self.first.swap(EMPTY, Ordering::Acquire);
        debug_assert!(first != CLOSED, "it is awake");
        if first != EMPTY {
            batch.woken.push(Woken { id: UnitId(first), any_generation: false });
        }
        !batch.woken.is_empty() || !batch.calls.is_empty()
    }

    /// Says that the reactor is about to sleep. False if there is something to do first. If not,
    /// [`woke_up`](Self::woke_up) is to be called before anything is taken.
    pub(crate) fn fall_asleep(&self) -> bool {
        let mut contents = self.contents.lock();
        let closes =
            || self.first.compare_exchange(EMPTY, CLOSED, Ordering::Relaxed, Ordering::Relaxed);
        contents.asleep = contents.is_empty() && closes().is_ok();
        contents.asleep
    }

    pub(crate) fn woke_up(&self) {
        let mut contents = self.contents.lock();
        if mem::take(&mut contents.asleep) {
            self.first.swap(EMPTY, Ordering::Relaxed);
        }
    }

    /// Takes no more calls. Those that are there stay, and wakes still come.
    pub(crate) fn refuse_calls(&self) {
        self.contents.lock().takes_calls = false;
    }

    /// The runtime moves out. What was left for it is dropped.
    pub(super) fn close(&self) {
        let mut contents = self.contents.lock();
        contents.takes_calls = false;
        self.first.swap(CLOSED, Ordering::Relaxed);
        let interrupter = contents.interrupter.take();
        let calls = mem::take(&mut contents.calls);
        contents.woken = Wakes::new();
        drop(contents);
        drop((interrupter, calls)); // a system call, and foreign code
    }

    // What other threads do.

    /// Wakes a unit. Does nothing if the runtime has gone.
    pub(crate) fn wake(&self, id: UnitId) {
        for there in [id.0, EMPTY] {
            let (put_in, other) = (Ordering::Release, Ordering::Relaxed);
            if self.first.compare_exchange(there, id.0, put_in, other).is_ok() {
                return;
            }
        }
        self.wake_locked(id);
    }

    #[cold]
    fn wake_locked(&self, id: UnitId) {
        let mut contents = self.contents.lock();
        if contents.interrupter.is_none() || !RunId::new(id.slot(), contents.tenancy).may_have(id) {
            return; // it has gone
        }
        if contents.asleep {
            self.interrupt(contents, id);
        } else {
            contents.woken.add(id);
            self.hint.store(true, Ordering::Relaxed);
        }
    }

    /// Leaves a call, which comes after those that were left before. It comes back if the runtime
    /// has gone or is about to.
    pub(crate) fn call(&self, tenancy: Tenancy, call: Call) -> Result<(), Call> {
        self.leave(tenancy, call, |contents| contents.takes_calls)
    }

    /// Leaves a call that the runtime has been waiting for. It comes back only if that has gone.
    pub(crate) fn report(&self, tenancy: Tenancy, call: Call) -> Result<(), Call> {
        self.leave(tenancy, call, |contents| contents.interrupter.is_some())
    }

    fn leave(
        &self,
        tenancy: Tenancy,
        call: Call,
        is_taken: impl FnOnce(&Contents) -> bool,
    ) -> Result<(), Call> {
        let mut contents = self.contents.lock();
        if contents.tenancy != tenancy || !is_taken(&contents) {
            drop(contents);
            return Err(call);
        }
        contents.calls.push(call);
        self.hint.store(true, Ordering::Relaxed);
        if contents.asleep {
            self.interrupt(contents, UnitId::NONE);
        }
        Ok(())
    }

    /// Interrupts the reactor's sleep, with `first` in the room that was closed.
    fn interrupt(&self, mut contents: MutexGuard<'_, Contents>, first: UnitId) {
        contents.asleep = false;
        self.first.swap(first.0, Ordering::Release);
        let interrupter = contents.interrupter.clone();
        drop(contents); // the reactor wants the lock when it has woken up
        if let Some(interrupter) = interrupter {
            // There is no one to tell if this fails, and it cannot while the descriptor is open.
            let _ = interrupter.wake();
        }
    }
}

impl Contents {
    fn is_empty(&self) -> bool {
        self.woken.units.is_empty() && self.calls.is_empty()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn woken(wakes: &mut Wakes) -> Vec<(UnitId, bool)> {
        let mut units = Vec::new();
        wakes.swap(&mut units);
        units.iter().map(|unit| (unit.id, unit.any_generation)).collect()
    }

    /// A thread that wakes without pause does not make the queue grow.
    const RUN: RunId = RunId::NONE;

    #[test]
    fn r02_a_unit_is_in_the_queue_once() {
        let (one, other) = (UnitId::new(RUN, 1, 5), UnitId::new(RUN, 7, 0));
        let mut wakes = Wakes::new();
        for _ in 0..1000 {
            wakes.add(one);
            wakes.add(other);
        }
        assert_eq!(woken(&mut wakes), [(one, false), (other, false)]);
        assert_eq!(woken(&mut wakes), []);
        wakes.add(other);
        assert_eq!(woken(&mut wakes), [(other, false)], "in a later round again");
    }

    /// Old wakers and new ones of the same place: whoever is there now must be woken.
    #[test]
    fn r02_units_with_the_same_place_are_in_the_queue_once_for_all() {
        let (old, new) = (UnitId::new(RUN, 1, 5), UnitId::new(RUN, 1, 6));
        for (first, second) in [(old, new), (new, old)] {
            let mut wakes = Wakes::new();
            for _ in 0..1000 {
                wakes.add(first);
                wakes.add(second);
            }
            assert_eq!(woken(&mut wakes), [(first, true)]);
        }
    }

    #[test]
    fn r02_the_rounds_may_run_over() {
        let id = UnitId::new(RUN, 1, 5);
        let mut wakes = Wakes::new();
        wakes.round = u32::MAX;
        wakes.add(id);
        assert_eq!(woken(&mut wakes), [(id, false)]);
        wakes.add(id);
        assert_eq!(woken(&mut wakes), [(id, false)]);
    }
}
