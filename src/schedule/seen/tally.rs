//! Counting what happens in a run, from when somebody asks for it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use crate::error::Reason;
use crate::platform::clock::{CLOCK, Clock, Nanos};
use crate::schedule::current;
use crate::schedule::ids::UnitId;
use crate::schedule::seen::counted::{Counted, SLOW_POLL};
use crate::schedule::seen::onlookers::{Ends, Happening, Occasion, Onlooker};
use crate::schedule::units::unit::Unit;

/// What has been counted so far. It runs no foreign code, so it is borrowed by nobody else.
pub(crate) struct Tally(RefCell<State>);

struct State {
    counted: Counted,
    /// When it began.
    began: Nanos,
    /// By the index of a unit.
    units: Vec<Known>,
    /// The polls that are going on, the innermost last.
    polls: Vec<Poll>,
    /// Up to when the time has been given to these.
    upto: Nanos,
    asleep_since: Option<Nanos>,
    /// How many polls there had been when it woke up last.
    polls_before: Option<u64>,
    /// The scopes that have been cancelled gracefully, by their address, and when.
    graces: HashMap<usize, Nanos>,
}

/// What is known of a unit.
#[derive(Clone, Copy)]
struct Known {
    id: UnitId,
    is: Is,
    since: Nanos,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Is {
    Unknown,
    Idle,
    Ready,
    Polled,
}

struct Poll {
    id: UnitId,
    occasion: Occasion,
    /// How long it has taken, without those inside.
    took: Nanos,
}

fn now() -> Nanos {
    CLOCK.with(|clock| clock.map_or(0, Clock::now_or_later))
}

fn duration(from: Nanos, to: Nanos) -> Duration {
    Duration::from_nanos(to.saturating_sub(from))
}

impl Tally {
    /// Begins to count.
    pub(super) fn new() -> Tally {
        let now = now();
        Tally(RefCell::new(State {
            counted: Counted::default(),
            began: now,
            units: Vec::new(),
            polls: Vec::new(),
            upto: now,
            asleep_since: None,
            polls_before: None,
            graces: HashMap::new(),
        }))
    }

    /// What has been counted so far.
    pub(super) fn counted(&self) -> Counted {
        let state = self.0.borrow();
        let mut counted = state.counted.clone();
        let now = now();
        if let Some(since) = state.asleep_since {
            counted.parked += duration(since, now);
        }
        counted.elapsed = duration(state.began, now);
        counted.busy = counted.elapsed.saturating_sub(counted.parked);
        counted
    }
}

impl State {
    fn known(&mut self, unit: &Unit) -> &mut Known {
        let id = unit.id(current::current_run());
        let index = unit.index() as usize;
        let unknown = Known { id: UnitId::NONE, is: Is::Unknown, since: 0 };
        if index >= self.units.len() {
            self.units.resize(index + 1, unknown);
        }
        let known = &mut self.units[index];
        if known.id != id {
            *known = Known { id, ..unknown };
        }
        known
    }

    /// Gives the time up to now to the poll that is going on.
    fn pass_time(&mut self, now: Nanos) {
        let upto = std::mem::replace(&mut self.upto, now);
        if let Some(poll) = self.polls.last_mut() {
            poll.took += now.saturating_sub(upto);
        }
    }

    fn end_poll(&mut self, Poll { occasion, took, .. }: Poll) {
        match occasion {
            Occasion::Woken => {
                let took = Duration::from_nanos(took);
                let counted = &mut self.counted;
                counted.polls += 1;
                counted.polling += took;
                if took >= SLOW_POLL {
                    counted.slow_polls += 1;
                    counted.polling_slowly += took;
                }
                counted.longest_poll = counted.longest_poll.max(took);
            }
            Occasion::Opened => {
                if let Some(around) = self.polls.last_mut() {
                    around.took += took;
                }
            }
            Occasion::Nurseries => {}
        }
    }

    fn end_grace(&mut self, scope: usize) -> bool {
        let Some(since) = self.graces.remove(&scope) else { return false };
        self.counted.grace_used += duration(since, now());
        true
    }
}

impl Onlooker for Tally {
    fn spawned(&self, _: &Unit) {
        self.0.borrow_mut().counted.spawned += 1;
    }

    fn woken(&self, unit: &Unit) {
        let now = now();
        let mut state = self.0.borrow_mut();
        state.counted.wakes += 1;
        let Known { is, since, .. } = *state.known(unit);
        if is == Is::Idle {
            state.counted.idles += 1;
            state.counted.idle += duration(since, now);
        }
        let known = state.known(unit);
        (known.is, known.since) = (Is::Ready, now);
    }

    fn happened(&self, what: &Happening<'_>) {
        let state = &mut *self.0.borrow_mut();
        let counted = &mut state.counted;
        match *what {
            Happening::WokenFromOutside(units) => counted.remote_wakes += units as u64,
            Happening::Events(events) => counted.io_events += events as u64,
            Happening::GeneratorAbandoned => counted.generators_abandoned += 1,
            Happening::GeneratorFinalized => counted.generators_finalized += 1,
            Happening::Cancelled { scope, why, ends } => {
                let cancellations = &mut counted.cancellations;
                *match why {
                    Reason::Deadline => &mut cancellations.deadline,
                    Reason::ChildFailed(_) => &mut cancellations.child_failed,
                    Reason::Requested(_) => &mut cancellations.requested,
                    Reason::GraceOver => &mut cancellations.grace_over,
                    Reason::Shutdown => &mut cancellations.shutdown,
                    Reason::Interrupted => &mut cancellations.interrupted,
                } += 1;
                if ends == Ends::Gracefully {
                    counted.graces += 1;
                    state.graces.insert(scope.addr(), now());
                } else if state.end_grace(scope.addr()) && *why == Reason::GraceOver {
                    state.counted.graces_exceeded += 1;
                }
            }
            Happening::Left { scope } => {
                state.end_grace(scope.addr());
            }
        }
    }

    fn before_poll(&self, unit: &Unit, occasion: Occasion) {
        let now = now();
        let mut state = self.0.borrow_mut();
        state.pass_time(now);
        let known = state.known(unit);
        let Known { id, is, since } = *known;
        if occasion != Occasion::Nurseries {
            known.is = Is::Polled;
        }
        if is == Is::Ready && occasion == Occasion::Woken {
            let waited = duration(since, now);
            state.counted.scheduled += waited;
            state.counted.longest_scheduled = state.counted.longest_scheduled.max(waited);
        }
        state.polls.push(Poll { id, occasion, took: 0 });
    }

    fn after_poll(&self, unit: &Unit) {
        let now = now();
        let mut state = self.0.borrow_mut();
        state.pass_time(now);
        let known = state.known(unit);
        if known.is == Is::Polled {
            (known.is, known.since) = (Is::Idle, now);
        }
        let id = known.id;
        // Those that have begun before it counts are not on the list.
        if state.polls.last().is_some_and(|poll| poll.id == id)
            && let Some(poll) = state.polls.pop()
        {
            state.end_poll(poll);
        }
    }

    fn goes_on(&self) {
        let state = &mut *self.0.borrow_mut();
        state.pass_time(now());
        if let Some(poll) = state.polls.last_mut()
            && poll.occasion == Occasion::Nurseries
        {
            (poll.occasion, poll.took) = (Occasion::Woken, 0);
        }
    }

    fn ended(&self, _: &Unit) {
        self.0.borrow_mut().counted.ended += 1;
    }

    fn before_sleep(&self, _: Option<Duration>) {
        let mut state = self.0.borrow_mut();
        let polls = state.counted.polls;
        state.counted.parks += 1;
        if state.polls_before == Some(polls) {
            state.counted.futile_parks += 1;
        }
        state.asleep_since = Some(now());
    }

    fn after_sleep(&self) {
        let mut state = self.0.borrow_mut();
        state.polls_before = Some(state.counted.polls);
        if let Some(since) = state.asleep_since.take() {
            state.counted.parked += duration(since, now());
        }
    }
}
