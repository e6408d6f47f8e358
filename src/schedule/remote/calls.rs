//! The calls that other threads leave for a run: a queue without a lock, and a gate in front of it.
//!
//! Any number of threads may leave calls side by side while the run takes them, and none of them
//! waits for another. A queue alone cannot refuse a call, though, nor tell a thread that the run is
//! asleep. The gate does both. It is one word: which calls are refused, whether the run is asleep,
//! how many threads are inside, that is, leaving a call at this moment, and how many calls have
//! been left.
//!
//! # Invariants
//!
//! 1. A thread pushes a call only while it is counted in the gate, and only if the gate did not
//!    refuse the call when the thread was counted. So when the gate refuses and nobody is inside,
//!    all calls that were let in are in the queue, and no more will come.
//! 2. `run` changes only when the gate refuses everything and no thread that was let in is still
//!    inside. So it stays the same for as long as such a thread is inside.
//! 3. A push is seen, or the sleeper is woken. The gate is changed only by exchanging it, so there
//!    is one order of all changes, and each thread knows what was done before the changes that
//!    precede its own. A thread that goes out before the run sets `ASLEEP` has pushed its call and
//!    counted it by then, so the run finds it. A thread that goes out after that finds `ASLEEP`
//!    set, and interrupts the sleep.
//! 4. `taken` is how many calls were ever taken out of the queue, and is written only by the run's
//!    thread. The calls that were left and not taken are in the queue.

use std::iter;
use std::sync::atomic::{AtomicU32, AtomicU64};

use crate::platform::{AtomicUsize, Ordering, SegQueue};
use crate::schedule::ids::RunId;

/// Something to run on the run's thread. If it is dropped instead, the run is gone.
pub(crate) type Call = Box<dyn FnOnce() + Send>;

/// The purpose of a call.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// To ask something of the run. It is refused once the run is about to end.
    Request,
    /// To tell the run something that it has been waiting for. It is refused only when the run is
    /// gone.
    Report,
}

/// What the run may be doing when a thread leaves the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Run {
    /// It is awake, and will find by itself what was left.
    Busy,
    /// It may be asleep, or waiting until nobody is inside.
    MayWait,
}

// The parts of the gate's word, from the lowest bit up.
const REFUSES_REQUESTS: usize = 1;
const REFUSES_REPORTS: usize = 1 << 1;
/// The run sleeps, or is about to.
const ASLEEP: usize = 1 << 2;
/// The run waits until nobody is inside.
const AWAITED: usize = 1 << 3;
/// One thread that is inside.
const THREAD: usize = 1 << 4;
/// One call that was left. This count has the highest bits, so that it may overflow.
const CALL: usize = 1 << CALL_SHIFT;

const REFUSES_ALL: usize = REFUSES_REQUESTS | REFUSES_REPORTS;
const CALL_SHIFT: u32 = 32;

/// How many calls were ever left.
fn left(gate: usize) -> u32 {
    (gate >> CALL_SHIFT) as u32
}

impl Purpose {
    fn is_refused(self, gate: usize) -> bool {
        let refuses = match self {
            Purpose::Request => REFUSES_REQUESTS,
            Purpose::Report => REFUSES_REPORTS,
        };
        gate & refuses != 0
    }
}

pub(super) struct Calls {
    gate: AtomicUsize,
    // These are not loom's atomics, because invariants 2 and 4 leave no interleavings to explore.
    taken: AtomicU32,
    /// Which run the calls are for.
    run: AtomicU64,
    queue: SegQueue<Call>,
}

impl Calls {
    pub(super) fn new() -> Self {
        Calls {
            gate: AtomicUsize::new(REFUSES_ALL),
            taken: AtomicU32::new(0),
            run: AtomicU64::new(RunId::NONE.to_bits()),
            queue: SegQueue::new(),
        }
    }

    /// Which run the calls are for. To be called only by a thread that was let in or has the
    /// inbox's lock.
    pub(super) fn run(&self) -> RunId {
        RunId::from_bits(self.run.load(Ordering::Relaxed))
    }

    // Called by the run.

    pub(super) fn open(&self, run: RunId) {
        self.run.store(run.to_bits(), Ordering::Relaxed);
        self.gate.fetch_and(!REFUSES_ALL, Ordering::AcqRel);
    }

    /// Refuses requests from now on. To be followed by
    /// [`is_anyone_inside`](Self::is_anyone_inside).
    pub(super) fn refuse_requests(&self) {
        self.gate.fetch_or(REFUSES_REQUESTS | AWAITED, Ordering::AcqRel);
    }

    /// Refuses all calls from now on. To be followed by
    /// [`is_anyone_inside`](Self::is_anyone_inside).
    pub(super) fn refuse_all(&self) {
        self.gate.fetch_or(REFUSES_ALL | AWAITED, Ordering::AcqRel);
    }

    /// Whether a thread is leaving a call at this moment. To be called until it returns false.
    pub(super) fn is_anyone_inside(&self) -> bool {
        let inside = self.gate.load(Ordering::Acquire) as u32 as usize >= THREAD;
        if !inside {
            self.gate.fetch_and(!AWAITED, Ordering::AcqRel);
        }
        inside
    }

    /// Whether there is a call, as far as this thread knows.
    #[inline]
    pub(super) fn may_have_news(&self) -> bool {
        self.has_more(self.gate.load(Ordering::Relaxed))
    }

    #[inline]
    fn has_more(&self, gate: usize) -> bool {
        left(gate) != self.taken.load(Ordering::Relaxed)
    }

    /// Takes the calls that have been left, but not those that arrive meanwhile: a thread that
    /// leaves calls without pause must not keep the run from everything else.
    ///
    /// If a thread has been preempted in the middle of a push, others may have overtaken it, and
    /// their calls come after its own. Then this waits until that thread has finished: it spins,
    /// and soon yields its processor.
    #[inline]
    pub(super) fn take(&self, calls: &mut Vec<Call>) {
        if self.may_have_news() {
            self.take_all(calls);
        }
    }

    #[cold]
    fn take_all(&self, calls: &mut Vec<Call>) {
        let left = left(self.gate.load(Ordering::Acquire));
        let here = left.wrapping_sub(self.taken.load(Ordering::Relaxed));
        calls.extend(iter::from_fn(|| self.queue.pop()).take(here as usize));
        self.taken.store(left, Ordering::Relaxed);
    }

    /// Sets `ASLEEP`, and returns whether the run may sleep: if there is a call, it stays awake.
    pub(super) fn fall_asleep(&self) -> bool {
        // The bit is not set, so adding it sets it, in one instruction.
        let may_sleep = !self.has_more(self.gate.fetch_add(ASLEEP, Ordering::AcqRel));
        if !may_sleep {
            self.wake_up();
        }
        may_sleep
    }

    pub(super) fn wake_up(&self) {
        self.gate.fetch_and(!ASLEEP, Ordering::AcqRel);
    }

    // Called by other threads.

    /// Leaves a call. It comes back if it is refused, or if it is for another run.
    pub(super) fn leave(
        &self,
        call: Call,
        run: RunId,
        purpose: Purpose,
    ) -> (Result<(), Call>, Run) {
        let gate = self.gate.fetch_add(THREAD, Ordering::AcqRel);
        if purpose.is_refused(gate) || self.run() != run {
            return (Err(call), self.go_out(0));
        }
        self.queue.push(call);
        (Ok(()), self.go_out(CALL))
    }

    /// Leaves the gate. `left` is `CALL`, or 0 if no call was left.
    fn go_out(&self, left: usize) -> Run {
        let gate = self.gate.fetch_add(left.wrapping_sub(THREAD), Ordering::AcqRel);
        if gate & (ASLEEP | AWAITED) == 0 { Run::Busy } else { Run::MayWait }
    }
}
