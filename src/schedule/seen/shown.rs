//! What a run shows to [the watchdog](crate::run): a number that changes with everything that is
//! polled, and what is being polled.
//!
//! The run's thread writes two words for each poll, with plain stores, and the watchdog reads them
//! now and then. A name is not a word: it is kept under a lock, which only tasks with names take.
//! A run that is not watched shows nothing, and does not even ask: as with those who [look
//! on](super::onlookers), nurseries are polled by another copy of the same code.
//!
//! # Invariants
//!
//! 1. `what` is null, or the address of a `Location<'static>` with its provenance, and in its
//!    lowest bits one of the tags.
//! 2. The run's thread changes `step` before `what`, and the watchdog reads them the other way
//!    round. So if it finds a number that it has seen before, it has not found anything newer than
//!    that.

use std::panic::Location;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicPtr, AtomicUsize, fence};
use std::thread;
use std::time::{Duration, Instant};

use tracing::Dispatch;
use tracing::dispatcher::get_default;
use tracing::subscriber::NoSubscriber;

use crate::error::{Named, Spawned};
use crate::platform::Mutex;
use crate::platform::part::part;

type Place = &'static Location<'static>;

/// A place is that of a task unless it has one of these tags.
const TAGS: usize = 0b11;

/// The task has a name, which is the last of `names`.
const NAMED: usize = 0b01;

/// It is the run itself that is shown: its main future, or what it does between two polls.
const RUN: usize = 0b10;

const _: () = assert!(align_of::<Location<'static>>() > TAGS);

/// What is being polled, as one word: see [invariant 1](self#invariants).
#[derive(Clone, Copy)]
pub(crate) struct What(*mut Location<'static>);

impl What {
    pub(crate) const NOTHING: What = What(ptr::null_mut());

    pub(crate) fn run(place: Place) -> What {
        What::tagged(place, RUN)
    }

    /// A task without a name that was spawned at this place.
    #[inline(always)]
    pub(crate) fn task(place: Place) -> What {
        What::tagged(place, 0)
    }

    /// A task with a name, which has to be kept before this is shown.
    pub(crate) fn named(place: Place) -> What {
        What::tagged(place, NAMED)
    }

    #[inline(always)]
    fn tagged(place: Place, tag: usize) -> What {
        What(ptr::from_ref(place).cast_mut().map_addr(|place| place | tag))
    }

    #[inline]
    pub(crate) fn is_nothing(self) -> bool {
        self.0.is_null()
    }
}

part! {
    /// What the present run shows, if it is watched.
    pub(crate) const SHOWN: Shown;
}

/// What both threads have of a run.
pub(crate) struct Shown {
    /// Odd, so that it is never 0.
    step: AtomicUsize,
    /// What is being polled: null while the run sleeps.
    what: AtomicPtr<Location<'static>>,
    /// The names of those tasks that are being polled and have one, the innermost last.
    names: Mutex<Vec<Arc<Named>>>,
    /// The step that the watchdog has told of, or 0.
    told: AtomicUsize,
    /// Since when that had lasted, as far as the watchdog knows.
    told_since: Mutex<Option<Instant>>,
    /// Called on the run's thread when something else is shown than what was told of. Foreign code.
    goes_on: GoesOn,
    /// After how long the watchdog tells of something.
    pub(crate) limit: Duration,
    /// Where the run was begun.
    pub(crate) run: Place,
    /// The name of its thread, if it has one.
    pub(crate) thread: Option<String>,
    /// Whom the run's thread reports to; `None` for whoever listens everywhere.
    pub(crate) listener: Option<Dispatch>,
}

/// What the watchdog sees at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    Asleep,
    /// As long as it is the same number, it is the same poll.
    Polls(usize),
}

/// Told what has held the thread until now, and for how long, if that is known.
type GoesOn = fn(&Shown, Option<(Holder, Duration)>);

/// What holds a thread.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Holder {
    Task(Spawned),
    /// The main future of the run at this place, or something between two polls.
    Run(Place),
}

impl Shown {
    pub(crate) fn new(run: Place, limit: Duration, goes_on: GoesOn) -> Shown {
        let listener = get_default(Dispatch::clone);
        Shown {
            step: AtomicUsize::new(1),
            what: AtomicPtr::new(ptr::null_mut()),
            names: Mutex::new(Vec::new()),
            told: AtomicUsize::new(0),
            told_since: Mutex::new(None),
            goes_on,
            limit,
            run,
            thread: thread::current().name().map(str::to_owned),
            listener: (!listener.is::<NoSubscriber>()).then_some(listener),
        }
    }

    // Called by the watchdog.

    pub(crate) fn see(&self) -> Seen {
        let what = self.what.load(Acquire); // invariant 2
        let step = self.step.load(Relaxed);
        if what.is_null() { Seen::Asleep } else { Seen::Polls(step) }
    }

    /// What has held the thread since `since`, unless it has just gone on. The run will tell of it
    /// when it does.
    pub(crate) fn begin_to_tell(&self, step: usize, since: Instant) -> Option<Holder> {
        *self.told_since.lock() = Some(since);
        self.told.store(step, Release);
        fence(SeqCst);
        let holder = self.holder().filter(|_| self.see() == Seen::Polls(step));
        if holder.is_none() {
            // If the run has not noticed that it was to be told of, nothing is said.
            let _ = self.told.compare_exchange(step, 0, Relaxed, Relaxed);
        }
        holder
    }

    // Called by the run's thread.

    /// What is shown.
    #[inline]
    pub(crate) fn what(&self) -> What {
        What(self.what.load(Relaxed))
    }

    /// Shows something else, or the same anew.
    #[inline(always)]
    pub(crate) fn show(&self, what: What) {
        if self.is_told() {
            self.show_and_tell(what);
        } else {
            self.show_quietly(what);
        }
    }

    #[inline(always)]
    fn show_quietly(&self, what: What) {
        let next = self.step.load(Relaxed).wrapping_add(2);
        self.step.store(next, Relaxed); // invariant 2
        self.what.store(what.0, Release);
    }

    /// The same when the watchdog has told of something, and perhaps of this.
    #[cold]
    #[inline(never)]
    fn show_and_tell(&self, what: What) {
        let told = self.told.swap(0, Acquire);
        let holder = self.holder().filter(|_| told == self.step.load(Relaxed));
        let since = *self.told_since.lock();
        self.show_quietly(what);
        let held = since.map_or(Duration::ZERO, |since| since.elapsed());
        (self.goes_on)(self, holder.map(|holder| (holder, held)));
    }

    /// Keeps the name of a task that is about to be shown.
    pub(crate) fn keep_name(&self, name: Arc<Named>) {
        self.names.lock().push(name);
    }

    /// Forgets the name that was kept last.
    pub(crate) fn forget_name(&self) {
        self.names.lock().pop();
    }

    /// Whether the watchdog has told of something since this was last shown.
    #[inline]
    pub(crate) fn is_told(&self) -> bool {
        self.told.load(Relaxed) != 0
    }

    // Called by both.

    pub(crate) fn holder(&self) -> Option<Holder> {
        let what = self.what.load(Acquire);
        let tag = what.addr() & TAGS;
        // SAFETY: invariant 1.
        let place: Place = unsafe { what.map_addr(|what| what & !TAGS).as_ref() }?;
        Some(match tag {
            RUN => Holder::Run(place),
            NAMED => {
                let named = self.names.lock().last().cloned().map(Spawned::Named);
                // While the task changes it may be another one's.
                let its_own = named.filter(|named| ptr::eq(named.place(), place));
                Holder::Task(its_own.unwrap_or(Spawned::At(place)))
            }
            _ => Holder::Task(Spawned::At(place)),
        })
    }
}
