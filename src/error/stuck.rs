//! Errors about a program in which nothing goes on: a part of it could but does not ([`Stuck`]), or
//! no part of it can ([`Deadlock`]).

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::{Cancelled, Spawned};

type Place = &'static Location<'static>;

/// A task, or a part of one, that does not go on although it could.
///
/// This is an error of [`run`](crate::run) only if the program
/// [asked for it](crate::Builder::fail_when_stuck); otherwise it is reported through `tracing`, with
/// the part of a [dump](crate::inspect) that it is about in the field `dump`. The guide [says
/// more](crate::guide::scheduling#a-stuck-task-says-so).
///
/// ```
/// fn parked(error: &seedbed::Error) -> bool {
///     error.is::<seedbed::Stuck>()
/// }
/// assert!(!parked(&seedbed::Error::msg("out of paper")));
/// ```
#[derive(Clone, Debug)]
pub struct Stuck {
    what: What,
    place: Place,
    tasks: Vec<Spawned>,
    dump: Arc<str>,
}

#[derive(Clone, Debug)]
enum What {
    Nursery,
    Scope,
    Cancelled(Cancelled),
    CleanUp(Cancelled),
    Start,
    Job(Asks),
    Operation(Exclusive),
}

/// Something that only one can have. Until the operation that was given it goes on, all others wait
/// for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exclusive {
    Lock,
    Permit,
    Notification,
    Message,
}

impl fmt::Display for Exclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Exclusive::Lock => "lock",
            Exclusive::Permit => "permit",
            Exclusive::Notification => "notification",
            Exclusive::Message => "message",
        })
    }
}

impl Stuck {
    fn new(what: What, place: Place, tasks: Vec<Spawned>) -> Stuck {
        Stuck { what, place, tasks, dump: Arc::from("") }
    }

    /// The same with the text of a dump of the run.
    pub(crate) fn with_dump(self, dump: String) -> Stuck {
        Stuck { dump: dump.into(), ..self }
    }

    /// A nursery that has work ready. `tasks` are its ready children.
    pub(crate) fn nursery(place: Place, tasks: Vec<Spawned>) -> Stuck {
        Stuck::new(What::Nursery, place, tasks)
    }

    /// A scope in which an operation has been given what it waits for.
    pub(crate) fn scope(place: Place) -> Stuck {
        Stuck::new(What::Scope, place, Vec::new())
    }

    /// A scope that is still open although it is cancelled. If it is a nursery's, `tasks` are
    /// its children.
    pub(crate) fn cancelled_scope(place: Place, tasks: Vec<Spawned>, why: Cancelled) -> Stuck {
        Stuck::new(What::Cancelled(why), place, tasks)
    }

    /// A scope that is shielded from a cancellation, and stays open.
    pub(crate) fn clean_up(place: Place, why: Cancelled) -> Stuck {
        Stuck::new(What::CleanUp(why), place, Vec::new())
    }

    /// A nursery that is open only because of a `start`.
    pub(crate) fn start(place: Place) -> Stuck {
        Stuck::new(What::Start, place, Vec::new())
    }

    /// A function on another thread that waits for the run, in which nothing goes on.
    pub(crate) fn job(asks: Asks) -> Stuck {
        Stuck::new(What::Job(asks), asks.job, Vec::new())
    }

    /// An operation that was given something, and keeps it from all others. `place` is where it was
    /// called.
    pub(crate) fn operation(place: Place, given: Exclusive) -> Stuck {
        Stuck::new(What::Operation(given), place, Vec::new())
    }

    /// Where the nursery or the scope was opened, or where `to_thread` or the operation was called.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Where the tasks were spawned: if nobody polls a nursery, those of its tasks that are ready;
    /// if a nursery is cancelled, those that are left. Otherwise there are none.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = &'static Location<'static>> {
        self.tasks.iter().map(Spawned::place)
    }

    /// The names of these tasks, in the same order; `None` for one that has no name.
    pub fn task_names(&self) -> impl ExactSizeIterator<Item = Option<&str>> {
        self.tasks.iter().map(Spawned::name)
    }

    /// Why the scope was cancelled, if it is one that stays open nevertheless.
    pub fn cancelled(&self) -> Option<&Cancelled> {
        match &self.what {
            What::Cancelled(why) | What::CleanUp(why) => Some(why),
            What::Nursery | What::Scope | What::Start | What::Job(_) | What::Operation(_) => None,
        }
    }

    /// What each task of the run was doing: the text of a [dump](crate::inspect).
    ///
    /// ```
    /// use seedbed::{Builder, Stuck, cancel_scope};
    ///
    /// let error = Builder::new().fail_when_stuck(true).run(async {
    ///     cancel_scope(async |scope| {
    ///         scope.cancel();
    ///         std::future::pending::<()>().await;
    ///         Ok(())
    ///     })
    ///     .await
    /// });
    /// let stuck: &Stuck = error.as_ref().unwrap_err().find().unwrap();
    /// assert!(stuck.dump().contains("in a future of another crate"));
    /// ```
    pub fn dump(&self) -> &str {
        &self.dump
    }

    /// Whether a reader would take the two for the same report.
    pub(crate) fn looks_like(&self, other: &Stuck) -> bool {
        std::mem::discriminant(&self.what) == std::mem::discriminant(&other.what)
            && self.place == other.place
            && self.tasks == other.tasks
    }

    /// Writes where the tasks were spawned, after a space, if there are any.
    fn write_tasks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 3;
        let s = if self.tasks.len() == 1 { "" } else { "s" };
        for (i, task) in self.tasks.iter().take(MOST).enumerate() {
            match i {
                0 => write!(f, " in the task{s} spawned at {}", task.place())?,
                _ => write!(f, ", {}", task.place())?,
            }
            if let Some(name) = task.name() {
                write!(f, " ({name:?})")?;
            }
        }
        match self.tasks.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// What to do about something that nobody polls.
const PARKED: &str = "; it is parked in a `select!`, a buffered stream or a variable while the task \
    around it waits for something else: run it in a task of its own, or drop it first";

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place;
        f.write_str("stuck: ")?;
        match &self.what {
            What::Nursery => {
                write!(f, "nobody polls the nursery opened at {place}, which has work ready")?;
                self.write_tasks(f)?;
                f.write_str(PARKED)
            }
            What::Scope => write!(
                f,
                "nobody polls the scope opened at {place}, although something it waits for has \
                 come{PARKED}"
            ),
            What::Operation(given) => write!(
                f,
                "nobody polls the operation at {place}, which was given a {given} that nobody else \
                 can have until it goes on{PARKED}"
            ),
            What::Cancelled(why) => {
                write!(
                    f,
                    "the scope opened at {place} is still open, though {why}; what it awaits"
                )?;
                self.write_tasks(f)?;
                f.write_str(
                    " does not respond to that: wrap a future of another crate in \
                     `seedbed::cancellable`, or in `seedbed::tokio::call` if it needs tokio, and do \
                     not keep a future of this one unpolled",
                )
            }
            What::CleanUp(why) => write!(
                f,
                "the clean-up in the scope opened at {place}, which a shield protects, has not \
                 ended, though {why}, and nothing in sight will end it; give the shield a deadline"
            ),
            What::Start => write!(
                f,
                "the nursery opened at {place} is kept open only by the future of a `start`, and \
                 nothing in sight will change that; await that future to its end, or drop it"
            ),
            What::Job(asks) => asks.fmt(f),
        }
    }
}

impl StdError for Stuck {}

/// A function on another thread that waits for its own run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asks {
    /// Where the function was passed to `to_thread`.
    pub(crate) job: Place,
    /// The call for whose answer it waits.
    pub(crate) call: Place,
}

impl fmt::Display for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Asks { job, call } = self;
        write!(
            f,
            "the function in the `to_thread` at {job} waits, in its call at {call}, for the run that \
             waits for it; if the call needs something that the function has, such as a permit of \
             the same limiter, give it a limiter of its own, or raise the limit"
        )
    }
}

/// Every task waits, and nothing in sight can wake one. See
/// [`Builder::detect_deadlock`](crate::Builder::detect_deadlock).
///
/// ```
/// use seedbed::{Builder, Deadlock, Event};
///
/// let error = Builder::new().detect_deadlock(true).run(async { Event::new().wait().await });
/// let deadlock: &Deadlock = error.as_ref().unwrap_err().find().unwrap();
/// assert!(deadlock.dump().contains("in `Event::wait` at"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Deadlock {
    /// A function on another thread that waits for the run, if there is one.
    asks: Option<Asks>,
    dump: Arc<str>,
}

impl Deadlock {
    /// `dump` is the text of a dump of the run.
    pub(crate) fn new(asks: Option<Asks>, dump: String) -> Deadlock {
        Deadlock { asks, dump: dump.into() }
    }

    /// What each task was waiting for: the text of a [dump](crate::inspect).
    pub fn dump(&self) -> &str {
        &self.dump
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadlock: every task waits, no timer is set and no input is awaited; ")?;
        match self.asks {
            Some(asks) => asks.fmt(f),
            None => f.write_str(
                "look for an event that nobody sets, or a channel whose other end is kept but not \
                 used; what another runtime does is seen only in `seedbed::tokio::call`",
            ),
        }
    }
}

impl StdError for Deadlock {}
