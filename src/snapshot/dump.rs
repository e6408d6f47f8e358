//! A dump, as a list of what there is, each thing followed by what is in it.

use std::ops::Range;
use std::panic::Location;
use std::time::Duration;

use crate::error::{Cancelled, NotRunning, Result, Spawned};
use crate::generator::entered;
use crate::platform::clock::Nanos;
use crate::schedule::turn::history::LastPoll;
use crate::schedule::units::parked;
use crate::scope::frame;
use crate::scope::tree::{Level, Patience};
use crate::snapshot::take::{Besides, take, take_with};
use crate::snapshot::wakes::Wakes;
use crate::threads::job;
use crate::world;

pub(super) type Place = &'static Location<'static>;

/// A picture of a run at one moment. See [the module](crate::inspect).
///
/// `{}` writes it as text, in which tasks that look alike are folded together; with `{:#}` each has
/// a line of its own. [`to_json`](Self::to_json) is for programs. It holds on to nothing of the
/// run, and may be sent to other threads.
#[derive(Clone, Debug)]
pub struct Dump {
    /// Where `run` was called.
    pub(super) place: Place,
    /// The number of the run among all those of the process.
    pub(super) run: u64,
    /// When it was taken, since the clock of the run began.
    pub(super) now: Nanos,
    pub(super) is_ending: bool,
    pub(super) items: Vec<Item>,
    /// What will wake the tasks: each has a part of this list.
    pub(super) wakes: Vec<Wakes>,
    pub(super) sources: Vec<world::seen::Seen>,
    pub(super) generators: Vec<frame::Seen>,
    pub(super) managers: Vec<entered::Seen>,
    pub(super) jobs: Vec<job::Seen>,
    /// What could not be looked at, because it was being changed.
    pub(super) missing: Vec<&'static str>,
}

/// Something in a run. What is in it follows, with a greater depth.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) depth: u32,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Task(Task),
    Scope(Scope),
    /// The scope of a nursery.
    Nursery(Scope, Body),
    /// A nursery that cannot be reached from the run's.
    Apart(Place),
}

#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) role: Role,
    /// The number of the unit in the run.
    pub(super) id: u64,
    /// Where the task was spawned; for a body, where its nursery was opened.
    pub(super) spawned: Spawned,
    pub(super) state: State,
    /// What is known to wake it, as a part of the dump's list.
    pub(super) wakes: Range<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Role {
    Main,
    /// The body of a nursery, which is part of the task that opened the nursery.
    Body,
    Child,
    /// A task that belongs to the run itself: it closes a generator, or another thread has
    /// spawned it.
    System,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Running,
    /// It polls a nursery in which something is running.
    PollsNursery,
    /// It could go on, since this time.
    Ready(Nanos),
    Waits(parked::What, Option<Place>, LastPoll),
    InNursery,
    /// It waits for something that is not this crate's.
    Elsewhere(LastPoll),
}

#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// What no other scope that exists has.
    pub(super) address: usize,
    pub(super) place: Place,
    /// When it will be cancelled.
    pub(super) deadline: Option<Nanos>,
    pub(super) shield: bool,
    pub(super) patience: Patience,
    pub(super) level: Level,
    /// Why the scope itself was cancelled.
    pub(super) why: Option<Cancelled>,
}

/// What has become of the body of a nursery.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Body {
    Runs,
    HasEnded,
}

/// Takes a [`Dump`] of the run on this thread.
///
/// This may be called anywhere on the run's thread: in a task, in a destructor, in a panic hook. It
/// never panics. If something cannot be looked at, because it is in the middle of being changed,
/// the dump says so. It is not a checkpoint, and works in a cancelled scope. It takes time in
/// proportion to the size of the run: well under a microsecond for each task and, on Linux, two or
/// three system calls for each socket.
///
/// # Errors
///
/// [`NotRunning`](crate::NotRunning) if there is no run on this thread.
///
/// ```
/// use seedbed::inspect;
///
/// std::panic::set_hook(Box::new(|panic| {
///     eprintln!("{panic}");
///     if let Ok(dump) = inspect::dump() {
///         eprintln!("{dump}");
///     }
/// }));
/// ```
pub fn dump() -> Result<Dump> {
    Ok(take().ok_or(NotRunning)?)
}

/// Takes a dump as [`dump`] does, without sockets: to ask the system for those takes longer than
/// everything else.
pub(crate) fn dump_without_sockets() -> Result<Dump> {
    Ok(take_with(Besides::Nothing).ok_or(NotRunning)?)
}

impl Dump {
    /// How many tasks there are: the main future, the children of nurseries, and the tasks of the
    /// run itself.
    #[must_use]
    pub fn tasks(&self) -> usize {
        let is_task =
            |item: &&Item| matches!(&item.what, What::Task(task) if task.role != Role::Body);
        self.items.iter().filter(is_task).count()
    }

    /// How long the run had been going on.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    /// What is known to wake a task.
    pub(super) fn wakes(&self, task: &Task) -> &[Wakes] {
        &self.wakes[task.wakes.start as usize..task.wakes.end as usize]
    }

    /// How long a unit that was last polled then has been waiting.
    pub(super) fn waited(&self, last: LastPoll) -> Nanos {
        let (LastPoll::At(time) | LastPoll::Before(time)) = last;
        self.now.saturating_sub(time)
    }
}
