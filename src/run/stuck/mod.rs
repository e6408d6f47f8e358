//! Finding stuck code: a nursery that has work ready and is not polled, a cancelled scope that
//! stays open, clean-up that does not end.
//!
//! | file | concept |
//! |---|---|
//! | `mod` | finding it when nothing is left to run |
//! | `withheld_messages` | finding tasks that were given something and do not take it |
//! | `overdue_jobs` | reporting which functions on other threads a run waits for |
//!
//! When nothing is left to run, three counters say whether anything could be stuck. Nearly always
//! they are 0. Otherwise the units and the scopes are searched.
//!
//! On the system's clock, something counts as stuck only after a second, because a program may yet
//! poll what it left alone for a moment. So the run loop wakes up at most once more: a second after
//! it had nothing to run while a counter was not 0. On a virtual clock no time passes while nothing
//! runs, so whatever is found is stuck.

pub(super) mod overdue_jobs;
pub(super) mod withheld_messages;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::Location;
use std::ptr;
use std::time::Duration;

use tracing::field::display;

use crate::error::panic::{quietly, report};
use crate::error::{Result, Stuck};
use crate::nursery::core::{Core, Which};
use crate::platform::clock::Nanos;
use crate::run::Run;
use crate::schedule::current::THREAD;
use crate::schedule::ids::UnitId;
use crate::schedule::units::table;
use crate::schedule::units::unit::Unit;
use crate::scope::tree::Scope;
use crate::snapshot::dump::dump;

/// How long something has to be stuck, on the system's clock, before that is reported.
pub(super) const PATIENCE: Nanos = 1_000_000_000;

/// The same for clean-up, which may take its time, and may wait for a thread.
const CLEAN_UP: Nanos = 10_000_000_000;

/// The nurseries and scopes that may be stuck, as far as is known.
pub(super) struct Lookout {
    patience: Nanos,
    /// There is no look before this time.
    not_before: Nanos,
    /// The tick of the latest look. Nothing can have changed until there is another tick.
    looked_in: Option<u32>,
    suspects: HashMap<Key, Suspect>,
}

/// Identifies a nursery or scope. Another one may have the same address by now. A nursery is told
/// from its successors by the tick since which it has been ready, and a scope by the mark that it
/// has been seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Nursery(usize, u32),
    Handed(usize),
    Cancelled(usize),
    CleanUp(usize),
    Start(usize),
    Job(usize),
}

struct Suspect {
    since: Nanos,
    reported: bool,
}

/// Something that seems to be stuck.
struct Found {
    key: Key,
    /// Whether this may already be a suspect.
    known: bool,
    stuck: Stuck,
}

/// Something that is stuck, how many more look like it, and how long the oldest has been stuck.
struct Report {
    stuck: Stuck,
    count: usize,
    lasted: Duration,
}

/// What to do when nothing can run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    Look,
    /// Sleep, until this time at the latest.
    Sleep(Option<Nanos>),
}

impl Lookout {
    pub(super) fn new(immediate: bool) -> Lookout {
        Lookout {
            patience: if immediate { 0 } else { PATIENCE },
            not_before: 0,
            looked_in: None,
            suspects: HashMap::new(),
        }
    }

    fn next(&self, now: Nanos, tick: u32) -> Next {
        let changed = self.looked_in != Some(tick);
        if !changed && self.suspects.values().all(|suspect| suspect.reported) {
            Next::Sleep(None)
        } else if now < self.not_before {
            Next::Sleep(Some(self.not_before))
        } else {
            Next::Look
        }
    }

    /// Records what was found, and returns what has to be reported.
    fn take_in(&mut self, found: Vec<Found>, now: Nanos, tick: u32) -> Vec<Report> {
        self.looked_in = Some(tick);
        self.not_before = now.saturating_add(self.patience);
        let before = std::mem::take(&mut self.suspects);
        // Grouped by what a reader can distinguish, because there may be thousands of each.
        let mut reports: BTreeMap<_, Vec<Report>> = BTreeMap::new();
        for Found { key, known, stuck } in found {
            let (since, mut reported) = match before.get(&key) {
                Some(suspect) if known => (suspect.since, suspect.reported),
                _ => (now, false),
            };
            let patience = match key {
                Key::CleanUp(_) if self.patience > 0 => CLEAN_UP,
                _ => self.patience,
            };
            if !reported && now - since >= patience {
                reported = true;
                let lasted = Duration::from_nanos(now - since);
                let same_place = reports.entry(stuck.place()).or_default();
                match same_place.iter_mut().find(|report| report.stuck.looks_like(&stuck)) {
                    Some(report) => {
                        report.count += 1;
                        report.lasted = report.lasted.max(lasted);
                    }
                    None => same_place.push(Report { stuck, count: 1, lasted }),
                }
            }
            self.suspects.insert(key, Suspect { since, reported });
        }
        reports.into_values().flatten().collect()
    }
}

/// What to do when nothing can run.
pub(super) enum Idle {
    /// Something may be stuck. Look again at this time.
    Until(Option<Nanos>),
    /// Something was reported, and that may have made something ready.
    Reported,
}

impl Run {
    /// To be called when there is nothing left to run. Looks for what is stuck, and reports it.
    /// Something outside may be `at_work` for the run; if `nothing_comes`, no timer and nothing
    /// outside will make anything ready.
    ///
    /// # Errors
    ///
    /// [`Stuck`], if the run is set to fail with that.
    pub(super) fn look_for_stuck(&self, at_work: bool, nothing_comes: bool) -> Result<Idle> {
        let (queued, scopes, starts, tick) = THREAD.with(|thread| {
            let scopes = thread.counts.handed.get() + thread.counts.cancelled.get();
            (
                thread.rounds.ready_queues.get(),
                scopes,
                thread.counts.starts.get(),
                thread.rounds.tick.get(),
            )
        });
        // With `detect_deadlock` this is already an error.
        let (asking, starts) = match nothing_comes && !self.detect_deadlock {
            true => (self.jobs.asking(), starts),
            false => (Vec::new(), 0),
        };
        if queued + scopes + starts + asking.len() == 0 {
            return Ok(Idle::Until(None));
        }
        let now = self.now();
        if let Next::Sleep(until) = self.lookout.borrow().next(now, tick) {
            return Ok(Idle::Until(until));
        }
        let patience = self.lookout.borrow().patience;
        let mut found = Vec::new();
        if queued > 0 {
            find_nurseries(&mut found);
        }
        if scopes > 0 {
            self.system.core().scope().walk(|scope| {
                // A thing that is kept from others is reported only once: separately, if that has
                // lasted for long enough.
                let by_itself =
                    scope.is_handed() && self.tell_of_withheld(scope.host(), patience == 0);
                found.extend(if by_itself { None } else { look_at(scope) });
                if nothing_comes && !self.detect_deadlock {
                    found.extend(look_at_clean_up(scope));
                }
                true
            });
        }
        if starts > 0 {
            self.system.core().scope().walk(|scope| {
                found.extend(look_at_start(scope));
                true
            });
        }
        found.extend(asking.into_iter().map(|(key, asks)| Found {
            key: Key::Job(key),
            known: true,
            stuck: Stuck::job(asks),
        }));
        if at_work {
            // A cancelled scope may, through foreign code, be waiting for the end of a job.
            found.retain(|found| !matches!(found.key, Key::Cancelled(_)));
        }
        let mut lookout = self.lookout.borrow_mut();
        let mut reports = lookout.take_in(found, now, tick).into_iter();
        let next = lookout.next(now, tick);
        drop(lookout); // subscribers are foreign code
        let failure = if self.fail_when_stuck { reports.next() } else { None };
        let reported = reports.len() > 0;
        for Report { stuck, count, lasted } in reports {
            let dump = part_of_dump(stuck.place());
            let dump = dump.map(display);
            report!(warn, opened_at = %stuck.place(), count, ?lasted, dump, "{stuck}");
        }
        match (failure, next) {
            (Some(failure), _) => Err(failure.stuck.with_dump(text_of_dump()).into()),
            (None, _) if reported => Ok(Idle::Reported),
            (None, Next::Sleep(until)) => Ok(Idle::Until(until)),
            (None, Next::Look) => Ok(Idle::Until(None)),
        }
    }
}

/// The text of a dump of the present run.
pub(super) fn text_of_dump() -> String {
    dump().map_or_else(|error| error.to_string(), |dump| dump.to_string())
}

/// What a dump of the present run says of what is at this place, if somebody may want to know.
fn part_of_dump(place: &'static Location<'static>) -> Option<String> {
    let mut is_wanted = false;
    quietly(|| is_wanted = tracing::enabled!(tracing::Level::WARN));
    if !is_wanted {
        return None;
    }
    Some(dump().ok()?.into_part(place)?.to_string())
}

/// Whether a unit that was given something in this tick has been passed over: it has been polled
/// since and has not fetched the thing, or it is ready but nothing polls its nursery or one further
/// up.
pub(super) fn is_passed_over(unit: UnitId, since: u32) -> bool {
    if !THREAD.with(|thread| thread.run.get().may_have(unit)) {
        return false; // it was given to a guest on the same thread, which is polled by its host
    }
    let Some(unit) = table::lookup(unit) else { return true };
    // SAFETY (all): units that the table finds are alive, and no foreign code runs in here.
    let mut unit = unsafe { &*unit };
    if !unit.is_queued() || unit.is_ready_since_later(since) {
        return true;
    }
    while let Some(roster) = unsafe { unit.roster().as_ref() } {
        let host = unsafe { Core::of(roster) }.scope().host();
        let Some(host) = table::lookup(host) else { return false };
        unit = unsafe { &*host };
        if !unit.is_queued() {
            return true;
        }
    }
    false
}

/// Finds the nurseries that have work ready and whose hosts have run without polling them.
fn find_nurseries(found: &mut Vec<Found>) {
    let mut seen = HashSet::new();
    for unit in table::find(Unit::is_queued) {
        // SAFETY (both): the table has it, and no foreign code runs in here.
        let Some(roster) = (unsafe { (*unit).roster().as_ref() }) else { continue };
        let core = unsafe { Core::of(roster) };
        let Some(since) = core.ready_since() else { continue };
        let address = ptr::from_ref(core).addr();
        // If its host has yet to run, the nursery is merely inside something that is stuck.
        if seen.insert(address) && !core.scope().host_is_queued() {
            let stuck = Stuck::nursery(core.place(), core.tasks(Which::Ready));
            found.push(Found { key: Key::Nursery(address, since), known: true, stuck });
        }
    }
}

/// Finds clean-up that does not end, given that nothing more can come.
fn look_at_clean_up(scope: &Scope) -> Option<Found> {
    let stuck = Stuck::clean_up(scope.place(), scope.cancelled_around()?);
    let key = Key::CleanUp(ptr::from_ref(scope).addr());
    Some(Found { key, known: scope.notice_open(), stuck })
}

/// Finds a nursery in which nothing runs and which is kept open by a `start` that nobody polls,
/// given that nothing more can come.
fn look_at_start(scope: &Scope) -> Option<Found> {
    // SAFETY: no foreign code runs in here.
    let nursery = unsafe { Core::of(scope.roster()?) };
    if nursery.runs_something() || nursery.is_empty() || scope.host_is_queued() {
        return None;
    }
    let key = Key::Start(ptr::from_ref(scope).addr());
    Some(Found { key, known: scope.notice_open(), stuck: Stuck::start(scope.place()) })
}

/// Finds a scope that is stuck.
fn look_at(scope: &Scope) -> Option<Found> {
    let address = ptr::from_ref(scope).addr();
    if scope.host_is_queued() {
        return None; // it is merely inside something that is stuck
    }
    if scope.is_handed() {
        let known = scope.notice_handed();
        return Some(Found {
            key: Key::Handed(address),
            known,
            stuck: Stuck::scope(scope.place()),
        });
    }
    // If the code is in an inner scope, it keeps that one open, and may be shielded there.
    if !scope.is_cancelled() || !scope.is_innermost() || scope.has_uncancellable() {
        return None;
    }
    // SAFETY: no foreign code runs in here.
    let nursery = scope.roster().map(|roster| unsafe { Core::of(roster) });
    let tasks = match nursery {
        // It is found as a nursery, or is kept open from outside.
        Some(nursery) if !nursery.is_idle() || !nursery.runs_something() => return None,
        Some(nursery) => nursery.tasks(Which::All),
        None => Vec::new(),
    };
    let stuck = Stuck::cancelled_scope(scope.place(), tasks, scope.cause()?);
    Some(Found { key: Key::Cancelled(address), known: scope.notice_open(), stuck })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = PATIENCE;

    fn found(address: usize, since: u32) -> Vec<Found> {
        let stuck = Stuck::nursery(Location::caller(), Vec::new());
        vec![Found { key: Key::Nursery(address, since), known: true, stuck }]
    }

    /// There is one more wake-up, and one report.
    #[test]
    fn it_has_to_last_for_a_second() {
        let mut lookout = Lookout::new(false);
        assert_eq!(lookout.next(5, 1), Next::Look);
        assert!(lookout.take_in(found(8, 1), 5, 1).is_empty());
        assert_eq!(lookout.next(5, 1), Next::Sleep(Some(5 + SECOND)));
        // Whatever runs in between, there is no look before that.
        assert_eq!(lookout.next(4 + SECOND, 9), Next::Sleep(Some(5 + SECOND)));
        assert_eq!(lookout.next(5 + SECOND, 9), Next::Look);
        let reports = lookout.take_in(found(8, 1), 5 + SECOND, 9);
        assert_eq!(reports.len(), 1);
        assert_eq!(reports[0].lasted, Duration::from_secs(1));
        // The loop does not wake up for it any more until something has run.
        assert_eq!(lookout.next(5 + SECOND, 9), Next::Sleep(None));
        assert_eq!(lookout.next(9 + 2 * SECOND, 9), Next::Sleep(None));
        assert_eq!(lookout.next(9 + 2 * SECOND, 10), Next::Look);
        assert!(lookout.take_in(found(8, 1), 9 + 2 * SECOND, 10).is_empty());
    }

    #[test]
    fn what_was_polled_in_between_begins_anew() {
        let mut lookout = Lookout::new(false);
        lookout.take_in(found(8, 1), 0, 1);
        // The same address and other ones: another nursery, or the same one parked again.
        assert!(lookout.take_in(found(8, 2), SECOND, 2).is_empty());
        assert_eq!(lookout.next(SECOND, 2), Next::Sleep(Some(2 * SECOND)));
        assert_eq!(lookout.take_in(found(8, 2), 2 * SECOND, 2).len(), 1);
        let mut other_scope = found(16, 0);
        other_scope[0].known = false;
        other_scope[0].key = Key::Handed(16);
        lookout.take_in(other_scope, 3 * SECOND, 3);
        let mut other_scope = found(16, 0);
        other_scope[0].known = false;
        other_scope[0].key = Key::Handed(16);
        assert!(lookout.take_in(other_scope, 4 * SECOND, 4).is_empty());
    }

    #[test]
    fn at_once_where_time_does_not_pass() {
        let mut lookout = Lookout::new(true);
        assert_eq!(lookout.take_in(found(8, 1), 0, 1).len(), 1);
        assert_eq!(lookout.next(0, 1), Next::Sleep(None));
        assert_eq!(lookout.next(0, 2), Next::Look);
    }

    #[test]
    fn what_looks_alike_is_one_report() {
        let mut lookout = Lookout::new(true);
        let many = (0..1000).flat_map(|i| found(i, 1));
        let reports = lookout.take_in(many.collect(), 0, 1);
        assert_eq!(reports.iter().map(|report| report.count).collect::<Vec<_>>(), [1000]);
    }
}
