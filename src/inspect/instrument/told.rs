//! What an instrument is told, and when.
//!
//! What happens in the middle of something is put into a queue. The queue is worked off where
//! foreign code may run: before and after each poll, and around each sleep. So the order is that in
//! which things happened, and a call that causes further events is not called for these before it
//! has returned.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::error::Spawned;
use crate::error::panic::{self, quietly, report};
use crate::inspect::instrument::{Instrument, TaskInfo};
use crate::nursery::core::Core;
use crate::schedule::current;
use crate::schedule::ids::UnitId;
use crate::schedule::seen::onlookers::{self, Occasion, Onlooker};
use crate::schedule::units::unit::Unit;

/// An instrument of one run.
pub(super) struct Told {
    instrument: Rc<dyn Instrument>,
    type_name: &'static str,
    this: Weak<Told>,
    state: RefCell<State>,
    /// Whether the queue is being worked off.
    is_telling: Cell<bool>,
    has_ceased: Cell<bool>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Event>,
    /// The task whose step is going on.
    step: Option<TaskInfo>,
    /// The polls that are going on, the innermost last.
    polls: Vec<Poll>,
    /// What was announced for the sleep that is going on.
    timeout: Option<Duration>,
}

struct Poll {
    unit: UnitId,
    /// What becomes of a step that is going on when the poll is over.
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It was going on before.
    GoesOn,
    Ends,
}

enum Event {
    BeforeRun,
    AfterRun,
    Spawned(TaskInfo),
    Scheduled(TaskInfo),
    BeforeStep(TaskInfo),
    AfterStep(TaskInfo),
    Exited(TaskInfo),
    BeforeWait(Option<Duration>),
    AfterWait(Option<Duration>),
}

impl Event {
    /// Calls the function for it, and says which one that was.
    fn tell(&self, instrument: &dyn Instrument) {
        match self {
            Event::BeforeRun => instrument.before_run(),
            Event::AfterRun => instrument.after_run(),
            Event::Spawned(task) => instrument.task_spawned(task),
            Event::Scheduled(task) => instrument.task_scheduled(task),
            Event::BeforeStep(task) => instrument.before_task_step(task),
            Event::AfterStep(task) => instrument.after_task_step(task),
            Event::Exited(task) => instrument.task_exited(task),
            Event::BeforeWait(timeout) => instrument.before_io_wait(*timeout),
            Event::AfterWait(timeout) => instrument.after_io_wait(*timeout),
        }
    }

    fn function(&self) -> &'static str {
        match self {
            Event::BeforeRun => "before_run",
            Event::AfterRun => "after_run",
            Event::Spawned(_) => "task_spawned",
            Event::Scheduled(_) => "task_scheduled",
            Event::BeforeStep(_) => "before_task_step",
            Event::AfterStep(_) => "after_task_step",
            Event::Exited(_) => "task_exited",
            Event::BeforeWait(_) => "before_io_wait",
            Event::AfterWait(_) => "after_io_wait",
        }
    }
}

impl Told {
    pub(super) fn new<I: Instrument + 'static>(instrument: Rc<I>) -> Rc<Told> {
        Rc::new_cyclic(|this| Told {
            instrument,
            type_name: std::any::type_name::<I>(),
            this: this.clone(),
            state: RefCell::default(),
            is_telling: Cell::new(false),
            has_ceased: Cell::new(false),
        })
    }

    /// For a run that is about to begin.
    pub(super) fn from_the_beginning<I: Instrument + 'static>(
        instrument: Rc<I>,
    ) -> Rc<dyn Onlooker> {
        let told = Told::new(instrument);
        told.add(Event::BeforeRun);
        told
    }

    /// Tells it nothing from now on.
    pub(super) fn cease(&self) {
        self.has_ceased.set(true);
        drop(self.state.take());
    }

    pub(super) fn is_active(&self) -> bool {
        !self.has_ceased.get()
    }

    fn add(&self, event: Event) {
        if self.is_active() {
            self.state.borrow_mut().queue.push_back(event);
        }
    }

    fn add_of(&self, unit: &Unit, event: fn(TaskInfo) -> Event) {
        if let Some(task) = task_of(unit) {
            self.add(event(task));
        }
    }

    /// Works off the queue.
    fn tell(&self) {
        if self.is_telling.replace(true) {
            return; // whoever tells will come to it
        }
        loop {
            let next = self.state.borrow_mut().queue.pop_front();
            let Some(event) = next else { break };
            // Foreign code. It may remove the instrument, and cause further events.
            let told = catch_unwind(AssertUnwindSafe(|| {
                current::outside(|| event.tell(&*self.instrument));
            }));
            if let Err(payload) = told {
                self.remove();
                let function = event.function();
                report!(
                    warn,
                    instrument = self.type_name,
                    function,
                    panic = panic::text(&*payload),
                    "an instrument has panicked, and is not told anything any more"
                );
                quietly(|| drop(payload));
            }
        }
        self.is_telling.set(false);
    }

    fn remove(&self) {
        self.cease();
        if let Some(this) = self.this.upgrade() {
            let onlooker: Rc<dyn Onlooker> = this;
            onlookers::remove(&onlooker);
        }
    }

    fn begin_poll(&self, unit: &Unit, occasion: Occasion) {
        let id = unit.id(current::current_run());
        let task = if occasion == Occasion::Woken { task_of(unit) } else { None };
        let state = &mut *self.state.borrow_mut();
        let step = task.map_or(Step::GoesOn, |task| state.begin_step(task));
        state.polls.push(Poll { unit: id, step });
    }

    /// The innermost unit that is being polled goes on by itself.
    fn go_on(&self) {
        let state = &mut *self.state.borrow_mut();
        if state.step.is_none()
            && let Some(mut poll) = state.polls.pop()
        {
            if let Some(task) = Core::task_with(poll.unit) {
                poll.step = state.begin_step(TaskInfo::of(task));
            }
            state.polls.push(poll);
        }
    }

    fn end_poll(&self, unit: &Unit) {
        let id = unit.id(current::current_run());
        let state = &mut *self.state.borrow_mut();
        // Those that began before the instrument was added are not on the list.
        let Some(poll) = state.polls.pop_if(|poll| poll.unit == id) else { return };
        if poll.step == Step::Ends {
            state.queue.extend(state.step.take().map(Event::AfterStep));
        }
    }
}

impl State {
    /// Begins a step of a task, unless that is going on. Another one ends.
    fn begin_step(&mut self, task: TaskInfo) -> Step {
        if self.step.as_ref() == Some(&task) {
            return Step::GoesOn;
        }
        let interrupted = self.step.replace(task.clone());
        self.queue.extend(interrupted.map(Event::AfterStep));
        self.queue.push_back(Event::BeforeStep(task));
        Step::Ends
    }
}

impl Onlooker for Told {
    fn spawned(&self, unit: &Unit) {
        self.add_of(unit, Event::Spawned);
    }

    fn woken(&self, unit: &Unit) {
        self.add_of(unit, Event::Scheduled);
    }

    fn before_poll(&self, unit: &Unit, occasion: Occasion) {
        if self.is_active() {
            self.begin_poll(unit, occasion);
            self.tell();
        }
    }

    fn after_poll(&self, unit: &Unit) {
        if self.is_active() {
            self.end_poll(unit);
            self.tell();
        }
    }

    fn goes_on(&self) {
        if self.is_active() {
            self.go_on();
            self.tell();
        }
    }

    fn ended(&self, unit: &Unit) {
        self.add_of(unit, Event::Exited);
    }

    fn before_sleep(&self, longest: Option<Duration>) {
        self.state.borrow_mut().timeout = longest;
        self.add(Event::BeforeWait(longest));
        self.tell();
    }

    fn after_sleep(&self) {
        let timeout = self.state.borrow().timeout;
        self.add(Event::AfterWait(timeout));
        self.tell();
    }

    fn over(&self) {
        self.add(Event::AfterRun);
        self.tell();
        self.has_ceased.set(true);
    }
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Told").field("instrument", &self.type_name).finish_non_exhaustive()
    }
}

/// The task that a unit belongs to.
fn task_of(unit: &Unit) -> Option<TaskInfo> {
    Core::task_of(unit).map(TaskInfo::of)
}

impl TaskInfo {
    fn of((id, spawned): (UnitId, Spawned)) -> TaskInfo {
        TaskInfo { id: id.in_run(), spawned }
    }
}
