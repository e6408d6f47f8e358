//! What `tokio-console` is told of a run, with the feature `console`.
//!
//! It is told through `tracing`, by conventions that belong to no runtime: a span named
//! `runtime.spawn` for each task, entered for each of its polls, and events with the target
//! `runtime::waker`. A subscriber that knows them, `console-subscriber`, does the rest.
//!
//! 1. **A task** is a child of a nursery, or the main future. A nursery's body is a unit of its
//!    own, but part of the task that has opened the nursery.
//! 2. **One task at most is entered**, the one whose own code runs. Nurseries poll their children
//!    from inside, so otherwise the time of a task would contain that of all tasks below it. A task
//!    is left when a child of its own is polled. It is not entered at all while it is polled only
//!    for the sake of its nurseries. It is entered again when a nursery of its own has ended, and
//!    when it has something else to do as well. So what the console counts as a poll is a stretch
//!    of the task's own code.
//! 3. **Spans of others stay as they are.** A task is entered below the span that is the current
//!    one. So a span that is set around a nursery is current in all that runs there, as it is
//!    without the console.
//! 4. **A wake is told where foreign code may run**, which a subscriber is. Where it may not, the
//!    wake is noted, and told when a poll begins or ends.
//! 5. Wakers are numbers, and nobody counts their clones. The console is told of one, from the
//!    first poll to the end.
//!
//! # Invariants
//!
//! 1. Subscribers are foreign code. They are called with nothing borrowed, and their panics are
//!    swallowed.
//! 2. A unit that the table finds is alive as long as no foreign code runs.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::mem;
use std::panic::Location;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing::{Span, field, trace, trace_span};

use crate::error::Spawned;
use crate::error::panic::quietly;
use crate::schedule::current;
use crate::schedule::ids::UnitId;
use crate::schedule::seen::onlookers::{Occasion, Onlooker};
use crate::schedule::units::table;
use crate::schedule::units::unit::Unit;

type Place = &'static Location<'static>;

/// What the console is told of a task when it begins.
pub(crate) struct About {
    /// One of the kinds that it knows. It warns only of a "task".
    pub(crate) kind: &'static str,
    pub(crate) spawned: Spawned,
    /// The nursery that the task is a child of.
    pub(crate) nursery: Option<Place>,
    /// The size of its future.
    pub(crate) size: Option<usize>,
}

impl About {
    /// The span of the task, if there is a console. This runs foreign code.
    fn span(&self, unit: Option<UnitId>) -> Option<Span> {
        let About { kind, spawned, nursery, size } = self;
        let mut span = Span::none();
        quietly(|| {
            span = trace_span!(
                target: "seedbed::task",
                parent: None,
                "runtime.spawn",
                kind,
                // As in a dump.
                task.id = unit.map(UnitId::in_run),
                task.name = spawned.name(),
                nursery = nursery.map(field::display),
                size.bytes = *size,
                loc.file = spawned.place().file(),
                loc.line = spawned.place().line(),
                loc.col = spawned.place().column(),
            );
        });
        (!span.is_disabled()).then_some(span)
    }
}

/// Knows what units are.
pub(crate) trait Describe {
    /// Describes a child, or the body of the run. Runs no foreign code.
    fn about(unit: &Unit) -> Option<About>;

    /// The unit of the task that an attached unit belongs to. Runs no foreign code.
    fn task_of(unit: &Unit) -> Option<UnitId>;
}

/// A task that the console is told of.
struct Task {
    span: Span,
    was_polled: Cell<bool>,
}

impl Task {
    /// Tells what was done with the task's waker. This runs foreign code.
    fn tell(&self, op: &'static str) {
        // The console finds the task by its span.
        let Some(task) = self.span.id().map(|id| id.into_u64()) else { return };
        quietly(|| trace!(target: "runtime::waker", op, task.id = task));
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.was_polled.get() {
            self.tell("waker.drop");
        }
        close(&mut self.span);
    }
}

/// What another thread does for a run.
pub(crate) type Job<A, R> = Box<dyn FnOnce(A) -> R + Send>;

/// Has the console told of a job, which is busy for as long as it runs.
#[inline]
pub(crate) fn job<A: 'static, R: 'static>(job: Job<A, R>, place: Place) -> Job<A, R> {
    if may_listen() { job_that_is_told(job, place) } else { job }
}

#[cold]
fn job_that_is_told<A: 'static, R: 'static>(job: Job<A, R>, place: Place) -> Job<A, R> {
    struct Runs(Span);
    impl Drop for Runs {
        fn drop(&mut self) {
            exit(&self.0);
            close(&mut self.0);
        }
    }
    let spawned = Spawned::At(place);
    let about = About { kind: "blocking", spawned, nursery: None, size: None };
    let Some(span) = about.span(None) else { return job };
    Box::new(move |argument| {
        let runs = Runs(span);
        enter(&runs.0);
        job(argument)
    })
}

/// Whether anybody may listen.
#[inline]
pub(crate) fn may_listen() -> bool {
    LevelFilter::current() == LevelFilter::TRACE
}

/// Tells of a run.
pub(crate) struct Console<D> {
    /// The unit of the main future.
    main: UnitId,
    /// The task that is being polled, or whose nursery is.
    current: RefCell<Option<Rc<Task>>>,
    /// Whether that is entered.
    is_entered: Cell<bool>,
    /// Whether that, or the body that is being polled in it, has something to do by itself, so that
    /// it is entered again when its nurseries have had their turn.
    has_to_do: Cell<bool>,
    /// The polls that have begun and are not over.
    polls: RefCell<Vec<Around>>,
    /// The tasks that have begun and have not ended.
    tasks: RefCell<BTreeMap<u64, Rc<Task>>>,
    /// Units that have yet to become tasks.
    new: RefCell<Vec<UnitId>>,
    /// Tasks that have ended, of which that has yet to be told.
    gone: RefCell<Vec<Rc<Task>>>,
    /// Wakes that have yet to be told.
    wakes: RefCell<Vec<Wake>>,
    /// Whether a subscriber is being told of wakes.
    is_telling: Cell<bool>,
    describe: PhantomData<D>,
}

/// What was current around the poll of a unit.
struct Around {
    unit: UnitId,
    is_of: Of,
    task: Option<Rc<Task>>,
    has_to_do: bool,
}

/// What a unit that is being polled is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// A task of its own.
    Task,
    /// The body of a nursery, part of the task that polls the nursery.
    Body,
}

struct Wake {
    task: Rc<Task>,
    by: By,
}

/// Who has woken a task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// The unit that was being polled.
    Polled,
    /// Nothing that was being polled: a timer, the network, another thread, a nursery.
    World,
}

impl<D: Describe> Console<D> {
    /// One that begins with the main future, whose unit this is, and with others that are there.
    /// `None` if nobody listens.
    pub(crate) fn begin(body: &Unit, others: impl FnOnce() -> Vec<UnitId>) -> Option<Rc<Self>> {
        let console = Console {
            main: id_of(body),
            current: RefCell::default(),
            is_entered: Cell::default(),
            has_to_do: Cell::default(),
            polls: RefCell::default(),
            tasks: RefCell::default(),
            new: RefCell::default(),
            gone: RefCell::default(),
            wakes: RefCell::default(),
            is_telling: Cell::default(),
            describe: PhantomData,
        };
        console.task(console.main, body)?;
        console.new.replace(others());
        console.catch_up();
        Some(Rc::new(console))
    }

    // Tasks.

    /// The task that a unit is. It begins, if it has not. This runs foreign code.
    fn task(&self, id: UnitId, unit: &Unit) -> Option<Rc<Task>> {
        if let Some(task) = self.tasks.borrow().get(&id.in_run()) {
            return Some(task.clone());
        }
        let span = D::about(unit)?.span(Some(id))?;
        let task = Rc::new(Task { span, was_polled: Cell::new(false) });
        self.tasks.borrow_mut().insert(id.in_run(), task.clone());
        Some(task)
    }

    /// Whether a unit is a task of its own, and not the body of a nursery in one.
    fn is_task(&self, id: UnitId, unit: &Unit) -> bool {
        self.main == id || D::task_of(unit) == Some(id)
    }

    /// Has those units become tasks that are to. This runs foreign code.
    fn begin_new(&self) {
        for id in self.new.take() {
            // SAFETY (both): invariant 2.
            if let Some(unit) = table::lookup(id) {
                self.task(id, unsafe { &*unit });
            }
            // A subscriber may have dropped its nursery.
            let is_there =
                table::lookup(id).is_some_and(|unit| !unsafe { &*unit }.roster().is_null());
            if !is_there {
                self.forget(id);
            }
        }
    }

    /// A task has ended, and that is to be told.
    fn forget(&self, id: UnitId) {
        self.gone.borrow_mut().extend(self.tasks.borrow_mut().remove(&id.in_run()));
    }

    /// Tells what could not be told at once. This runs foreign code.
    fn catch_up(&self) {
        self.tell_of_wakes();
        self.begin_new();
        let gone = self.gone.take();
        drop(gone); // foreign code
    }

    // Whose code runs.

    /// The current task's own code goes on. This runs foreign code.
    fn enter(&self) {
        let current = self.current.borrow().clone();
        if let Some(task) = current
            && !self.is_entered.replace(true)
        {
            enter(&task.span);
        }
    }

    /// The current task's own code stops. This runs foreign code.
    fn leave(&self) {
        self.tell_of_wakes();
        let current = self.current.borrow().clone();
        if let Some(task) = current
            && self.is_entered.replace(false)
        {
            exit(&task.span);
        }
        self.tell_of_wakes();
    }

    /// Tells of the wakes that were noted. This runs foreign code.
    fn tell_of_wakes(&self) {
        if self.is_telling.get() || self.wakes.borrow().is_empty() {
            return;
        }
        let entered = self.current.borrow().clone().filter(|_| self.is_entered.get());
        // The console takes whatever is entered for the one that has woken a task. If that is the
        // task itself, and it was not so, it is told later.
        let can_be_told = |wake: &mut Wake| {
            let is_entered = entered.as_ref().is_some_and(|task| Rc::ptr_eq(task, &wake.task));
            wake.by == By::Polled || !is_entered
        };
        let wakes: Vec<Wake> = self.wakes.borrow_mut().extract_if(.., can_be_told).collect();
        self.is_telling.set(true);
        for wake in wakes {
            wake.task.tell("waker.wake_by_ref");
        }
        self.is_telling.set(false);
    }
}

impl<D: Describe> Onlooker for Console<D> {
    fn spawned(&self, unit: &Unit) {
        self.new.borrow_mut().push(id_of(unit));
    }

    fn woken(&self, unit: &Unit) {
        // What a subscriber wakes because it is told of a wake is not told, or there would be no
        // end to it.
        if self.is_telling.get() {
            return;
        }
        let task = D::task_of(unit);
        let Some(task) = task.and_then(|id| self.tasks.borrow().get(&id.in_run()).cloned()) else {
            return; // it has yet to become one
        };
        let by = if current::polled_unit().is_null() { By::World } else { By::Polled };
        self.wakes.borrow_mut().push(Wake { task, by });
    }

    fn before_poll(&self, unit: &Unit, occasion: Occasion) {
        let id = id_of(unit);
        let own = match self.is_task(id, unit) {
            true => {
                self.leave();
                self.catch_up();
                Some(self.task(id, unit))
            }
            false => {
                self.tell_of_wakes();
                None
            }
        };
        let has_to_do = match occasion {
            Occasion::Opened => self.has_to_do.get(),
            Occasion::Woken => true,
            Occasion::Nurseries => false,
        };
        let around = Around {
            unit: id,
            task: self.current.borrow().clone(),
            is_of: if own.is_some() { Of::Task } else { Of::Body },
            has_to_do: self.has_to_do.replace(has_to_do),
        };
        self.polls.borrow_mut().push(around);
        if let Some(task) = own {
            if let Some(task) = &task
                && !task.was_polled.replace(true)
            {
                task.tell("waker.clone");
            }
            self.current.replace(task);
        }
        if has_to_do {
            self.enter();
        }
    }

    fn after_poll(&self, unit: &Unit) {
        let id = id_of(unit);
        // Polls that had begun when this began to look on are unknown.
        let last = self.polls.borrow().iter().rposition(|around| around.unit == id);
        let Some(last) = last else { return };
        let over = self.polls.borrow_mut().split_off(last);
        let Some(Around { task, is_of, has_to_do, .. }) = over.into_iter().next() else { return };
        self.has_to_do.set(has_to_do);
        if is_of == Of::Task {
            self.leave();
            let polled = self.current.replace(task);
            drop(polled);
            self.catch_up();
        }
    }

    fn after_nursery(&self, driven: Poll<()>) {
        if driven.is_ready() || self.has_to_do.get() {
            self.enter();
        }
    }

    fn ended(&self, unit: &Unit) {
        let id = id_of(unit);
        self.new.borrow_mut().retain(|&new| new != id);
        self.forget(id);
    }

    fn before_sleep(&self, _: Option<Duration>) {
        self.catch_up();
    }

    fn over(&self) {
        self.catch_up();
    }

    fn after_wake(&self) {
        self.tell_of_wakes();
    }
}

fn id_of(unit: &Unit) -> UnitId {
    unit.id(current::current_run())
}

/// Gives up a span. This runs foreign code.
fn close(span: &mut Span) {
    let span = mem::replace(span, Span::none());
    quietly(|| drop(span));
}

/// Enters a span below the current one, if that is somebody else's. This runs foreign code.
fn enter(span: &Span) {
    quietly(|| {
        let above = Span::current();
        let is_others = above.metadata().is_some_and(|data| !data.name().starts_with("runtime."));
        if is_others {
            above.with_subscriber(|(id, dispatch)| dispatch.exit(id));
        }
        span.with_subscriber(|(id, dispatch)| dispatch.enter(id));
        if is_others {
            above.with_subscriber(|(id, dispatch)| dispatch.enter(id));
        }
    });
}

/// Exits a span, wherever it is. This runs foreign code.
fn exit(span: &Span) {
    quietly(|| {
        span.with_subscriber(|(id, dispatch)| dispatch.exit(id));
    });
}
