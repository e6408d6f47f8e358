//! Errors about yields: of generators, of their bodies and consumers, and of context managers.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

use super::Error;

type Place = &'static Location<'static>;

/// A generator tried to yield inside a cancel scope, a timeout, a nursery or a
/// [`prevent_yields`](crate::prevent_yields) guard that was opened in its body (PEP 789).
///
/// While the generator is suspended its consumer runs, so the scope would cancel the wrong code, or
/// none.
///
/// ```
/// use seedbed::{YieldInCancelScope, Yielder, fail_after, generator};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let mut leaky = generator(async |y: Yielder<u8>| {
///         fail_after(Duration::from_secs(1), async { y.yield_(1).await.map(drop) }).await
///     });
///     let error = leaky.anext().await.unwrap_err();
///     assert!(error.is::<YieldInCancelScope>());
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct YieldInCancelScope {
    what: Cow<'static, str>,
    opened: Place,
    yielded: Place,
}

impl YieldInCancelScope {
    pub(crate) fn new(what: Cow<'static, str>, opened: Place, yielded: Place) -> Self {
        YieldInCancelScope { what, opened, yielded }
    }

    /// The thing that is open: the kind of scope, or the reason given to
    /// [`prevent_yields`](crate::prevent_yields).
    pub fn reason(&self) -> &str {
        &self.what
    }

    /// Where the scope was opened.
    pub fn opened_at(&self) -> Place {
        self.opened
    }

    /// Where the yield is.
    pub fn yielded_at(&self) -> Place {
        self.yielded
    }
}

impl fmt::Display for YieldInCancelScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the yield at {} is inside {}, opened at {}, which would stay open while the \
             consumer runs; yield outside it, or make this a context manager, or run it behind \
             `safe_channel`",
            self.yielded, self.what, self.opened
        )
    }
}

impl std::error::Error for YieldInCancelScope {}

/// The error raised at the yield where a generator is suspended when it is closed. The body cleans
/// up and passes it on with `?`; returning without an error is fine too.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GeneratorExit;

impl fmt::Display for GeneratorExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the generator is being closed")
    }
}

impl std::error::Error for GeneratorExit {}

/// A generator yielded again while it was being closed.
#[derive(Clone, Debug)]
pub struct IgnoredGeneratorExit {
    place: Place,
}

impl IgnoredGeneratorExit {
    pub(crate) fn new(place: Place) -> Self {
        IgnoredGeneratorExit { place }
    }

    /// Where the generator yielded.
    pub fn place(&self) -> Place {
        self.place
    }
}

impl fmt::Display for IgnoredGeneratorExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the generator is being closed, but yields again at {}; pass `GeneratorExit` on \
             instead of handling it",
            self.place
        )
    }
}

impl std::error::Error for IgnoredGeneratorExit {}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Misuse {
    OtherFrame,
    AfterTheEnd,
    Twice,
}

/// A [`Yielder`](crate::Yielder) was used while its body was not running.
#[derive(Clone, Debug)]
pub struct YielderMisused {
    misuse: Misuse,
    place: Place,
}

impl YielderMisused {
    pub(crate) fn new(misuse: Misuse, place: Place) -> Self {
        YielderMisused { misuse, place }
    }

    /// Where the yielder was used.
    pub fn place(&self) -> Place {
        self.place
    }
}

impl fmt::Display for YielderMisused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the yield at {} ", self.place)?;
        f.write_str(match self.misuse {
            Misuse::OtherFrame => {
                "is not in the body that its yielder belongs to, but in a task or another \
                 generator; send the value to the body through a channel, and yield it there"
            }
            Misuse::AfterTheEnd => "comes after the end of the body that its yielder belongs to",
            Misuse::Twice => "comes while another yield of the same body waits to be resumed",
        })
    }
}

impl std::error::Error for YielderMisused {}

/// A generator was asked for something that is not possible in its present state.
#[derive(Clone, Debug)]
pub struct GeneratorMisused {
    what: Impossible,
    name: String,
}

/// What a generator cannot do in its present state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Impossible {
    /// A value was sent before the first call of this name.
    SendBeforeFirst(&'static str),
    SendInFlight,
    ThrowInFlight,
    WhileFinalized,
    FromInside,
    /// The body of a synchronous generator awaits something.
    Waits,
}

impl GeneratorMisused {
    pub(crate) fn new(what: Impossible, name: String) -> Self {
        GeneratorMisused { what, name }
    }
}

impl fmt::Display for GeneratorMisused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "generator {}: ", self.name)?;
        match self.what {
            Impossible::SendBeforeFirst(first) => {
                write!(f, "a value cannot be sent before the first `{first}`")
            }
            Impossible::SendInFlight => f.write_str(
                "a value cannot be sent while it runs: an `anext` was dropped in flight, and has \
                 to be carried on first",
            ),
            Impossible::ThrowInFlight => f.write_str(
                "an error cannot be thrown in while it runs: an `anext` was dropped in flight, and \
                 has to be carried on first",
            ),
            Impossible::WhileFinalized => f.write_str("it is being finalized"),
            Impossible::FromInside => f.write_str("it is driven from inside of its own body"),
            Impossible::Waits => f.write_str(
                "a synchronous generator waits for something other than its yield; make it with \
                 `generator`",
            ),
        }
    }
}

impl std::error::Error for GeneratorMisused {}

/// The error of [`asend`](crate::Generator::asend). `?` turns it into an [`Error`].
pub enum AsendError<S> {
    /// The generator was not in a state to take the value, which is given back.
    Refused(S, GeneratorMisused),
    /// The generator took the value and failed, and the value is dropped. The failure may also be
    /// the [`Cancelled`](crate::Cancelled) that an endless loop without a checkpoint eventually
    /// gets (see the [guide](crate::guide::scheduling#the-budget)).
    Failed(Error),
}

impl<S> From<AsendError<S>> for Error {
    #[track_caller]
    fn from(error: AsendError<S>) -> Error {
        match error {
            AsendError::Refused(_, why) => why.into(),
            AsendError::Failed(error) => error,
        }
    }
}

impl<S> fmt::Debug for AsendError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AsendError::Refused(_, why) => f.debug_tuple("Refused").field(why).finish(),
            AsendError::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}

impl<S> fmt::Display for AsendError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AsendError::Refused(_, why) => why.fmt(f),
            AsendError::Failed(error) => error.fmt(f),
        }
    }
}

/// The error raised at a context manager's yield when the body of its [`with`](crate::with) panics.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BodyPanicked;

impl fmt::Display for BodyPanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body of the `with` panicked")
    }
}

impl std::error::Error for BodyPanicked {}

/// A context manager did not yield exactly once, or did not wait at its yield.
#[derive(Clone, Debug)]
pub struct ContextManagerMisused {
    yields: Yields,
    place: Place,
}

/// How a context manager yielded, where it should have yielded once and waited there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Yields {
    Never,
    Twice,
    WithoutWaiting,
}

impl ContextManagerMisused {
    pub(crate) fn new(yields: Yields, place: Place) -> Self {
        ContextManagerMisused { yields, place }
    }

    /// Where the context manager was made.
    pub fn place(&self) -> Place {
        self.place
    }
}

impl fmt::Display for ContextManagerMisused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.yields {
            Yields::Never => "did not yield",
            Yields::Twice => "yielded twice",
            Yields::WithoutWaiting => "did not wait at its yield",
        };
        write!(
            f,
            "the context manager made at {} {what}; it has to set something up, yield once, and clean \
             up",
            self.place
        )
    }
}

impl std::error::Error for ContextManagerMisused {}
