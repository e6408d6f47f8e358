//! Finding operations that were handed something and are not polled, while the run goes on.
//!
//! A permit or a message that only one operation can have is kept from all others as long as that
//! operation does not fetch it because its task no longer polls it. The run need not be idle
//! meanwhile, and may never be. So twice a second, while something is handed and not fetched, the run
//! loop looks which of these operations were passed over: the unit that should fetch it has been
//! polled since, or nothing polls that unit. If that is still so a second later it is reported, once
//! for each place.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::Location;
use std::time::Duration;

use crate::error::Stuck;
use crate::operation::handed::{self, HandedOver};
use crate::platform::clock::Nanos;
use crate::run::Run;
use crate::run::stuck::{self, PATIENCE};
use crate::schedule::ids::UnitId;

/// How long after a look the next one may come.
const PERIOD: Nanos = PATIENCE / 2;

#[derive(Default)]
pub(super) struct Unfetched {
    /// The earliest time of the next look.
    not_before: Cell<Nanos>,
    /// What was found to be passed over, and when that was first seen.
    suspects: RefCell<HashMap<Key, Nanos>>,
    /// The places that have been reported.
    told: RefCell<HashSet<&'static Location<'static>>>,
}

/// The key, with the place and the tick that tell it from later ones with the same key.
type Key = (u32, &'static Location<'static>, u32);

impl Run {
    /// Whether what is handed to operations is recorded until it is fetched. Not where being stuck is
    /// an error, as being passed over is not always a mistake.
    pub(crate) fn records_handed(&self) -> bool {
        !self.fail_when_stuck
    }

    /// Whether it is time to look for what was passed over. The look itself cannot be taken while a
    /// nursery is being polled, as the unit that should fetch it may be on the stack.
    #[inline]
    pub(super) fn unfetched_is_due(&self) -> bool {
        handed::is_any() && self.clock.now_or_later() >= self.unfetched.not_before.get()
    }

    /// Whether something that was handed to an operation in this unit is reported from here. If a
    /// scope around it is reported, that is enough.
    pub(super) fn tell_of_unfetched(&self, unit: UnitId, scope_is_told_of: bool) -> bool {
        if !handed::is_any() {
            return false;
        }
        let mut places = handed::all();
        places.retain(|(_, handed)| handed.unit == unit);
        if scope_is_told_of {
            self.unfetched.told.borrow_mut().extend(places.iter().map(|(_, handed)| handed.place));
        }
        !scope_is_told_of && !places.is_empty()
    }

    /// If it is time, looks for what was passed over, and reports it. Returns the time of the next
    /// look.
    #[inline]
    pub(super) fn look_for_unfetched(&self) -> Option<Nanos> {
        if handed::is_any() { self.look_at_handed() } else { None }
    }

    #[cold]
    fn look_at_handed(&self) -> Option<Nanos> {
        let now = self.clock.now_or_later();
        let Unfetched { not_before, suspects, told } = &self.unfetched;
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
                    // It waits for its turn, and may yet be passed over again.
                    suspects.borrow_mut().insert(key, since);
                }
            }
            for (place, (handed, count, lasted)) in found {
                told.borrow_mut().insert(place);
                let (stuck, lasted) =
                    (Stuck::operation(handed.place, handed.what), Duration::from_nanos(lasted));
                tracing::warn!(operation = %place, count, ?lasted, "{stuck}");
            }
        }
        let told = told.borrow();
        let untold = suspects.borrow().keys().any(|(_, place, _)| !told.contains(place));
        untold.then(|| not_before.get())
    }
}
