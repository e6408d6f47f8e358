//! Taking a dump: reading what the run on this thread consists of.
//!
//! # Invariants
//!
//! 1. The units, scopes and nurseries that are looked at are alive: the table and the rosters know
//!    them, and no foreign code runs in here that could free one. What may be borrowed by code
//!    further up the stack is borrowed only if that is possible.

use std::ptr::{self, NonNull};

use crate::error::Spawned;
use crate::generator::entered::{ENTERED, EnteredManagers};
use crate::generator::finalize::{GENERATORS, Generators};
use crate::nursery::child::Child;
use crate::nursery::core::Core;
use crate::nursery::system::{SYSTEM, System};
use crate::platform::clock::{CLOCK, Clock, Nanos};
use crate::schedule::current;
use crate::schedule::turn::history::{HISTORY, History};
use crate::schedule::units::table;
use crate::schedule::units::unit::Unit;
use crate::scope::frame;
use crate::scope::tree::{Level, Patience, Scope};
use crate::snapshot::dump::{Body, Dump, Item, Place, Role, Scope as ScopeSeen, State, Task, What};
use crate::snapshot::scopes::{Hosts, Scopes};
use crate::snapshot::wakes::{Wakes, WakesOfUnits};
use crate::threads::job::{JOBS, Jobs};
use crate::world::seen;

/// What is to be looked at besides tasks and scopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Besides {
    /// Sockets as well, of which the system is asked.
    Sockets,
    Nothing,
}

/// Takes a dump of the run on this thread, if there is one.
pub(super) fn take() -> Option<Dump> {
    take_with(Besides::Sockets)
}

/// The same, as far as is wanted.
pub(super) fn take_with(besides: Besides) -> Option<Dump> {
    SYSTEM.with(|system| {
        CLOCK.with(|clock| {
            HISTORY.with(|history| {
                let (system, clock, history) = (system?, clock?, history?);
                // Before the run begins, and when it has ended, there are no units.
                current::is_running().then(|| take_of(system, clock, history, besides))
            })
        })
    })
}

fn take_of(system: &System, clock: &Clock, history: &History, besides: Besides) -> Dump {
    let now = clock.now_or_later();
    let mut missing = Missing(Vec::new());
    let sources = match besides {
        Besides::Sockets => missing.or_default("sockets", seen::seen()),
        Besides::Nothing => Vec::new(),
    };
    let mut wakes_of_units = WakesOfUnits::default();
    wakes_of_units.add_sources(&sources);
    wakes_of_units.add_children();
    missing.or_default("timers", wakes_of_units.add_timers());
    let generators = GENERATORS.with(|all| all.map_or(Some(Vec::new()), Generators::seen));
    let managers = ENTERED.with(|all| all.map_or(Some(Vec::new()), EnteredManagers::seen));
    let jobs = JOBS.with(|all| all.map_or(Some(Vec::new()), Jobs::seen));
    let mut taking = Taking {
        system,
        history,
        now,
        polled: current::polled_unit(),
        scopes: Scopes::default(),
        wakes_of_units,
        items: Vec::new(),
        wakes: Vec::new(),
        generators: missing.or_default("generators", generators),
        missing,
        work: Vec::new(),
        seen: Vec::new(),
    };
    taking.take_tree();
    Dump {
        place: system.place(),
        run: current::current_run().tenancy(),
        now,
        is_ending: system.is_ending(),
        items: taking.items,
        wakes: taking.wakes,
        sources,
        generators: taking.generators,
        managers: taking.missing.or_default("context managers", managers),
        jobs: taking.missing.or_default("jobs", jobs),
        missing: taking.missing.0,
    }
}

/// What could not be looked at.
struct Missing(Vec<&'static str>);

impl Missing {
    fn or_default<T: Default>(&mut self, what: &'static str, seen: Option<T>) -> T {
        if seen.is_none() && !self.0.contains(&what) {
            self.0.push(what);
        }
        seen.unwrap_or_default()
    }
}

/// A dump that is being taken.
struct Taking<'a> {
    system: &'a System,
    history: &'a History,
    now: Nanos,
    /// The unit that is being polled, or null.
    polled: *const Unit,
    scopes: Scopes,
    wakes_of_units: WakesOfUnits,
    items: Vec<Item>,
    wakes: Vec<Wakes>,
    generators: Vec<frame::Seen>,
    missing: Missing,
    /// What is to be added, the next one last. There is no recursion, because nurseries may be
    /// nested deeply.
    work: Vec<(u32, Work)>,
    /// By the index of a unit, whether it has been added.
    seen: Vec<bool>,
}

enum Work {
    Unit(*const Unit, Role, Place),
    /// A scope, by its index.
    Scope(u32),
}

impl Taking<'_> {
    fn take_tree(&mut self) {
        let root = self.scopes.add(self.system.core().scope());
        self.add_units(0, self.system.core(), Role::Main, Role::System);
        self.work.extend(self.scopes.inside(root).map(|inner| (0, Work::Scope(inner))));
        self.work_off();
        self.take_rest();
    }

    /// Adds the units that cannot be reached from the run's nursery, because their nursery was last
    /// polled in a scope that has been left.
    fn take_rest(&mut self) {
        let is_attached = |unit: &Unit| !unit.roster().is_null();
        let attached = table::find(is_attached);
        let reached = self.items.iter().filter(|item| matches!(item.what, What::Task(_))).count();
        // A body that has ended stays attached, and is not shown.
        if attached.len() <= reached {
            return;
        }
        for &unit in &attached {
            // SAFETY (both): invariant 1; it is attached.
            let unit = unsafe { &*unit };
            if self.has_seen(unit) {
                continue;
            }
            let core = unsafe { Core::of(unit.roster()) };
            self.items.push(Item { depth: 0, what: What::Apart(core.place()) });
            let root = self.scopes.add(outermost(core.scope()));
            self.work.push((1, Work::Scope(root)));
            self.work_off();
            // If it is not reached that way either, it is not looked for again.
            self.see(unit);
        }
    }

    fn work_off(&mut self) {
        while let Some((depth, work)) = self.work.pop() {
            match work {
                Work::Unit(unit, role, place) => self.add_unit(depth, unit, role, place),
                Work::Scope(scope) => self.add_scope(depth, scope),
            }
        }
    }

    /// Adds the units of a nursery to what is to be done.
    fn add_units(&mut self, depth: u32, core: &Core, body: Role, child: Role) {
        let first = self.work.len();
        let (roster, place) = (core.roster(), core.place());
        if core.body_is_running() && !roster.body().is_null() {
            self.work.push((depth, Work::Unit(roster.body(), body, place)));
            // SAFETY: invariant 1.
        } else if let Some(body) = unsafe { roster.body().as_ref() } {
            self.see(body);
        }
        let children = roster.children().map(|unit| (depth, Work::Unit(unit, child, place)));
        self.work.extend(children);
        self.work[first..].reverse();
    }

    fn add_unit(&mut self, depth: u32, unit: *const Unit, role: Role, place: Place) {
        let Some(pointer) = NonNull::new(unit.cast_mut()) else { return };
        // SAFETY (both): invariant 1; what is not a body is a child.
        let unit = unsafe { pointer.as_ref() };
        let spawned = match role {
            Role::Main | Role::Body => Spawned::At(place),
            Role::Child | Role::System => unsafe { Child::spawned(pointer.cast()) },
        };
        let id = unit.id(current::current_run());
        let first = self.wakes.len();
        self.wakes.extend(self.wakes_of_units.of(unit));
        self.wakes[first..].sort_unstable();
        let task = Task {
            role,
            id: id.in_run(),
            spawned,
            state: self.state_of(unit),
            wakes: first as u32..self.wakes.len() as u32,
        };
        self.items.push(Item { depth, what: What::Task(task) });
        self.see(unit);
        let first = self.work.len();
        self.work.extend(self.scopes.of(unit).map(|scope| (depth + 1, Work::Scope(scope))));
        self.work[first..].reverse();
    }

    fn see(&mut self, unit: &Unit) {
        let index = unit.index() as usize;
        if self.seen.len() <= index {
            self.seen.resize(index + 1, false);
        }
        self.seen[index] = true;
    }

    fn has_seen(&self, unit: &Unit) -> bool {
        self.seen.get(unit.index() as usize).is_some_and(|&seen| seen)
    }

    fn state_of(&self, unit: &Unit) -> State {
        let hosts = self.scopes.hosted_by(unit);
        if ptr::eq(unit, self.polled) {
            return State::Running;
        }
        if hosts == Hosts::NurseryInPoll {
            return State::PollsNursery;
        }
        if unit.is_queued() {
            return State::Ready(self.history.became_ready(unit.tick(), self.now));
        }
        let last = self.history.last_poll(unit.tick(), self.now);
        let parked = unit.parked();
        match parked.kind() {
            Some(kind) => State::Waits(kind, parked.place(), last),
            None if hosts == Hosts::Nursery => State::InNursery,
            None => State::Elsewhere(last),
        }
    }

    fn add_scope(&mut self, depth: u32, index: u32) {
        let scope = self.scopes.scope(index);
        let seen = see(scope);
        let Some(core) = self.scopes.nursery(index) else {
            // The main scope goes without saying, as long as there is nothing to say about it.
            let is_main = depth == 1 && scope.place() == self.system.place();
            let depth = if is_main && seen.is_plain() {
                depth
            } else {
                self.items.push(Item { depth, what: What::Scope(seen) });
                depth + 1
            };
            return self.add_inner(depth, index);
        };
        let body = if core.body_is_running() { Body::Runs } else { Body::HasEnded };
        let generators = core.see_generators(&mut self.generators);
        self.missing.or_default("generators", generators);
        let core = ptr::from_ref(core);
        self.items.push(Item { depth, what: What::Nursery(seen, body) });
        self.add_inner(depth + 1, index);
        // SAFETY: invariant 1.
        self.add_units(depth + 1, unsafe { &*core }, Role::Body, Role::Child);
    }

    fn add_inner(&mut self, depth: u32, index: u32) {
        let first = self.work.len();
        self.work.extend(self.scopes.inside(index).map(|inner| (depth, Work::Scope(inner))));
        self.work[first..].reverse();
    }
}

/// The scope around all those around this one.
fn outermost(scope: &Scope) -> &Scope {
    let mut outermost = scope;
    // SAFETY: invariant 1.
    while let Some(around) = unsafe { outermost.around().as_ref() } {
        outermost = around;
    }
    outermost
}

fn see(scope: &Scope) -> ScopeSeen {
    ScopeSeen {
        address: ptr::from_ref(scope).addr(),
        place: scope.place(),
        deadline: scope.deadline_to_show(),
        shield: scope.shield(),
        patience: scope.patience(),
        level: scope.effective(),
        why: scope.why_to_show(),
    }
}

impl ScopeSeen {
    /// Whether there is nothing to say except where it is.
    pub(super) fn is_plain(&self) -> bool {
        self.deadline.is_none()
            && !self.shield
            && self.level == Level::None
            && self.patience == Patience::None
    }
}
