//! What other threads leave for a run, and how its sleep is interrupted for it.
//!
//! # Invariants
//!
//! 1. Whatever is left is found, or the sleeper is woken: what comes in before the run says that it
//!    falls asleep keeps it awake, and whoever brings something in after that interrupts the sleep.
//!    The run falls asleep, and the sleep is interrupted, only with the lock held. Calls go beside
//!    the lock, and keep this promise by the gate in front of them (see [`Calls`]).
//! 2. Nearly all wakes go beside the lock as well: one woken unit has a seat, the word `first`.
//!    Whoever finds the seat empty puts the unit there, whoever finds the same unit there writes it
//!    anew, and everybody else takes the lock. The word is never just stored, but always exchanged,
//!    so whoever takes the unit out of it knows what happened before each of its wakes.
//! 3. The seat is closed while the run sleeps and while nobody uses the inbox, and when the lock is
//!    free it is closed only then. It is closed only while it is empty. Whoever ends the sleep opens
//!    it.

use std::mem;

use crate::platform::{
    Arc, AtomicBool, AtomicUsize, Condvar, Interrupter, Mutex, MutexGuard, Ordering,
};
use crate::schedule::ids::{RunId, UnitId};
use crate::schedule::remote::calls::{Call, Calls, Purpose, Run};
use crate::schedule::remote::wakes::{Generation, Wakes, Woken};

/// In place of a unit's number in `Inbox::first`: the seat is empty.
const EMPTY: usize = UnitId::NONE.0;
/// The seat is closed. No unit has this number: its slot is that of `NONE`, which is never given out.
const CLOSED: usize = EMPTY - 1;

/// On a cache line of its own: threads of other runs write to the next one.
#[repr(align(64))]
pub(crate) struct Inbox {
    /// A unit that was woken, or what stands in its place.
    first: AtomicUsize,
    /// Whether there are wakes behind the lock. Written only with the lock held, so whoever has had
    /// the lock since a wake was put in knows of it. Nobody else need know at once, so it is relaxed.
    hint: AtomicBool,
    calls: Calls,
    contents: Mutex<Contents>,
    /// The last thread may have gone out of the gate of `calls`, which the run waits for in the end.
    gone_out: Condvar,
}

struct Contents {
    /// What interrupts the reactor. `None` while no run uses the inbox.
    interrupter: Option<Arc<Interrupter>>,
    /// The run sleeps, or is about to. Whoever turns this off interrupts it, so that a sleep costs
    /// one system call at most.
    asleep: bool,
    woken: Wakes,
}

/// What was taken out of an inbox.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) woken: Vec<Woken>,
    pub(crate) calls: Vec<Call>,
}

/// A run's sleep, or what comes directly before it. Nothing is taken out of the inbox meanwhile.
pub(crate) struct Asleep<'a>(&'a Inbox);

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.0.wake_up();
    }
}

impl Inbox {
    pub(super) fn new() -> Self {
        let contents = Contents { interrupter: None, asleep: false, woken: Wakes::new() };
        Inbox {
            first: AtomicUsize::new(CLOSED),
            hint: AtomicBool::new(false),
            calls: Calls::new(),
            contents: Mutex::new(contents),
            gone_out: Condvar::new(),
        }
    }

    // What the run does.

    /// A run moves in.
    pub(super) fn open(&self, run: RunId, interrupter: Interrupter) {
        let mut contents = self.contents.lock();
        contents.interrupter = Some(Arc::new(interrupter));
        self.calls.open(run);
        self.first.swap(EMPTY, Ordering::Relaxed);
    }

    /// Whether something was left. What is missed here is found before the run sleeps.
    #[inline]
    pub(crate) fn may_have_news(&self) -> bool {
        self.first.load(Ordering::Relaxed) != EMPTY
            || self.hint.load(Ordering::Relaxed)
            || self.calls.may_have_news()
    }

    /// Takes what is there, in exchange for an empty batch.
    pub(crate) fn take(&self, batch: &mut Batch) {
        debug_assert!(batch.woken.is_empty() && batch.calls.is_empty());
        // First the calls, so that the wakes which a thread made before a call come with it.
        self.calls.take(&mut batch.calls);
        if self.hint.load(Ordering::Relaxed) {
            let mut contents = self.contents.lock();
            self.hint.store(false, Ordering::Relaxed);
            contents.woken.swap(&mut batch.woken);
        }
        // Its wakes were made before this, and what was done before them is to be seen.
        let first = self.first.swap(EMPTY, Ordering::Acquire);
        debug_assert!(first != CLOSED, "it is awake");
        if first != EMPTY {
            batch.woken.push(Woken { id: UnitId(first), generation: Generation::Own });
        }
    }

    /// Says that the run is about to sleep, unless there is something to do first.
    pub(crate) fn fall_asleep(&self) -> Option<Asleep<'_>> {
        let mut contents = self.contents.lock();
        let closes =
            || self.first.compare_exchange(EMPTY, CLOSED, Ordering::Relaxed, Ordering::Relaxed);
        if !contents.woken.is_empty() || closes().is_err() {
            return None;
        }
        if !self.calls.fall_asleep() {
            self.first.swap(EMPTY, Ordering::Relaxed);
            return None;
        }
        contents.asleep = true;
        Some(Asleep(self))
    }

    fn wake_up(&self) {
        let mut contents = self.contents.lock();
        if mem::take(&mut contents.asleep) {
            self.calls.wake_up();
            self.first.swap(EMPTY, Ordering::Relaxed);
        }
    }

    /// Takes no more requests. The calls that were let in stay, and reports and wakes still come.
    pub(crate) fn refuse_calls(&self) {
        self.calls.refuse_requests();
        drop(self.wait_for_those_inside());
    }

    /// Waits until nobody is inside the gate, which refuses further threads.
    fn wait_for_those_inside(&self) -> MutexGuard<'_, Contents> {
        let mut contents = self.contents.lock();
        while self.calls.is_anyone_inside() {
            contents = self.gone_out.wait(contents);
        }
        contents
    }

    /// The run moves out. What was left for it is dropped.
    pub(super) fn close(&self) {
        self.calls.refuse_all();
        let mut contents = self.wait_for_those_inside();
        self.first.swap(CLOSED, Ordering::Relaxed);
        let interrupter = contents.interrupter.take();
        contents.woken = Wakes::new();
        let mut calls = Vec::new();
        self.calls.take(&mut calls);
        drop(contents);
        drop((interrupter, calls)); // a system call, and foreign code
    }

    // What other threads do.

    /// Wakes a unit. Does nothing if the run has gone.
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
        if contents.interrupter.is_none() || !self.calls.run().may_have(id) {
            return; // it has gone
        }
        if contents.asleep {
            self.interrupt(contents, id);
        } else {
            contents.woken.add(id);
            self.hint.store(true, Ordering::Relaxed);
        }
    }

    /// Leaves a call, which comes after those that were left before. It comes back if the run has
    /// gone or is about to.
    pub(crate) fn call(&self, run: RunId, call: Call) -> Result<(), Call> {
        self.leave(call, run, Purpose::Request)
    }

    /// Leaves a call that the run has been waiting for. It comes back only if that has gone.
    pub(crate) fn report(&self, run: RunId, call: Call) -> Result<(), Call> {
        self.leave(call, run, Purpose::Report)
    }

    fn leave(&self, call: Call, run: RunId, purpose: Purpose) -> Result<(), Call> {
        let (left, state) = self.calls.leave(call, run, purpose);
        if state == Run::MayWait {
            self.rouse();
        }
        left
    }

    /// Tells the run that a call has been left, if it sleeps or waits for that.
    #[cold]
    fn rouse(&self) {
        let contents = self.contents.lock();
        self.gone_out.notify_one();
        if contents.asleep {
            self.interrupt(contents, UnitId::NONE);
        }
    }

    /// Interrupts the run's sleep, with `first` in the seat that was closed.
    fn interrupt(&self, mut contents: MutexGuard<'_, Contents>, first: UnitId) {
        contents.asleep = false;
        self.calls.wake_up();
        self.first.swap(first.0, Ordering::Release);
        let interrupter = contents.interrupter.clone();
        drop(contents); // the run wants the lock when it has woken up
        if let Some(interrupter) = interrupter {
            // There is no one to tell if this fails, and it cannot while the descriptor is open.
            let _ = interrupter.wake();
        }
    }
}
