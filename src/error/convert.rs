//! Into [`Error`], and out of it through error types that know nothing of this crate.
//!
//! Whatever goes out comes back as it was. That is more than a courtesy: a [`Cancelled`] that
//! passed through somebody's `io::Error` and came back as an `io::Error` would be a failure that
//! no scope absorbs.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::panic::Location;

use super::causes::{Walk, cause};
use super::{BoxedError, Cancelled, Error, Group, NoValue, Repr, Result};

/// An [`Error`] inside of a `Box<dyn std::error::Error>` or an `io::Error`.
///
/// Only for [`Repr::Other`], so that its place is not lost on the way; [`Cancelled`] and
/// [`Group`] travel as themselves, where foreign code can recognise them.
pub(super) struct Carried(pub(super) Error);

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl StdError for Carried {
    /// The cause of what is carried: its own text is shown as that of the carrier already.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.as_dyn().source()
    }
}

/// What of ours a foreign error may turn out to be.
pub(super) enum Ours<'a> {
    Cancelled(&'a Cancelled),
    Group(&'a Group),
    Carried(&'a Error),
}

/// Recognises what came out of an [`Error`], also within an `io::Error` or several: libraries
/// wrap one in the next to say more about the kind.
pub(super) fn ours<'a>(mut error: &'a (dyn StdError + 'static)) -> Option<Ours<'a>> {
    loop {
        if let Some(cancelled) = error.downcast_ref() {
            return Some(Ours::Cancelled(cancelled));
        }
        if let Some(group) = error.downcast_ref() {
            return Some(Ours::Group(group));
        }
        if let Some(Carried(carried)) = error.downcast_ref() {
            return Some(Ours::Carried(carried));
        }
        error = error.downcast_ref::<io::Error>()?.get_ref()?;
    }
}

/// The [`Cancelled`] that an error is, or that it has among its causes.
pub(super) fn cancellation<'a>(mut error: &'a (dyn StdError + 'static)) -> Option<&'a Cancelled> {
    let mut walk = Walk::new();
    while walk.comes_to(error) {
        error = match ours(error) {
            Some(Ours::Cancelled(cancelled)) => return Some(cancelled),
            Some(Ours::Group(_)) => return None,
            Some(Ours::Carried(carried)) => match &carried.0 {
                Repr::Cancelled(cancelled) => return Some(cancelled),
                Repr::Group(_) => return None,
                Repr::Other(other) => &*other.error,
            },
            None if error.is::<NoValue>() => return None,
            None => cause(error)?,
        };
    }
    None
}

/// Undoes every conversion below, or gives the error back untouched.
fn reclaim(mut error: BoxedError) -> Result<Error, BoxedError> {
    // Looked at before it is taken apart: a foreign `io::Error` could not be put together again
    // with the same kind and text.
    if ours(&*error).is_none() {
        return Err(error);
    }
    loop {
        error = match error.downcast::<Cancelled>() {
            Ok(cancelled) => return Ok(Error(Repr::Cancelled(*cancelled))),
            Err(error) => error,
        };
        error = match error.downcast::<Group>() {
            Ok(group) => return Ok(Error(Repr::Group(group))),
            Err(error) => error,
        };
        error = match error.downcast::<Carried>() {
            Ok(carried) => return Ok(carried.0),
            Err(error) => error,
        };
        let wrapped = error.downcast::<io::Error>()?.into_inner();
        error = wrapped.expect("`ours` has looked into it");
    }
}

/// The value in `slot` if it is an `Option<T>`. Where the type of the slot is known this is
/// decided at compile time.
fn take<T: 'static>(slot: &mut dyn Any) -> Option<T> {
    slot.downcast_mut::<Option<T>>()?.take()
}

/// Every error becomes an [`Error`], and the place where it does is kept.
///
/// What is an [`Error`] in disguise comes out as itself: a [`Cancelled`] or a [`Group`], boxed
/// or not, and any `Error` that was made into an [`io::Error`].
///
/// ```
/// use seedbed::{Error, Group};
/// use std::io;
///
/// // What an `AsyncRead` of ours does, and what the caller of foreign code over it gets.
/// let carried = io::Error::from(Error::msg("out of paper"));
/// let error = Error::from(carried);
/// assert!(!error.is::<io::Error>());
/// assert_eq!(error.to_string(), "out of paper");
/// ```
impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    #[track_caller]
    fn from(error: E) -> Error {
        let mut slot = Some(error);
        // First, and without a box: cancelling is the one error that has to be fast.
        if let Some(cancelled) = take::<Cancelled>(&mut slot) {
            return Error(Repr::Cancelled(cancelled));
        }
        // What was downcast from a box is still in one.
        let error = take::<Box<Cancelled>>(&mut slot)
            .map(|cancelled| cancelled as BoxedError)
            .or_else(|| Some(take::<Box<Group>>(&mut slot)?))
            .or_else(|| Some(take::<Box<io::Error>>(&mut slot)?))
            .or_else(|| Some(Box::new(slot.take()?)));
        Error::from_boxed(error.expect("one of them has taken it"))
    }
}

impl Error {
    /// From a boxed error; the other way is `Box::from(error)`, and it leads back here to the
    /// same error.
    ///
    /// The box does not implement [`std::error::Error`], so that `?` cannot convert it:
    ///
    /// ```
    /// use seedbed::{Error, Result};
    /// use std::error::Error as StdError;
    ///
    /// fn foreign() -> Result<(), Box<dyn StdError + Send + Sync>> {
    ///     Err("out of paper".into())
    /// }
    ///
    /// fn print() -> Result<()> {
    ///     foreign().map_err(Error::from_boxed)
    /// }
    /// assert_eq!(print().unwrap_err().to_string(), "out of paper");
    /// ```
    #[track_caller]
    pub fn from_boxed(error: Box<dyn StdError + Send + Sync + 'static>) -> Error {
        match reclaim(error) {
            Ok(ours) => ours.at(Location::caller()),
            #[cfg(all(unix, not(loom), feature = "hyper"))]
            Err(foreign) if let Some(cancelled) = super::disguise::see_through(&*foreign) => {
                Error(Repr::Cancelled(cancelled))
            }
            Err(foreign) => Error::other(foreign, Location::caller()),
        }
    }

    /// The error itself in a box, for code that is going to downcast it.
    ///
    /// `Box::from(error)` keeps the [place](Error::place) where it was raised, but hides the
    /// error's type in order to.
    ///
    /// ```
    /// use seedbed::Error;
    ///
    /// assert!(Error::from(std::fmt::Error).into_boxed().is::<std::fmt::Error>());
    /// ```
    pub fn into_boxed(self) -> Box<dyn StdError + Send + Sync + 'static> {
        match self.0 {
            Repr::Cancelled(cancelled) => Box::new(cancelled),
            Repr::Group(group) => group,
            Repr::Other(other) => other.error,
        }
    }

    /// From an error of `anyhow`; the other way is `anyhow::Error::from(error)`, and it leads
    /// back here to the same error.
    ///
    /// A [`Cancelled`] is recognised under any `context` that it was given on the way. That
    /// context is dropped: it tells what was interrupted, not what failed.
    ///
    /// ```
    /// use seedbed::Error;
    ///
    /// fn print() -> anyhow::Result<()> {
    ///     anyhow::bail!("out of paper")
    /// }
    ///
    /// let error = print().map_err(Error::from_anyhow).unwrap_err();
    /// assert_eq!(error.to_string(), "out of paper");
    /// ```
    #[cfg(feature = "anyhow")]
    #[track_caller]
    pub fn from_anyhow(error: anyhow::Error) -> Error {
        // `anyhow` looks through contexts when it downcasts, `dyn Error` does not.
        let cancelled = error.downcast_ref::<Cancelled>().or_else(|| {
            match ours(error.downcast_ref::<io::Error>()?)? {
                Ours::Cancelled(cancelled) => Some(cancelled),
                _ => None,
            }
        });
        match cancelled {
            Some(cancelled) => Error(Repr::Cancelled(cancelled.clone())),
            // A box straight from `anyhow` would hide what it is.
            None => Error::from_boxed(error.reallocate_into_boxed_dyn_error_without_backtrace()),
        }
    }

    /// In a box that [`Error::from_boxed`] turns back into `self`.
    fn into_carried(self) -> BoxedError {
        match self.0 {
            Repr::Other(_) => Box::new(Carried(self)),
            _ => self.into_boxed(),
        }
    }
}

/// For functions that return a boxed error: `?` converts. [`Error::from_boxed`] leads back.
///
/// ```
/// use seedbed::Error;
/// use std::error::Error as StdError;
///
/// fn print() -> Result<(), Box<dyn StdError + Send + Sync>> {
///     Err(Error::msg("out of paper"))?
/// }
/// assert_eq!(print().unwrap_err().to_string(), "out of paper");
/// ```
impl From<Error> for Box<dyn StdError + Send + Sync + 'static> {
    fn from(error: Error) -> Self {
        error.into_carried()
    }
}

/// As the box that is `Send` and `Sync`.
impl From<Error> for Box<dyn StdError + 'static> {
    fn from(error: Error) -> Self {
        error.into_carried()
    }
}

/// How I/O types and adapters hand an [`Error`] to code that wants an [`io::Error`]. With
/// `Error::from`, or `?`, it is itself again afterwards.
///
/// An `io::Error` is taken out as it is. Everything else gets [`io::ErrorKind::Other`], a
/// cancellation too: [`io::ErrorKind::Interrupted`] means "try again" to nearly everyone.
///
/// ```
/// use seedbed::Error;
/// use std::io;
///
/// let error = Error::from(io::Error::from(io::ErrorKind::NotFound));
/// assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
/// assert_eq!(io::Error::from(Error::msg("out of paper")).kind(), io::ErrorKind::Other);
/// ```
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        error.downcast().unwrap_or_else(|error| io::Error::other(error.into_carried()))
    }
}

/// For functions that return `anyhow::Result`: `?` converts. [`Error::from_anyhow`] leads back.
#[cfg(feature = "anyhow")]
impl From<Error> for anyhow::Error {
    fn from(error: Error) -> Self {
        match error.0 {
            Repr::Cancelled(cancelled) => anyhow::Error::new(cancelled),
            Repr::Group(group) => anyhow::Error::new(*group),
            Repr::Other(_) => anyhow::Error::new(Carried(error)),
        }
    }
}
