//! Finding operations that were given something and are not polled, while the run goes on.
//!
//! Only one operation can have a certain permit or message. If an operation that was given one does
//! not fetch it, because its task no longer polls the operation, everybody else has to do without.
//! The run need not be idle meanwhile, and may never be. So twice a second, while something has
//! been given and not fetched, the run loop checks which of these operations were passed over: the
//! unit that should fetch the thing has been polled since, or nothing polls that unit. If this is
//! still so a second later, it is reported, once for each place.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::Location;
use std::time::Duration;

use tracing::field::display;

use crate::error::Stuck;
use crate::operation::handed::{self, HandedOver};
use crate::platform::clock::Nanos;
use crate::run::Run;
use crate::run::stuck::{self, PATIENCE, part_of_dump};
use crate::schedule::ids::UnitId;

/// The time from one look to the next.
const PERIOD: Nanos = PATIENCE / 2;

#[derive(Default)]
pub(in crate::run) struct Withheld {
    /// The earliest time of the next look.
    not_before: Cell<Nanos>,
    /// The operations that were found to be passed over, and when that was first seen.
    suspects: RefCell<HashMap<Key, Nanos>>,
    /// The places that have been reported.
    told: RefCell<HashSet<&'static Location<'static>>>,
}

/// The key of a delivery, with the place and the tick that tell it from later ones with the same
/// key.
type Key = (u32, &'static Location<'static>, u32);

impl Run {
    /// Whether deliveries to operations are recorded until they are fetched. They are not if being
    /// stuck is an error, because being passed over is not always a mistake.
    pub(crate) fn records_handed(&self) -> bool {
        !self.fail_when_stuck
    }

    /// Whether it is time to look for operations that were passed over. This cannot be done while a
    /// nursery is being polled, because the unit in question may be on the stack.
    #[inline]
    pub(in crate::run) fn withheld_is_due(&self) -> bool {
        handed::is_any() && self.clock.now_or_later() >= self.withheld.not_before.get()
    }

    /// Whether to report from here that an operation in this unit has not fetched something. If a
    /// scope around it is reported, that is enough.
    pub(super) fn tell_of_withheld(&self, unit: UnitId, scope_is_told_of: bool) -> bool {
        if !handed::is_any() {
            return false;
        }
        let mut places = handed::all();
        places.retain(|(_, handed)| handed.unit == unit);
        if scope_is_told_of {
            self.withheld.told.borrow_mut().extend(places.iter().map(|(_, handed)| handed.place));
        }
        !scope_is_told_of && !places.is_empty()
    }

    /// If it is time, looks for operations that were passed over, and reports them. Returns the
    /// time of the next look.
    #[inline]
    pub(in crate::run) fn look_for_withheld(&self) -> Option<Nanos> {
        if handed::is_any() { self.look_at_handed() } else { None }
    }

    #[cold]
    fn look_at_handed(&self) -> Option<Nanos> {
        let now = self.clock.now_or_later();
        let Withheld { not_before, suspects, told } = &self.withheld;
        if now >= not_before.get() {
            not_before.set(now.saturating_add(PERIOD));
            let mut found: BTreeMap<_, (HandedOver, usize, Nanos)> = BTreeMap::new();
            let before = suspects.take();
            for (key, handed) in handed::all() {
                let key = (key, handed.place, handed.tick);
                let known = before.get(&key).copied();
                if stuck::is_passed_over(handed.unit, handed.tick) {
                    let since = known.unwrap_or(now);
                    if now - since >= PATIENCE && !told.borrow().contains(handed.place) {
                        let (_, count, longest) =
                            found.entry(handed.place).or_insert((handed, 0, 0));
                        *count += 1;
                        *longest = (*longest).max(now - since);
                    }
                    suspects.borrow_mut().insert(key, since);
                } else if let Some(since) = known {
                    // It is waiting for its turn, and may yet be passed over again.
                    suspects.borrow_mut().insert(key, since);
                }
            }
            for (place, (handed, count, lasted)) in found {
                told.borrow_mut().insert(place);
                let (stuck, lasted) =
                    (Stuck::operation(handed.place, handed.what), Duration::from_nanos(lasted));
                let dump = part_of_dump(place).map(display);
                tracing::warn!(operation = %place, count, ?lasted, dump, "{stuck}");
            }
        }
        let told = told.borrow();
        let untold = suspects.borrow().keys().any(|(_, place, _)| !told.contains(place));
        untold.then(|| not_before.get())
    }
}
