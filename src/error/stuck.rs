//! Something does not go on although it could.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

use super::Cancelled;
use crate::operation::handed::{self, HandedOver};

/// A task, or a part of one, that does not go on although it could.
///
/// It is an error of [`run`](crate::run) only where that was
/// [asked for](crate::Builder::fail_when_stuck); otherwise it is reported through `tracing`. The
/// guide [says more](crate::guide::scheduling#a-stuck-task-says-so).
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
    place: &'static Location<'static>,
    tasks: Vec<&'static Location<'static>>,
}

#[derive(Clone, Debug)]
enum What {
    Nursery,
    Scope,
    Cancelled(Cancelled),
    CleanUp(Cancelled),
    Start,
    Job(Asks),
    Handed(handed::What),
}

impl Stuck {
    /// A nursery that has work ready. `tasks` is where those of its children were spawned that
    /// are.
    pub(crate) fn nursery(
        place: &'static Location<'static>,
        tasks: Vec<&'static Location<'static>>,
    ) -> Stuck {
        Stuck { what: What::Nursery, place, tasks }
    }

    /// A scope in which something has been handed to an operation.
    pub(crate) fn scope(place: &'static Location<'static>) -> Stuck {
        Stuck { what: What::Scope, place, tasks: Vec::new() }
    }

    /// A scope that is open though cancelled. If it is a nursery's, `tasks` is where its children
    /// were spawned.
    pub(crate) fn cancelled_scope(
        place: &'static Location<'static>,
        tasks: Vec<&'static Location<'static>>,
        why: Cancelled,
    ) -> Stuck {
        Stuck { what: What::Cancelled(why), place, tasks }
    }

    /// A scope that is shielded from a cancellation, and stays open.
    pub(crate) fn clean_up(place: &'static Location<'static>, why: Cancelled) -> Stuck {
        Stuck { what: What::CleanUp(why), place, tasks: Vec::new() }
    }

    /// A job on another thread that waits for the run, in which nothing goes on.
    pub(crate) fn start(place: &'static Location<'static>) -> Stuck {
        Stuck { what: What::Start, place, tasks: Vec::new() }
    }

    pub(crate) fn job(asks: Asks) -> Stuck {
        Stuck { what: What::Job(asks), place: asks.job, tasks: Vec::new() }
    }

    /// An operation that was handed something.
    pub(crate) fn handed(handed: HandedOver) -> Stuck {
        Stuck { what: What::Handed(handed.what), place: handed.place, tasks: Vec::new() }
    }

    /// Where the nursery or the scope was opened, or `to_thread` was called.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Where the tasks were spawned: of a nursery that nobody polls, those that are ready; of one
    /// that is cancelled, those that are left. Empty for other scopes.
    pub fn tasks(&self) -> &[&'static Location<'static>] {
        &self.tasks
    }

    /// Why the scope was cancelled, if it is one that stays open nevertheless.
    pub fn cancelled(&self) -> Option<&Cancelled> {
        match &self.what {
            What::Cancelled(why) | What::CleanUp(why) => Some(why),
            What::Nursery | What::Scope | What::Start | What::Job(_) | What::Handed(_) => None,
        }
    }

    /// Whether it is the same thing to a reader.
    pub(crate) fn looks_like(&self, other: &Stuck) -> bool {
        std::mem::discriminant(&self.what) == std::mem::discriminant(&other.what)
            && self.place == other.place
            && self.tasks == other.tasks
    }

    fn write_tasks(&self, f: &mut fmt::Formatter<'_>, before: &str) -> fmt::Result {
        const MOST: usize = 3;
        for (i, task) in self.tasks.iter().take(MOST).enumerate() {
            write!(f, "{}{task}", if i == 0 { before } else { ", " })?;
        }
        match self.tasks.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place;
        match &self.what {
            What::Nursery => {
                write!(
                    f,
                    "stuck: nobody polls the nursery opened at {place}, which has work ready"
                )?;
                self.write_tasks(f, ", in what was spawned at ")?;
            }
            What::Scope => write!(
                f,
                "stuck: nobody polls the scope opened at {place}, in which something that was \
                 waited for has come"
            )?,
            What::CleanUp(why) => {
                return write!(
                    f,
                    "stuck: the clean-up in the scope opened at {place}, which a shield protects, has \
                     not ended, though {why}, and nothing in sight will end it; give clean-up a deadline"
                );
            }
            What::Start => {
                return write!(
                    f,
                    "stuck: the nursery opened at {place} is kept open by a `start` alone, which was \
                     neither awaited to its end nor dropped, and nothing in sight will change that"
                );
            }
            What::Job(asks) => return write!(f, "stuck: {asks}"),
            What::Handed(what) => {
                let what = match what {
                    handed::What::Permit => "permit",
                    handed::What::Message => "message",
                };
                write!(
                    f,
                    "stuck: nobody polls the operation at {place}, which was given a {what} that \
                     nobody else can have meanwhile"
                )?;
            }
            What::Cancelled(why) => {
                write!(f, "stuck: the scope opened at {place} is still open, though {why}; ")?;
                f.write_str("what it awaits")?;
                self.write_tasks(f, " in what was spawned at ")?;
                return f.write_str(
                    " does not heed that: wrap a future of another crate in \
                     `seedbed::cancellable`, and do not keep a future of this one unpolled",
                );
            }
        }
        f.write_str(
            "; it is parked in a `select!`, a buffered stream or a variable while the task around \
             it waits for something else: run it in a task of its own, or drop it first",
        )
    }
}

impl StdError for Stuck {}

/// A job that waits for its own run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asks {
    /// Where it was begun.
    pub(crate) job: &'static Location<'static>,
    /// The call for whose answer it waits.
    pub(crate) call: &'static Location<'static>,
}

impl fmt::Display for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Asks { job, call } = self;
        write!(
            f,
            "the function in `to_thread` at {job} waits for the run that waits for it, by the call at \
             {call}; if the call needs what the function holds, such as a permit of the same \
             limiter, give it a limiter of its own, or raise the limit"
        )
    }
}
