//! The thread that watches the runs of this process. It is started by the first run that is to be
//! watched, and never ends; a process that ends does not wait for it.
//!
//! While no run has the thread for itself, and while whatever holds one has been told of already,
//! it waits to be roused. A run that wakes up looks whether it has to, which is the only thing it
//! does for this beside showing what it polls.
//!
//! A forked process has a watchdog of its own. The parent's is never touched there, because its
//! lock may be taken for ever.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, fence};
use std::time::{Duration, Instant};

use crate::error::panic::quietly;
use crate::platform::{Condvar, Mutex, OfProcess, process, shared_static, spawn_thread};
use crate::run::blocked::sight::{Sight, Verdict};
use crate::run::blocked::told::still_held;
use crate::schedule::seen::shown::{Holder, Shown};
#[cfg(not(loom))]
use crate::threads::affinity;

shared_static! {
    static WATCHDOG: OfProcess<Arc<Watchdog>> = OfProcess::new(|| Arc::new(Watchdog::new()));
}

struct Watchdog {
    process: u32,
    kept: Mutex<Kept>,
    roused: Condvar,
    /// Whether it waits to be roused. Changed with the lock.
    sleeps: AtomicBool,
}

struct Kept {
    runs: Vec<(Arc<Shown>, Sight)>,
    has_thread: bool,
}

/// As long as this lives, a run is watched.
pub(super) struct Watch {
    watchdog: Arc<Watchdog>,
    shown: Arc<Shown>,
}

/// Something to be told of.
struct Telling {
    shown: Arc<Shown>,
    step: usize,
    since: Instant,
    held: Duration,
}

impl Watch {
    /// If there can be no thread for it, nothing is watched.
    pub(super) fn begin(shown: Arc<Shown>) -> Watch {
        let watchdog = WATCHDOG.get().clone();
        let mut kept = watchdog.kept.lock();
        kept.runs.push((shown.clone(), Sight::new(shown.limit, Instant::now())));
        if !kept.has_thread {
            let watchdog = watchdog.clone();
            let watch = move || {
                #[cfg(not(loom))]
                affinity::restore();
                watchdog.watch();
            };
            kept.has_thread = spawn_thread("seedbed watch", watch).is_ok();
        }
        drop(kept);
        watchdog.roused.notify_one(); // its limit may be shorter than those of the others
        Watch { watchdog, shown }
    }

    /// To be called when the run has begun to show something that may become too old.
    pub(super) fn rouse(&self) {
        self.watchdog.rouse();
    }
}

/// The same for any run of this process.
pub(super) fn rouse() {
    WATCHDOG.get().rouse();
}

/// What holds the thread of the run that shows it at this address.
pub(super) fn holder(address: usize) -> Option<Holder> {
    let kept = WATCHDOG.get().kept.lock();
    let mut runs = kept.runs.iter().map(|(shown, _)| shown);
    runs.find(|shown| Arc::as_ptr(shown).addr() == address)?.holder()
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.watchdog.is_of_this_process() {
            let mut kept = self.watchdog.kept.lock();
            kept.runs.retain(|(shown, _)| !Arc::ptr_eq(shown, &self.shown));
        }
    }
}

impl Watchdog {
    fn new() -> Watchdog {
        Watchdog {
            process: process(),
            kept: Mutex::new(Kept { runs: Vec::new(), has_thread: false }),
            roused: Condvar::new(),
            sleeps: AtomicBool::new(false),
        }
    }

    fn is_of_this_process(&self) -> bool {
        self.process == process()
    }

    fn rouse(&self) {
        // Either this sees that the watchdog sleeps, or the watchdog sees what is shown.
        fence(SeqCst);
        if self.sleeps.load(Relaxed) && self.is_of_this_process() {
            let _kept = self.kept.lock();
            if self.sleeps.swap(false, Relaxed) {
                self.roused.notify_one();
            }
        }
    }

    /// What its thread does.
    fn watch(&self) {
        let mut kept = self.kept.lock();
        loop {
            let (telling, next) = kept.look(Instant::now());
            if !telling.is_empty() {
                drop(kept);
                for Telling { shown, step, since, held } in telling {
                    if let Some(holder) = shown.begin_to_tell(step, since) {
                        still_held(&shown, &holder, held); // foreign code
                    }
                    quietly(|| drop(shown)); // with the run's subscriber, if the run has ended
                }
                kept = self.kept.lock();
                continue;
            }
            kept = match next {
                Some(next) => self.roused.wait_for(kept, next).0,
                None => {
                    self.sleeps.store(true, Relaxed);
                    fence(SeqCst);
                    if kept.is_any_due() {
                        self.sleeps.store(false, Relaxed);
                    }
                    while self.sleeps.load(Relaxed) {
                        kept = self.roused.wait(kept);
                    }
                    kept
                }
            };
        }
    }
}

impl Kept {
    /// What is to be told of, and when to look again.
    fn look(&mut self, now: Instant) -> (Vec<Telling>, Option<Duration>) {
        let (mut telling, mut next) = (Vec::new(), None);
        for (shown, sight) in &mut self.runs {
            let seen = shown.see();
            match sight.look(now, seen) {
                Verdict::Nothing => {}
                Verdict::LookIn(time) => next = next.into_iter().chain([time]).min(),
                Verdict::Tell { step, since, held } => {
                    telling.push(Telling { shown: shown.clone(), step, since, held });
                }
            }
        }
        // Any of them may wake up meanwhile.
        let shortest = || self.runs.iter().map(|(_, sight)| sight.period()).min();
        (telling, next.and_then(|next| shortest().map(|shortest| next.min(shortest))))
    }

    fn is_any_due(&self) -> bool {
        self.runs.iter().any(|(shown, sight)| sight.is_due(shown.see()))
    }
}
