//! What other threads leave for a runtime, and how its sleep is interrupted for it.
//!
//! One lock guards all of it, so that there is one order of everything: what is put in before
//! the reactor says that it falls asleep keeps it awake, and whoever puts something in after that
//! is told to wake it. The flag beside the lock is a hint that spares an awake reactor the lock.

use std::mem;
use std::sync::atomic::AtomicU64;

use crate::shim::{Arc, AtomicBool, Interrupter, Mutex, MutexGuard, Ordering};
use crate::wake::table::UnitId;

/// Something to run on the runtime's thread. If it is dropped instead, the runtime has gone.
pub(crate) type Call = Box<dyn FnOnce() + Send>;

/// Which of the runtimes of the process it is, over all time. There is no 0.
pub(crate) type Tenancy = u64;

pub(crate) struct Inbox {
    /// Whether there is something in it. Written only with the lock held, so that whoever has had
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
    /// The reactor sleeps, or is about to. Whoever turns this off interrupts it, so that a sleep
    /// costs one system call at most.
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
        let index = id.index();
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
        contents.tenancy
    }

    /// Whether something was put in. What is missed here is found before the reactor sleeps.
    #[inline]
    pub(crate) fn may_have_news(&self) -> bool {
        self.hint.load(Ordering::Relaxed)
    }

    /// Takes what is in it, in exchange for an empty batch. False if there is nothing.
    pub(crate) fn take(&self, batch: &mut Batch) -> bool {
        debug_assert!(batch.woken.is_empty() && batch.calls.is_empty());
        let mut contents = self.contents.lock();
        self.hint.store(false, Ordering::Relaxed);
        contents.woken.swap(&mut batch.woken);
        mem::swap(&mut contents.calls, &mut batch.calls);
        !batch.woken.is_empty() || !batch.calls.is_empty()
    }

    /// Says that the reactor is about to sleep. False if there is something to do first.
    pub(crate) fn fall_asleep(&self) -> bool {
        let mut contents = self.contents.lock();
        contents.asleep = contents.is_empty();
        contents.asleep
    }

    pub(crate) fn woke_up(&self) {
        self.contents.lock().asleep = false;
    }

    /// Takes no more calls. Those that are there stay, and wakes still come.
    pub(crate) fn refuse_calls(&self) {
        self.contents.lock().takes_calls = false;
    }

    /// The runtime moves out. What was left for it is dropped.
    pub(super) fn close(&self) {
        let mut contents = self.contents.lock();
        contents.takes_calls = false;
        let interrupter = contents.interrupter.take();
        let calls = mem::take(&mut contents.calls);
        contents.woken = Wakes::new();
        drop(contents);
        drop((interrupter, calls)); // a system call, and foreign code
    }

    // What other threads do.

    /// Wakes a unit. Does nothing if the runtime has gone.
    pub(crate) fn wake(&self, id: UnitId) {
        let mut contents = self.contents.lock();
        if contents.interrupter.is_none() {
            return;
        }
        contents.woken.add(id);
        self.notify(contents);
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
        self.notify(contents);
        Ok(())
    }

    /// Tells the reactor that something was put in.
    fn notify(&self, mut contents: MutexGuard<'_, Contents>) {
        self.hint.store(true, Ordering::Relaxed);
        if mem::take(&mut contents.asleep) {
            let interrupter = contents.interrupter.clone();
            drop(contents); // the reactor wants the lock when it has woken up
            if let Some(interrupter) = interrupter {
                // There is no one to tell if this fails, and it cannot while the descriptor is
                // open.
                let _ = interrupter.wake();
            }
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
    #[test]
    fn r02_a_unit_is_in_the_queue_once() {
        let (one, other) = (UnitId::new(0, 1, 5), UnitId::new(0, 7, 0));
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
        let (old, new) = (UnitId::new(0, 1, 5), UnitId::new(0, 1, 6));
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
        let id = UnitId::new(0, 1, 5);
        let mut wakes = Wakes::new();
        wakes.round = u32::MAX;
        wakes.add(id);
        assert_eq!(woken(&mut wakes), [(id, false)]);
        wakes.add(id);
        assert_eq!(woken(&mut wakes), [(id, false)]);
    }
}
