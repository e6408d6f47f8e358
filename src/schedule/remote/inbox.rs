//! The inbox in which other threads leave calls and wakes for a run, and how they interrupt its
//! sleep.
//!
//! # Invariants
//!
//! 1. Whatever is left is found, or the sleeper is woken: anything that comes in before the run
//!    announces its sleep keeps it awake, and whoever brings something in after that interrupts the
//!    sleep. The run falls asleep, and the sleep is interrupted, only with the lock held. Calls
//!    bypass the lock, and keep this promise through the gate in front of them (see [`Calls`]).
//! 2. Nearly all wakes bypass the lock too: there is a seat for one woken unit, the word `first`.
//!    Whoever finds the seat empty puts the unit there, whoever finds the same unit there writes it
//!    again, and everybody else takes the lock. The word is never just stored, but always
//!    exchanged, so whoever takes the unit out of it sees what happened before each of its wakes.
//! 3. The seat is closed while the run sleeps and while nobody uses the inbox. Whenever the lock is
//!    free, it is closed only in these cases. It is closed only while it is empty. Whoever ends the
//!    sleep opens it.

use std::mem;
use std::task::Waker;

use crate::platform::{
    Arc, AtomicBool, AtomicUsize, Condvar, Interrupter, Mutex, MutexGuard, Ordering,
};
use crate::schedule::ids::{RunId, UnitId};
use crate::schedule::remote::calls::{Call, Calls, Purpose, Run};
use crate::schedule::remote::wakes::{Generation, Wakes, Woken};

/// Stands in `Inbox::first` in place of a unit's number: the seat is empty.
const EMPTY: usize = UnitId::NONE.0;
/// The seat is closed. No unit has this number: its slot is that of `NONE`, which is never given
/// out.
const CLOSED: usize = EMPTY - 1;

/// On a cache line of its own: threads of other runs write to the next one.
#[repr(align(64))]
pub(crate) struct Inbox {
    /// A unit that was woken, or [`EMPTY`] or [`CLOSED`].
    first: AtomicUsize,
    /// Whether there are wakes behind the lock. Written only with the lock held, so whoever has
    /// held the lock since a wake was put in sees it. Nobody else needs to see it at once, so it is
    /// relaxed.
    hint: AtomicBool,
    calls: Calls,
    contents: Mutex<Contents>,
    /// Notified when the last thread may have left the gate of `calls`. The run waits for that when
    /// it ends.
    gone_out: Condvar,
}

struct Contents {
    /// What ends the run's sleep. `None` while no run uses the inbox.
    alarm: Option<Alarm>,
    /// The run sleeps, or is about to. Whoever clears this interrupts the sleep, so each sleep
    /// costs at most one system call.
    asleep: bool,
    woken: Wakes,
}

/// What ends a run's sleep.
#[derive(Clone)]
pub(crate) enum Alarm {
    /// The run sleeps in its reactor.
    Reactor(Arc<Interrupter>),
    /// Its host sleeps for it.
    Host(Arc<Waker>),
}

/// The contents taken out of an inbox.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) woken: Vec<Woken>,
    pub(crate) calls: Vec<Call>,
}

/// A run's sleep, or the moment just before it. Nothing is taken out of the inbox meanwhile.
pub(crate) struct Asleep<'a>(&'a Inbox);

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.0.wake_up();
    }
}

impl Inbox {
    pub(super) fn new() -> Self {
        let contents = Contents { alarm: None, asleep: false, woken: Wakes::new() };
        Inbox {
            first: AtomicUsize::new(CLOSED),
            hint: AtomicBool::new(false),
            calls: Calls::new(),
            contents: Mutex::new(contents),
            gone_out: Condvar::new(),
        }
    }

    // Called by the run.

    /// A run moves in.
    pub(super) fn open(&self, run: RunId, alarm: Alarm) {
        let mut contents = self.contents.lock();
        contents.alarm = Some(alarm);
        self.calls.open(run);
        self.first.swap(EMPTY, Ordering::Relaxed);
    }

    /// Whether something was left. Anything that this misses is found before the run sleeps.
    #[inline]
    pub(crate) fn may_have_news(&self) -> bool {
        self.first.load(Ordering::Relaxed) != EMPTY
            || self.hint.load(Ordering::Relaxed)
            || self.calls.may_have_news()
    }

    /// Takes the contents, in exchange for an empty batch.
    pub(crate) fn take(&self, batch: &mut Batch) {
        debug_assert!(batch.woken.is_empty() && batch.calls.is_empty());
        // The calls come first, so that wakes which a thread made before a call arrive with it.
        self.calls.take(&mut batch.calls);
        if self.hint.load(Ordering::Relaxed) {
            let mut contents = self.contents.lock();
            self.hint.store(false, Ordering::Relaxed);
            contents.woken.swap(&mut batch.woken);
        }
        // The unit's wakes were made before this, and what was done before them has to be visible.
        let first = self.first.swap(EMPTY, Ordering::Acquire);
        debug_assert!(first != CLOSED, "it is awake");
        if first != EMPTY {
            batch.woken.push(Woken { id: UnitId(first), generation: Generation::Own });
        }
    }

    /// Announces that the run is about to sleep, unless there is something to do first.
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

    /// Has this waker of the host's end the sleep that was announced. Returns false if the sleep
    /// has ended already. This runs foreign code.
    pub(crate) fn sleep_until_woken(&self, waker: &Waker) -> bool {
        let is_known = |alarm: &Option<Alarm>| matches!(alarm, Some(Alarm::Host(host)) if host.will_wake(waker));
        {
            let contents = self.contents.lock();
            if is_known(&contents.alarm) {
                return contents.asleep;
            }
        }
        let alarm = Alarm::Host(Arc::new(waker.clone())); // foreign code, and so is dropping one
        let mut contents = self.contents.lock();
        let former = contents.alarm.replace(alarm);
        let asleep = contents.asleep;
        drop(contents);
        drop(former);
        asleep
    }

    /// Ends the sleep of the run, if it sleeps: something has become ready that was not left here.
    pub(crate) fn end_sleep(&self) {
        let contents = self.contents.lock();
        if contents.asleep {
            self.interrupt(contents, UnitId::NONE);
        }
    }

    /// Takes no more requests. The calls that were let in stay, and reports and wakes still come.
    pub(crate) fn refuse_calls(&self) {
        self.calls.refuse_requests();
        drop(self.wait_for_those_inside());
    }

    /// Waits until nobody is inside the gate, which already refuses further threads.
    fn wait_for_those_inside(&self) -> MutexGuard<'_, Contents> {
        let mut contents = self.contents.lock();
        while self.calls.is_anyone_inside() {
            contents = self.gone_out.wait(contents);
        }
        contents
    }

    /// The run moves out. Whatever was left for it is dropped.
    pub(super) fn close(&self) {
        self.calls.refuse_all();
        let mut contents = self.wait_for_those_inside();
        self.first.swap(CLOSED, Ordering::Relaxed);
        let alarm = contents.alarm.take();
        contents.woken = Wakes::new();
        let mut calls = Vec::new();
        self.calls.take(&mut calls);
        drop(contents);
        drop((alarm, calls)); // a system call, and foreign code
    }

    // Called by other threads.

    /// Wakes a unit. Does nothing if the run is gone.
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
        if contents.alarm.is_none() || !self.calls.run().may_have(id) {
            return; // the run is gone
        }
        if contents.asleep {
            self.interrupt(contents, id);
        } else {
            contents.woken.add(id);
            self.hint.store(true, Ordering::Relaxed);
        }
    }

    /// Leaves a call, which is made after those that were left before. It comes back if the run is
    /// gone or about to end.
    pub(crate) fn call(&self, run: RunId, call: Call) -> Result<(), Call> {
        self.leave(call, run, Purpose::Request)
    }

    /// Leaves a call that the run has been waiting for. It comes back only if the run is gone.
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
        let alarm = contents.alarm.clone();
        drop(contents); // the run wants the lock when it has woken up
        match alarm {
            // There is no one to tell if this fails, and it cannot while the descriptor is open.
            Some(Alarm::Reactor(interrupter)) => drop(interrupter.wake()),
            Some(Alarm::Host(waker)) => waker.wake_by_ref(), // foreign code
            None => {}
        }
    }
}
