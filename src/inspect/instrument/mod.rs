//! Functions of a program that are called when something happens in a run.
//!
//! | file | concept |
//! |---|---|
//! | `mod` | an instrument, and adding one |
//! | `told` | what an instrument is told, and when |

mod told;

use std::panic::Location;
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::error::{NotRunning, Result, Spawned};
use crate::inspect::instrument::told::Told;
use crate::run::Builder;
use crate::schedule::current;
use crate::schedule::ids::RunId;
use crate::schedule::seen::onlookers::{self, Onlooker};

/// Something whose functions are called when something happens in a run: for a trace, a profile, or
/// numbers that [`metrics`](crate::inspect::metrics()) does not have. This is Trio's `Instrument`.
///
/// Each function does nothing by default. [`Builder::instrument`] adds an instrument to a run
/// before it begins, and [`add_instrument`] to one that goes on.
///
/// # When it is called
///
/// On the run's thread, in the order in which things happen, and always between two steps of its
/// tasks. The functions that tell of a spawn, a wake or an end are called when the present step is
/// over, and not in the middle of it. (Trio calls them on the spot.) Nothing is being polled
/// meanwhile: no scope, no task and no [`Local`](crate::Local) is current.
///
/// An instrument may do whatever a task may do without waiting: set events, spawn through a handle,
/// cancel scopes. What that causes it is told of when the present call has returned. If it makes
/// something ready in [`before_io_wait`](Self::before_io_wait), the run does not sleep.
///
/// # Steps
///
/// The *steps* of a task are what it does between two waits, as in Trio. They are not nested: the
/// step of a task in a nursery is not part of one of the task that has opened the nursery. A task
/// that only waits for its nursery has none. If a combinator such as `join!` polls a nursery and
/// then something else, the step is over when one in the nursery begins.
///
/// # Panics
///
/// An instrument that panics is removed, with a warning through `tracing`, and the run goes on.
/// This is what Trio does.
///
/// ```
/// use seedbed::inspect::{Instrument, TaskInfo};
/// use seedbed::{Builder, nursery, yield_now};
/// use std::cell::{Cell, RefCell};
/// use std::collections::HashMap;
/// use std::rc::Rc;
///
/// /// Counts the steps of each task that has a name.
/// #[derive(Default)]
/// struct Steps(RefCell<HashMap<String, u32>>);
///
/// impl Instrument for Steps {
///     fn before_task_step(&self, task: &TaskInfo) {
///         if let Some(name) = task.name() {
///             *self.0.borrow_mut().entry(name.to_owned()).or_default() += 1;
///         }
///     }
/// }
///
/// let steps = Rc::new(Steps::default());
/// Builder::new().instrument(steps.clone()).run(async {
///     nursery(async |n| {
///         n.named("one").spawn(async { Ok(()) });
///         n.named("two").spawn(async { yield_now().await });
///         Ok(())
///     })
///     .await
/// })?;
/// assert_eq!(steps.0.borrow()["one"], 1);
/// assert_eq!(steps.0.borrow()["two"], 2);
/// # Ok::<(), seedbed::Error>(())
/// ```
#[allow(unused_variables, reason = "their names are documentation")]
pub trait Instrument {
    /// The run begins. Only an instrument of the [`Builder`]'s is told.
    fn before_run(&self) {}

    /// The run is over: everything in it has ended.
    fn after_run(&self) {}

    /// A task was spawned.
    fn task_spawned(&self, task: &TaskInfo) {}

    /// A task has become ready, and will have its turn.
    fn task_scheduled(&self, task: &TaskInfo) {}

    /// A task is about to go on.
    fn before_task_step(&self, task: &TaskInfo) {}

    /// A task has gone on until it waits again, or has ended.
    fn after_task_step(&self, task: &TaskInfo) {}

    /// A task has ended, in whichever way. If it ended by itself, [`after_task_step`] for its last
    /// step comes next, as in Trio.
    ///
    /// [`after_task_step`]: Self::after_task_step
    fn task_exited(&self, task: &TaskInfo) {}

    /// The run is about to sleep, because nothing in it can go on: for this long at most, or until
    /// something comes from outside; `None` is without a limit. A virtual clock jumps by as much
    /// instead. Unlike in Trio, this is not called if the run only looks for events, without
    /// waiting.
    fn before_io_wait(&self, timeout: Option<Duration>) {}

    /// The run has slept, for `timeout` at most: what [`before_io_wait`](Self::before_io_wait) was
    /// told, and not how long it was.
    fn after_io_wait(&self, timeout: Option<Duration>) {}
}

impl<I: Instrument + ?Sized> Instrument for Rc<I> {
    fn before_run(&self) {
        (**self).before_run();
    }

    fn after_run(&self) {
        (**self).after_run();
    }

    fn task_spawned(&self, task: &TaskInfo) {
        (**self).task_spawned(task);
    }

    fn task_scheduled(&self, task: &TaskInfo) {
        (**self).task_scheduled(task);
    }

    fn before_task_step(&self, task: &TaskInfo) {
        (**self).before_task_step(task);
    }

    fn after_task_step(&self, task: &TaskInfo) {
        (**self).after_task_step(task);
    }

    fn task_exited(&self, task: &TaskInfo) {
        (**self).task_exited(task);
    }

    fn before_io_wait(&self, timeout: Option<Duration>) {
        (**self).before_io_wait(timeout);
    }

    fn after_io_wait(&self, timeout: Option<Duration>) {
        (**self).after_io_wait(timeout);
    }
}

/// What an [`Instrument`] is told of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskInfo {
    /// The number of the task in its run.
    id: u64,
    spawned: Spawned,
}

impl TaskInfo {
    /// The task's number, which a [`Dump`](crate::inspect::Dump) gives it too. When a task has
    /// ended, a later one may be given the same.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Its name, if it was [spawned with one](crate::Nursery::named).
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.spawned.name()
    }

    /// Where it was spawned; for the main future, where [`run`](crate::run()) was called.
    #[must_use]
    pub fn place(&self) -> &'static Location<'static> {
        self.spawned.place()
    }
}

/// Adds an [`Instrument`] to the run on this thread. It is told of everything from now on,
/// beginning with the next step of a task. This is Trio's `add_instrument`, and not a checkpoint.
///
/// # Errors
///
/// [`NotRunning`](crate::NotRunning) if there is no run on this thread.
///
/// ```
/// use seedbed::inspect::{Instrument, TaskInfo, add_instrument};
/// use seedbed::{nursery, yield_now};
/// use std::{cell::Cell, rc::Rc};
///
/// struct Spawned(Rc<Cell<u32>>);
///
/// impl Instrument for Spawned {
///     fn task_spawned(&self, _: &TaskInfo) {
///         self.0.set(self.0.get() + 1);
///     }
/// }
///
/// seedbed::run(async {
///     let spawned = Rc::new(Cell::new(0));
///     let added = add_instrument(Spawned(spawned.clone()))?;
///     nursery(async |n| {
///         n.spawn(async { Ok(()) });
///         n.spawn(async { Ok(()) });
///         Ok(())
///     })
///     .await?;
///     added.remove();
///     assert_eq!(spawned.get(), 2);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub fn add_instrument<I: Instrument + 'static>(instrument: I) -> Result<AddedInstrument> {
    if !current::is_running() {
        return Err(NotRunning.into());
    }
    let told = Told::new(Rc::new(instrument));
    let added = AddedInstrument { told: Rc::downgrade(&told), run: current::current_run() };
    onlookers::add(told);
    Ok(added)
}

/// An [`Instrument`] that was added to a run. Dropping this changes nothing.
#[derive(Clone, Debug)]
pub struct AddedInstrument {
    told: Weak<Told>,
    run: RunId,
}

impl AddedInstrument {
    /// Removes the instrument: it is not told of anything any more. This may be done by the
    /// instrument itself, and does nothing if it has been removed already.
    pub fn remove(&self) {
        let Some(told) = self.told.upgrade() else { return };
        told.cease();
        if current::current_run() == self.run {
            let onlooker: Rc<dyn Onlooker> = told;
            onlookers::remove(&onlooker);
        }
    }

    /// Whether the instrument is still told what happens: not if it was removed, if it has
    /// panicked, or if its run is over.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.told.upgrade().is_some_and(|told| told.is_active())
    }
}

impl Builder {
    /// Adds an [`Instrument`](crate::inspect::Instrument), which is told what happens in the run.
    /// It may be called several times, for several instruments. If the builder is used again, all
    /// its runs share them. There is an [example](crate::inspect::Instrument).
    ///
    /// With [`run_on_cores`](Self::run_on_cores) this is an error: an instrument stays on its
    /// thread. Each core can [add one](crate::inspect::add_instrument) of its own.
    pub fn instrument(self, instrument: impl Instrument + 'static) -> Self {
        let instrument = Rc::new(instrument);
        self.attended(Rc::new(move || Told::from_the_beginning(instrument.clone())))
    }
}
