//! The one error type, and the errors that travel in it.
//!
//! An [`Error`] is one of three things: a cancellation on its way to the scope that absorbs it
//! ([`Cancelled`]), the failures of a nursery ([`Group`]), or any other error together with the
//! place where `?` picked it up.
//!
//! | file | concept |
//! |---|---|
//! | `cancelled` | [`Cancelled`], and the reasons for it; [`Interrupted`] |
//! | `group` | [`Group`], and taking one apart: splitting it, absorbing its cancellations |
//! | `foreign` | errors of other libraries: conversions, the walk along their causes, cancellations in disguise |
//! | `placed` | the place of an error in an operation that is made of several |
//! | `render` | errors as text: one line for logs, a tree for people |
//! | `panic` | panics that are caught |
//!
//! The concrete errors of this crate, with their texts:
//!
//! | file | errors |
//! |---|---|
//! | `time_limit` | [`TooSlow`]: the time of a `fail_after`, a `fail_at` or an item of a flow ran out |
//! | `retries` | [`RetriesExhausted`]: something was tried as often as was asked for |
//! | `nursery` | what nurseries and tasks fail with: [`NoValue`], [`TaskCancelled`], [`EmptyRace`]; names of tasks |
//! | `misuse` | the program has to change: [`NotRunning`], [`AlreadyRunning`], [`ScopeReused`], [`NurseryClosed`], [`NotSpawned`], [`NotStarted`], [`CallRefused`], [`NotRun`] |
//! | `stuck` | nothing goes on: [`Stuck`], [`Deadlock`] |
//! | `generator` | yields, generators and context managers: [`YieldInCancelScope`] and the others |
//!
//! Three kinds are elsewhere, each next to what it comes from: the errors of channels, which give a
//! message back (`operation/sync/channel/errors.rs`), of a server's handlers (`serve/`), and of
//! `testing`.
//!
//! Groups nest as deep as nurseries do, so nothing here descends into them by recursion. The texts,
//! causes and destructors of other errors are foreign code: the crate asks for them only where
//! nothing of its own is borrowed or half changed.

mod cancelled;
mod foreign;
mod generator;
mod group;
mod misuse;
mod nursery;
pub(crate) mod panic;
mod placed;
mod render;
mod retries;
mod stuck;
#[cfg(test)]
mod tests;
mod time_limit;

pub use cancelled::{Cancelled, Interrupted, Reason};
pub(crate) use foreign::disguise::{Disguise, recognise};
pub use generator::{
    AsendError, BodyPanicked, ContextManagerMisused, GeneratorExit, GeneratorMisused,
    IgnoredGeneratorExit, YieldInCancelScope, YielderMisused,
};
pub(crate) use generator::{Impossible, Misuse, Yields};
pub use group::Group;
pub(crate) use group::{Absorbed, Member, Origin};
pub use misuse::{
    AlreadyRunning, CallRefused, NotRun, NotRunning, NotSpawned, NotStarted, NurseryClosed,
    Refusal, ScopeReused,
};
pub(crate) use misuse::{not_to_be_explored, used_in_a_fork, without_companion};
pub use nursery::{EmptyRace, NoValue, TaskCancelled};
pub(crate) use nursery::{Named, Spawned};
pub(crate) use placed::placed;
pub use retries::RetriesExhausted;
pub(crate) use stuck::{Asks, Exclusive};
pub use stuck::{Deadlock, Stuck};
pub use time_limit::TooSlow;

use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::path::Path;

use foreign::causes::{Walk, cause};
use foreign::convert::{self, Carried};

use crate::error::panic::discard;

type BoxedError = Box<dyn StdError + Send + Sync + 'static>;

/// A `Result` whose error is [`Error`].
///
/// ```
/// fn port(text: &str) -> seedbed::Result<u16> {
///     Ok(text.parse()?)
/// }
/// assert_eq!(port("7000").unwrap(), 7000);
/// assert!(port("http").is_err());
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error of a task: any error, the failures of a nursery, or a cancellation.
///
/// Anything that implements [`std::error::Error`] becomes an `Error` through `?`, which also
/// records the [place](Error::place) where that happened. For this reason `Error` does not
/// implement `std::error::Error` itself; [`as_dyn`](Error::as_dyn) gives a view of it that does.
///
/// Because there is one concrete type, the `Ok(())` at the end of an async closure infers. An
/// `Error` is two words wide, and so is a `Result<(), Error>`; a [`Cancelled`] in it needs no
/// allocation.
///
/// `{}` is one line. `{:?}`, which is what `main` prints, is the whole tree: each failure with the
/// task in which it happened, where it was raised, and what caused it.
/// ```
/// use seedbed::{Error, Result};
/// use std::num::ParseIntError;
///
/// fn port(text: &str) -> Result<u16> {
///     Ok(text.parse()?)
/// }
///
/// let error = port("http").unwrap_err();
/// assert!(error.is::<ParseIntError>());
/// assert_eq!(error.to_string(), "invalid digit found in string");
/// assert_eq!(format!("{error:?}"), format!("{error}\n  raised at {}", error.place().unwrap()));
/// ```
pub struct Error(Repr);

/// All the pointers are thin: a fat one would make `Result<(), Error>` three words wide.
enum Repr {
    Cancelled(Cancelled),
    Group(Box<Group>),
    Other(Box<Other>),
}

struct Other {
    error: BoxedError,
    /// `None` if it is not known.
    place: Option<&'static Location<'static>>,
}

const _: () = {
    const fn shareable<T: Send + Sync + 'static>() {}
    shareable::<Error>();
    assert!(size_of::<Error>() <= 16);
    assert!(size_of::<Result<()>>() <= 16);
};

impl Error {
    /// An error that is only a text, for cases where no type is worth having.
    ///
    /// The text is rendered at once, so it may borrow.
    ///
    /// ```
    /// use seedbed::Error;
    ///
    /// let name = String::from("ada");
    /// let error = Error::msg(format_args!("no such user: {name}"));
    /// assert_eq!(error.to_string(), "no such user: ada");
    /// ```
    #[track_caller]
    pub fn msg(text: impl fmt::Display) -> Error {
        Error::other(Box::new(Message(text.to_string())), Location::caller())
    }

    #[cold]
    fn other(error: BoxedError, caller: &'static Location<'static>) -> Error {
        let place = (!is_of_no_use(caller)).then_some(caller);
        Error(Repr::Other(Box::new(Other { error, place })))
    }

    /// Returns the error as raised at this place, unless a better one is known.
    pub(crate) fn at(mut self, place: &'static Location<'static>) -> Error {
        if let Repr::Other(other) = &mut self.0
            && other.place.is_none()
            && !is_of_no_use(place)
        {
            other.place = Some(place);
        }
        self
    }

    /// Whether this is a plain [`Cancelled`].
    ///
    /// A [`Group`] never is, whatever it contains, because at least one of its members is a real
    /// failure.
    ///
    /// ```
    /// assert!(!seedbed::Error::msg("out of paper").is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Repr::Cancelled(_))
    }

    /// The cancellation that this is, or that another library has wrapped in an error of its own,
    /// so that the chain of causes ends in a [`Cancelled`]. Nobody could tell that such an error
    /// means anything else, and a scope that did not absorb it would let a cancellation out.
    ///
    /// A [`NoValue`] does not count: it says what a cancellation led to, and has it as its cause
    /// only for that reason.
    pub(crate) fn cancellation(&self) -> Option<&Cancelled> {
        match &self.0 {
            Repr::Cancelled(cancelled) => Some(cancelled),
            Repr::Group(_) => None,
            Repr::Other(other) => {
                // An error whose `source` panics is a failure like any other.
                let found = catch_unwind(AssertUnwindSafe(|| convert::cancellation(&*other.error)));
                found.unwrap_or_else(|payload| {
                    discard(payload);
                    None
                })
            }
        }
    }

    /// The same error. If it is a cancellation, it says in addition what it stopped half-way.
    pub(crate) fn having_stopped(self, what: impl StdError + Send + Sync + 'static) -> Error {
        match self.0 {
            Repr::Cancelled(cancelled) => Error(Repr::Cancelled(cancelled.having_stopped(what))),
            other => Error(other),
        }
    }

    /// Whether the error itself is an `E`. This does not look at members of a group or at causes;
    /// [`find`](Error::find) does.
    ///
    /// ```
    /// use std::io;
    ///
    /// let error = seedbed::Error::from(io::Error::from(io::ErrorKind::NotFound));
    /// assert!(error.is::<io::Error>());
    /// assert!(!error.is::<std::fmt::Error>());
    /// ```
    pub fn is<E: StdError + 'static>(&self) -> bool {
        self.as_dyn().is::<E>()
    }

    /// The error itself, if it is an `E`. [`Cancelled`] and [`Group`] are possible too.
    ///
    /// ```
    /// use std::io;
    ///
    /// let error = seedbed::Error::from(io::Error::from(io::ErrorKind::NotFound));
    /// let kind = error.downcast_ref().map(io::Error::kind);
    /// assert_eq!(kind, Some(io::ErrorKind::NotFound));
    /// ```
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.as_dyn().downcast_ref()
    }

    /// Takes the error itself out if it is an `E`, and otherwise gives it back unchanged.
    ///
    /// ```
    /// use seedbed::{Error, Result};
    /// use std::io;
    ///
    /// /// A missing file is fine, everything else is not.
    /// fn optional(result: Result<String>) -> Result<Option<String>> {
    ///     match result.map_err(Error::downcast::<io::Error>) {
    ///         Ok(text) => Ok(Some(text)),
    ///         Err(Ok(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
    ///         Err(Ok(error)) => Err(error.into()),
    ///         Err(Err(other)) => Err(other),
    ///     }
    /// }
    ///
    /// let missing = io::Error::from(io::ErrorKind::NotFound);
    /// assert_eq!(optional(Err(missing.into())).unwrap(), None);
    /// assert!(optional(Err(Error::msg("out of paper"))).is_err());
    /// ```
    pub fn downcast<E: StdError + 'static>(self) -> Result<E, Error> {
        if !self.is::<E>() {
            return Err(self);
        }
        let error = self.into_boxed().downcast::<E>();
        Ok(*error.expect("it is, as seen above"))
    }

    /// The first `E` found in this error: the error itself, then its causes
    /// ([`source`](StdError::source)). In a group the members come depth first, in the order in
    /// which they failed, each with its causes.
    ///
    /// ```
    /// use std::{io, num::ParseIntError};
    ///
    /// let cause = "http".parse::<u16>().unwrap_err();
    /// let error = seedbed::Error::from(io::Error::new(io::ErrorKind::InvalidInput, cause));
    /// assert!(!error.is::<ParseIntError>());
    /// assert!(error.find::<ParseIntError>().is_some());
    /// ```
    pub fn find<E: StdError + 'static>(&self) -> Option<&E> {
        find_in(self.as_dyn())
    }

    /// The group of failures, if this comes from a nursery that failed.
    ///
    /// ```
    /// use seedbed::Error;
    ///
    /// fn failures(error: &Error) -> usize {
    ///     error.as_group().map_or(1, |group| group.errors().map(failures).sum())
    /// }
    /// assert_eq!(failures(&Error::msg("out of paper")), 1);
    /// ```
    pub fn as_group(&self) -> Option<&Group> {
        match &self.0 {
            Repr::Group(group) => Some(group),
            _ => None,
        }
    }

    /// Where this became an `Error`: the `?` that converted it, or the call of [`msg`](Error::msg).
    /// For a group it is where its nursery was opened. For the failure of an operation of this
    /// crate, such as a read or an accept, it is where the operation was called.
    ///
    /// There is no place for a [`Cancelled`], which has [places](Cancelled::scope_place) of its
    /// own, nor for errors of this crate that name the program's places themselves. There is also
    /// none if the conversion does not know its caller: in `map_err(Error::from)`, which passes a
    /// function as a value, and for a `?` in a function that returns a [`Poll`](std::task::Poll).
    /// Any other `?`, and `map_err(|error| error.into())`, do know it.
    ///
    /// ```
    /// let error = seedbed::Error::msg("out of paper");
    /// assert_eq!(error.place().unwrap().line(), line!() - 1);
    /// ```
    pub fn place(&self) -> Option<&'static Location<'static>> {
        match &self.0 {
            Repr::Cancelled(_) => None,
            Repr::Group(group) => Some(group.place()),
            Repr::Other(other) => other.place,
        }
    }

    /// The error itself as a [`std::error::Error`], for code that needs one, such as a `tracing`
    /// field or a walk along the causes.
    ///
    /// ```
    /// let error = seedbed::Error::from(std::fmt::Error);
    /// assert!(error.as_dyn().source().is_none());
    /// ```
    pub fn as_dyn(&self) -> &(dyn StdError + Send + Sync + 'static) {
        match &self.0 {
            Repr::Cancelled(cancelled) => cancelled,
            Repr::Group(group) => &**group,
            Repr::Other(other) => &*other.error,
        }
    }
}

/// Whether this place helps nobody, because it is in this crate or in the standard library.
///
/// It is in the standard library if the conversion was passed as a value, as in
/// `map_err(Error::from)`, or if the `?` is in a function that returns a `Poll`.
fn is_of_no_use(place: &Location<'_>) -> bool {
    let file = place.file();
    // The second path is where the library's sources are if they are installed.
    let standard = file.starts_with("/rustc/") || file.contains("/rustlib/src/rust/library/");
    standard || is_inside(place)
}

/// Whether a place is in this crate's own sources, where operations fail, and not in a program.
/// Nothing fails in this module; its documentation and tests show what a program does.
fn is_inside(place: &Location<'_>) -> bool {
    let error = Path::new(file!()).parent().expect("it is in a folder");
    let sources = error.parent().expect("and that in another");
    let place = Path::new(place.file());
    place.starts_with(sources) && !place.starts_with(error)
}

fn find_in<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    // The groups on the way down, each with its members still to be visited.
    let mut groups = Vec::new();
    let mut next = Some(error);
    loop {
        let mut walk = Walk::new();
        while let Some(error) = next
            && walk.comes_to(error)
        {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            if let Some(group) = error.downcast_ref::<Group>() {
                groups.push(group.errors());
                break;
            }
            next = match error.downcast_ref() {
                Some(Carried(carried)) => Some(carried.as_dyn()),
                None => cause(error),
            };
        }
        next = loop {
            match groups.last_mut()?.next() {
                Some(error) => break Some(error.as_dyn()),
                None => _ = groups.pop(),
            }
        };
    }
}

/// The error made by [`Error::msg`].
#[derive(Debug)]
struct Message(String);

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Message {}
