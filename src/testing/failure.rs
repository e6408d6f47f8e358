//! The failures that [`explore`](super::explore) finds.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::thread;

use super::schedule::{Schedule, VARIABLE};
use crate::error::{Deadlock, Error, Stuck};

/// A schedule under which a program fails, and the failure.
///
/// `{}` is one line. `{:?}` is the message [`explore`](super::explore) panics with: the whole
/// error, and how to replay it.
///
/// ```
/// use seedbed::Event;
/// use seedbed::testing::{Explore, FailureKind};
///
/// let failure = Explore::new().run(|| async { Event::new().wait().await }).unwrap_err();
/// assert_eq!(failure.kind(), FailureKind::Deadlock);
/// assert_eq!(failure.schedule().to_string(), "fifo");
/// ```
pub struct Failure {
    pub(super) cause: Cause,
    pub(super) schedule: Schedule,
    pub(super) tried: usize,
}

/// The way in which a program fails.
///
/// ```
/// use seedbed::testing::{Explore, FailureKind};
///
/// let failure = Explore::new().run(|| async { panic!("out of paper") }).unwrap_err();
/// assert_eq!(failure.kind(), FailureKind::Panic);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The program returned an error.
    Error,
    /// The program panicked.
    Panic,
    /// Every task waits, and nothing can wake one.
    Deadlock,
    /// A task could go on but is not polled, or does not respond to its cancellation: see
    /// [scheduling](crate::guide::scheduling#a-stuck-task-says-so).
    Stuck,
    /// The program had not ended after [`max_rounds`](super::Explore::max_rounds).
    Livelock,
    /// The program did not do the same thing twice, so nothing is known about it. The usual causes
    /// are the order of a `HashMap`, real time, threads, and state kept from one call to the next.
    NotDeterministic,
}

/// How one run failed.
pub(super) enum Cause {
    Error(Error),
    Panic(String),
    NotDeterministic(String),
}

impl Cause {
    pub(super) fn of_panic(payload: Box<dyn Any + Send>) -> Cause {
        let payload = match payload.downcast::<String>() {
            Ok(text) => return Cause::Panic(*text),
            Err(payload) => payload,
        };
        let text = payload.downcast_ref::<&str>().copied();
        Cause::Panic(text.unwrap_or("(the payload is not text)").to_owned())
    }

    pub(super) fn kind(&self) -> FailureKind {
        match self {
            Cause::Error(error) if error.is::<Deadlock>() => FailureKind::Deadlock,
            Cause::Error(error) if error.is::<Stuck>() => FailureKind::Stuck,
            Cause::Error(error) if error.is::<Livelock>() => FailureKind::Livelock,
            Cause::Error(_) => FailureKind::Error,
            Cause::Panic(_) => FailureKind::Panic,
            Cause::NotDeterministic(_) => FailureKind::NotDeterministic,
        }
    }
}

impl Failure {
    /// The way in which the program failed.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.cause.kind()
    }

    /// The error, if the program returned one or hung.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match &self.cause {
            Cause::Error(error) => Some(error),
            _ => None,
        }
    }

    /// The schedule under which it failed, made as simple as possible.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// How many schedules were run until one failed, not counting the runs that made it simpler.
    #[must_use]
    pub fn schedules(&self) -> usize {
        self.tried
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "schedule {} (run number {}): ", self.schedule, self.tried)?;
        match &self.cause {
            Cause::Error(error) => f.write_str(&error.one_line()),
            Cause::Panic(text) => {
                write!(f, "a panic: {}", text.lines().next().unwrap_or_default())
            }
            Cause::NotDeterministic(text) => write!(f, "not deterministic: {text}"),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, text) = match &self.cause {
            Cause::Error(error) => ("the program fails", format!("{error:?}")),
            Cause::Panic(text) => ("the program panics", text.clone()),
            Cause::NotDeterministic(text) => {
                writeln!(f, "the program is not deterministic, so it cannot be explored:")?;
                indented(f, text)?;
                return f.write_str(
                    "The usual causes are the order of a `HashMap`, real time, threads, and state \
                     kept from one call of the closure to the next. An old schedule also fails like \
                     this when the program has changed since.",
                );
            }
        };
        let Failure { schedule, tried, .. } = self;
        writeln!(f, "under schedule {schedule} (run number {tried}), {what}:")?;
        indented(f, &text)?;
        writeln!(f, "To replay this schedule alone:")?;
        let thread = thread::current();
        let test = thread.name().filter(|name| *name != "main").unwrap_or("the_test");
        writeln!(f, "    {VARIABLE}={schedule} cargo test {test}")?;
        write!(f, "    Explore::new().replay(\"{schedule}\").check(…)")
    }
}

impl StdError for Failure {}

fn indented(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.lines().try_for_each(|line| writeln!(f, "    {line}"))
}

/// A run went on for more rounds than it was given.
#[derive(Debug)]
pub(super) struct Livelock(pub(super) u32);

impl fmt::Display for Livelock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "livelock: the program has not ended after {} rounds of the scheduler; look for tasks \
             that wait for each other by trying again and again, or allow more rounds with \
             `Explore::max_rounds`",
            self.0
        )
    }
}

impl StdError for Livelock {}
