//! Conversions into [`Error`], and out of it through error types that know nothing of this crate.
//!
//! Whatever goes out comes back as it was. This is more than a courtesy: if a [`Cancelled`] passed
//! through somebody's `io::Error` and came back as an `io::Error`, it would be a failure that no
//! scope absorbs.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::panic::Location;

use crate::error::foreign::causes::{Walk, cause};
use crate::error::foreign::disguise;
use crate::error::{BoxedError, Cancelled, Error, Group, NoValue, Repr, Result};

/// An [`Error`] inside a `Box<dyn std::error::Error>` or an `io::Error`.
///
/// It is used only for [`Repr::Other`], whose place would be lost otherwise. [`Cancelled`] and
/// [`Group`] travel as themselves, so that foreign code can recognise them.
pub(in crate::error) struct Carried(pub(in crate::error) Error);

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
    /// The cause of the error inside, whose own text is already shown as this one's.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.as_dyn().source()
    }
}

/// An error of ours, found inside a foreign one.
pub(in crate::error) enum Ours<'a> {
    Cancelled(&'a Cancelled),
    Group(&'a Group),
    Carried(&'a Error),
}

/// Recognises what came out of an [`Error`], even inside one or more `io::Error`s: libraries wrap
/// one in another to say more about the kind.
pub(in crate::error) fn ours<'a>(mut error: &'a (dyn StdError + 'static)) -> Option<Ours<'a>> {
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

/// Returns the [`Cancelled`] that an error is, or that is among its causes.
pub(in crate::error) fn cancellation<'a>(
    mut error: &'a (dyn StdError + 'static),
) -> Option<&'a Cancelled> {
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

/// Undoes every conversion below, or gives the error back unchanged.
fn reclaim(mut error: BoxedError) -> Result<Error, BoxedError> {
    // Checked before the error is taken apart: a foreign `io::Error` could not be put together
    // again with the same kind and text.
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

/// Takes the value out of `slot` if it is an `Option<T>`. Where the type of the slot is known, this
/// is decided at compile time.
fn take<T: 'static>(slot: &mut dyn Any) -> Option<T> {
    slot.downcast_mut::<Option<T>>()?.take()
}

/// Turns any error into an [`Error`], and records the place where this happens.
///
/// An [`Error`] in disguise comes out as itself. That is a [`Cancelled`] or a [`Group`], boxed or
/// not, and any `Error` that had been turned into an [`io::Error`].
///
/// ```
/// use seedbed::{Error, Group};
/// use std::io;
///
/// // What one of our `AsyncRead`s does, and what comes back from foreign code that uses it.
/// let carried = io::Error::from(Error::msg("out of paper"));
/// let error = Error::from(carried);
/// assert!(!error.is::<io::Error>());
/// assert_eq!(error.to_string(), "out of paper");
/// ```
impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    #[track_caller]
    fn from(error: E) -> Error {
        let mut slot = Some(error);
        // First, and without a box: a cancellation is the one error that has to be fast.
        if let Some(cancelled) = take::<Cancelled>(&mut slot) {
            return Error(Repr::Cancelled(cancelled));
        }
        // An error that was downcast from a box is still in one.
        let error = take::<Box<Cancelled>>(&mut slot)
            .map(|cancelled| cancelled as BoxedError)
            .or_else(|| Some(take::<Box<Group>>(&mut slot)?))
            .or_else(|| Some(take::<Box<io::Error>>(&mut slot)?))
            .or_else(|| Some(Box::new(slot.take()?)));
        Error::from_boxed(error.expect("one of them has taken it"))
    }
}

impl Error {
    /// Makes an `Error` from a boxed error. The other way is `Box::from(error)`, and coming back
    /// here gives the same error.
    ///
    /// The box does not implement [`std::error::Error`], so `?` cannot convert it:
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
            Err(foreign) if let Some(cancelled) = disguise::see_through(&*foreign) => {
                Error(Repr::Cancelled(cancelled))
            }
            Err(foreign) => Error::other(foreign, Location::caller()),
        }
    }

    /// The error itself in a box, for code that is going to downcast it.
    ///
    /// `Box::from(error)` keeps the [place](Error::place) where the error was raised, but has to
    /// hide its type for that.
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

    /// Makes an `Error` from one of `anyhow`'s. The other way is `anyhow::Error::from(error)`, and
    /// coming back here gives the same error.
    ///
    /// A [`Cancelled`] is recognised under any `context` added to it on the way. The context is
    /// dropped, because it says what was interrupted, not what failed.
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
            // A box directly from `anyhow` would hide the type.
            None => Error::from_boxed(error.reallocate_into_boxed_dyn_error_without_backtrace()),
        }
    }

    /// Puts the error into a box that [`Error::from_boxed`] turns back into it.
    fn into_carried(self) -> BoxedError {
        match self.0 {
            Repr::Other(_) => Box::new(Carried(self)),
            _ => self.into_boxed(),
        }
    }
}

/// For functions that return a boxed error: `?` converts to it, and [`Error::from_boxed`] converts
/// back.
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

/// The same as for the box that is `Send` and `Sync`.
impl From<Error> for Box<dyn StdError + 'static> {
    fn from(error: Error) -> Self {
        error.into_carried()
    }
}

/// For I/O types and adapters that pass an [`Error`] to code that wants an [`io::Error`].
/// `Error::from` and `?` convert it back to what it was.
///
/// An `io::Error` is taken out as it is. Everything else gets [`io::ErrorKind::Other`]. That
/// includes a cancellation, because to nearly everyone [`io::ErrorKind::Interrupted`] means "try
/// again".
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

/// For functions that return `anyhow::Result`: `?` converts to it, and [`Error::from_anyhow`]
/// converts back.
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
