//! Deadlines of scopes.

use std::rc::Rc;
use std::time::Instant;

use crate::context;
use crate::error::Reason;
use crate::run::Runtime;
use crate::run::timer::{Target, Timer};
use crate::scope::tree::{Level, Scope};
use crate::time::clock::{self, NEVER, Nanos};

/// When a scope is cancelled.
#[derive(Clone, Copy)]
pub(crate) enum Deadline {
    /// At this time of the running clock, or [`NEVER`].
    At(Nanos),
    /// At this instant; the scope is not open yet, so there may be no clock to ask.
    Instant(Instant),
    /// This long after it is entered.
    AfterEntry(Nanos),
}

impl Deadline {
    /// The time it comes to on this runtime's clock, now being the entry.
    fn resolve(self, runtime: &Runtime) -> Nanos {
        match self {
            Deadline::At(time) => time,
            Deadline::Instant(instant) => clock::nanos_of(&*runtime.clock, instant),
            Deadline::AfterEntry(time) => runtime.now().saturating_add(time),
        }
    }
}

impl Scope {
    /// Moves the deadline. One that has passed cancels an open scope at once.
    pub(crate) fn set_deadline(self: &Rc<Self>, deadline: Deadline) {
        if self.has_left() {
            return;
        }
        self.deadline.set(deadline);
        self.clear_timer();
        if self.is_entered() {
            self.start_deadline();
        }
    }

    /// The scope is open: sets the timer for its deadline, or cancels it if that has passed.
    pub(crate) fn start_deadline(self: &Rc<Self>) {
        if matches!(self.deadline.get(), Deadline::At(NEVER)) {
            return;
        }
        let passed = context::with_runtime(|runtime| {
            let Some(runtime) = runtime else { return false };
            let deadline = self.deadline.get().resolve(runtime);
            self.deadline.set(Deadline::At(deadline));
            if deadline == NEVER || self.is_fully_cancelled() {
                return false;
            }
            if deadline <= runtime.now() {
                return true;
            }
            self.timer.set(Timer::set(runtime, deadline, Target::Expire(self.clone())));
            false
        });
        if passed {
            self.expire();
        }
    }

    pub(crate) fn clear_timer(&self) {
        self.timer.replace(Timer::NONE).clear();
    }

    /// The deadline has passed.
    pub(crate) fn expire(&self) {
        self.timer.set(Timer::NONE);
        self.cancel(Level::Full, Reason::Deadline, None);
    }

    /// Moves the deadline to this long from now, if it is later.
    pub(crate) fn limit_grace(self: &Rc<Self>, grace: Nanos) {
        let limited = context::with_runtime(|runtime| {
            let end = runtime?.now().saturating_add(grace);
            let deadline = self.deadline.get().resolve(runtime?);
            (end < deadline).then_some(end)
        });
        if let Some(end) = limited {
            self.set_deadline(Deadline::At(end));
        }
    }

    /// The deadline as an instant, if it is known.
    pub(crate) fn deadline_instant(&self) -> Option<Instant> {
        match self.deadline.get() {
            Deadline::At(NEVER) | Deadline::AfterEntry(_) => None,
            Deadline::Instant(instant) => Some(instant),
            Deadline::At(time) => {
                context::with_runtime(|runtime| clock::instant_of(&*runtime?.clock, time))
            }
        }
    }

    /// The earliest deadline up to the nearest shield, of scopes that are open; it has passed if
    /// they are cancelled.
    pub(crate) fn effective_deadline(&self) -> Nanos {
        if self.is_cancelled() {
            return 0;
        }
        let mut earliest = NEVER;
        let mut scope = self;
        loop {
            if let Deadline::At(deadline) = scope.deadline.get() {
                earliest = earliest.min(deadline);
            }
            match scope.parent() {
                Some(parent) if !scope.shield() => scope = parent,
                _ => return earliest,
            }
        }
    }
}
