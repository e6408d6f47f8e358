//! Exclusive things, such as permits, that were delivered to operations that have not fetched them
//! yet.
//!
//! A waiting operation is given a permit or a message, and fetches it when it is next polled, which
//! is nearly always soon. But if the operation is parked inside something that its task no longer
//! polls, it never fetches the thing, and keeps it from everybody else. [`run::stuck`] looks for such
//! operations.
//!
//! A delivery is recorded for each message to a waiting task, so this has to be cheap. Each thread
//! has 64 places for the records, and a bit for each that says whether it is taken. Only when all
//! are taken are further records kept by the run.
//!
//! [`run::stuck`]: crate::run

use std::cell::{Cell, RefCell};
use std::panic::Location;

use slab::Slab;

use crate::error::Exclusive;
use crate::platform::part::part;
use crate::platform::thread_static;
use crate::schedule::current::{self, THREAD};
use crate::schedule::ids::{RunId, UnitId};
use crate::schedule::remote::away;

/// Something that was delivered to an operation and not fetched.
#[derive(Clone, Copy)]
pub(crate) struct HandedOver {
    /// Where the operation was called.
    pub(crate) place: &'static Location<'static>,
    pub(crate) what: Exclusive,
    /// The unit that the operation waited in.
    pub(crate) unit: UnitId,
    /// The scheduler's tick at the time of delivery.
    pub(crate) tick: u32,
}

/// How many places each thread has.
const NEAR: u32 = u64::BITS;

/// The places of this thread, for the present run.
struct Near {
    taken: Cell<u64>,
    places: [Cell<Option<HandedOver>>; NEAR as usize],
}

/// The records of a run that are not in its thread's places.
#[derive(Default)]
pub(crate) struct Records {
    /// Those for which no place was left.
    far: RefCell<Slab<HandedOver>>,
    /// Those that were in the thread's places, with their keys, while the run is not the present
    /// one.
    near: RefCell<Vec<(u32, HandedOver)>>,
}

part! {
    /// The records of the present run. Absent if it keeps none.
    const RECORDS: Records;
}

impl Near {
    /// As long as no run keeps records, all places are taken.
    const fn closed() -> Near {
        Near { taken: Cell::new(u64::MAX), places: [const { Cell::new(None) }; NEAR as usize] }
    }

    /// What is in the places, each with its key.
    fn records(&self) -> impl Iterator<Item = (u32, HandedOver)> {
        let is_taken = |key: &u32| self.taken.get() >> key & 1 == 1;
        (0..NEAR).filter(is_taken).filter_map(|key| Some((key, self.places[key as usize].get()?)))
    }
}

thread_static! {
    static HERE: Near = Near::closed();
}

/// As long as the returned value lives, each delivery in the present run is recorded until it is
/// fetched, if the run keeps records.
pub(crate) fn keep(records: Option<&Records>) -> impl Drop {
    struct Kept<'a, T> {
        lent: Option<T>,
        records: Option<&'a Records>,
    }
    impl<T> Drop for Kept<'_, T> {
        fn drop(&mut self) {
            self.records.inspect(|records| records.close());
            self.lent = None;
            RECORDS.with(|former| former.map(Records::open));
        }
    }
    RECORDS.with(|former| former.map(Records::close));
    let lent = RECORDS.lend_or_hide(records);
    records.inspect(|records| records.open());
    Kept { lent: Some(lent), records }
}

impl Records {
    /// Takes the places of the thread.
    fn open(&self) {
        HERE.with(|Near { taken, places }| {
            taken.set(0);
            for (key, handed) in self.near.borrow_mut().drain(..) {
                taken.set(taken.get() | 1 << key);
                places[key as usize].set(Some(handed));
            }
        });
    }

    /// Clears the thread's places.
    fn close(&self) {
        HERE.with(|near| {
            self.near.borrow_mut().extend(near.records());
            near.taken.set(u64::MAX);
        });
    }
}

/// Whether the present run has a record of anything that was delivered and not fetched.
#[inline]
pub(crate) fn is_any() -> bool {
    RECORDS.with(|records| {
        let is_near = || HERE.with(|near| near.taken.get() != 0);
        records.is_some_and(|Records { far, .. }| is_near() || !far.borrow().is_empty())
    })
}

/// Everything that has not been fetched in the present run, each with a key.
pub(crate) fn all() -> Vec<(u32, HandedOver)> {
    HERE.with(|near| {
        let mut all: Vec<_> = near.records().collect();
        RECORDS.with(|records| {
            let Some(Records { far, .. }) = records else { return };
            let far = far.borrow();
            all.extend(far.iter().map(|(key, handed)| (NEAR + key as u32, *handed)));
        });
        all
    })
}

/// A queue's record of an operation that may be waiting for something that only one can have.
pub(crate) struct Taker {
    /// Where the operation was called, if it waits for such a thing, and the unit in which it began
    /// to wait.
    called: Option<&'static Location<'static>>,
    unit: UnitId,
    delivery: Delivery,
}

/// A [`Taker`], or nothing in queues where nobody waits for such a thing.
pub(crate) trait Takes {
    /// No operation waits.
    const NONE: Self;

    /// An operation begins to wait in the unit that is being polled.
    fn begin(&mut self, called: Option<&'static Location<'static>>);

    /// The operation is given what it waits for. It may have moved to another unit in the meantime.
    fn hand(&mut self, what: Exclusive, unit: Option<UnitId>);

    /// The operation has fetched it, or no longer waits.
    fn fetch(&mut self);
}

/// For queues whose waiters all wait for something that many can have.
pub(crate) struct Anybody;

impl Takes for Anybody {
    const NONE: Anybody = Anybody;

    #[inline(always)]
    fn begin(&mut self, _: Option<&'static Location<'static>>) {}

    #[inline(always)]
    fn hand(&mut self, _: Exclusive, _: Option<UnitId>) {}

    #[inline(always)]
    fn fetch(&mut self) {}
}

impl Takes for Taker {
    const NONE: Taker = Taker { called: None, unit: UnitId::NONE, delivery: Delivery::NONE };

    #[inline]
    fn begin(&mut self, called: Option<&'static Location<'static>>) {
        self.called = called;
        if called.is_some() {
            self.unit = THREAD.with(|thread| thread.unit.get());
        }
    }

    #[inline]
    fn hand(&mut self, what: Exclusive, unit: Option<UnitId>) {
        if let Some(place) = self.called {
            self.delivery = Delivery::new(place, what, unit.unwrap_or(self.unit));
        }
    }

    #[inline]
    fn fetch(&mut self) {
        if self.delivery.is_kept() {
            self.delivery = Delivery::NONE;
        }
    }
}

/// A record that something was delivered to an operation, dropped when the operation fetches it.
pub(crate) struct Delivery {
    /// The run in which this happened; [`RunId::NONE`] if there is no record.
    run: RunId,
    key: u32,
}

impl Delivery {
    pub(crate) const NONE: Delivery = Delivery { run: RunId::NONE, key: 0 };

    #[inline]
    fn is_kept(&self) -> bool {
        !self.run.is_none()
    }

    /// A record for an operation that already has the thing, and lets others run before it goes on.
    pub(crate) fn now(place: &'static Location<'static>, what: Exclusive) -> Delivery {
        Delivery::new(place, what, THREAD.with(|thread| thread.unit.get()))
    }

    #[inline]
    fn new(place: &'static Location<'static>, what: Exclusive, unit: UnitId) -> Delivery {
        THREAD.with(|thread| {
            let handed = HandedOver { place, what, unit, tick: thread.rounds.tick.get() };
            HERE.with(|Near { taken, places }| {
                let key = taken.get().trailing_ones();
                let Some(free) = places.get(key as usize) else { return Delivery::far(handed) };
                taken.set(taken.get() | 1 << key);
                free.set(Some(handed));
                Delivery { run: thread.run.get(), key }
            })
        })
    }

    #[cold]
    fn far(handed: HandedOver) -> Delivery {
        RECORDS.with(|records| match records {
            Some(Records { far, .. }) => {
                let key = far.borrow_mut().insert(handed);
                Delivery { run: current::current_run(), key: NEAR + key as u32 }
            }
            None => Delivery::NONE,
        })
    }

    /// Does so in the run that has the record. If that has ended, the record is gone.
    #[cold]
    fn fetch_elsewhere(&self) {
        away::in_run(self.run, || {
            if current::current_run() == self.run {
                drop(Delivery { ..*self });
            }
        });
    }

    #[cold]
    fn fetch_far(&self) {
        RECORDS.with(|records| {
            if let Some(Records { far, .. }) = records {
                far.borrow_mut().remove((self.key - NEAR) as usize);
            }
        });
    }
}

impl Drop for Delivery {
    #[inline]
    fn drop(&mut self) {
        if !self.is_kept() {
            return;
        }
        THREAD.with(|thread| {
            if thread.run.get() != self.run {
                return self.fetch_elsewhere();
            }
            if self.key >= NEAR {
                return self.fetch_far();
            }
            HERE.with(|Near { taken, .. }| taken.set(taken.get() & !(1 << self.key)));
        });
    }
}
