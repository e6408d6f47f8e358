//! [`Cancelled`], and why.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// A cancellation on its way to the scope that absorbs it.
///
/// As in Trio, inside of a cancelled scope every checkpoint fails with this, again and again,
/// until the scope is left. It is an error like any other, which is how `?` carries it outwards
/// and how clean-up can see it and await; unlike other errors it is not there to be handled.
/// Code that catches errors lets it pass: it returns every `Error` that
/// [`is_cancelled`](crate::Error::is_cancelled), and the scope does the rest.
///
/// It says where the scope was opened, who cancelled it, and for what [`Reason`]. All clones
/// share that, and one pointer is all it is.
///
/// ```
/// use seedbed::{Cancelled, Error, Reason};
///
/// fn timed_out(error: &Error) -> bool {
///     let why = error.find().map(Cancelled::reason);
///     matches!(why, Some(Reason::Deadline))
/// }
/// assert!(!timed_out(&Error::msg("out of paper")));
/// ```
#[derive(Clone)]
pub struct Cancelled(Arc<Why>);

struct Why {
    scope_place: &'static Location<'static>,
    cancelled_by: Option<&'static Location<'static>>,
    reason: Reason,
}

const _: () = assert!(size_of::<Cancelled>() == size_of::<usize>());

/// Why a scope was cancelled.
///
/// ```
/// use seedbed::Reason;
///
/// let reason = Reason::Requested(Some("superseded".into()));
/// assert_ne!(reason, Reason::Deadline);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Its deadline passed.
    Deadline,
    /// It is a nursery's, and the nursery's body or a child failed. This is the failure, in one
    /// line; the error itself is in the [`Group`](crate::Group) that the nursery fails with.
    ChildFailed(String),
    /// Somebody called `cancel`, perhaps with a text that says why.
    Requested(Option<Cow<'static, str>>),
    /// It was cancelled gracefully, and the grace for work about to finish is over.
    GraceOver,
    /// The runtime is shutting down.
    Shutdown,
    /// The user pressed Ctrl-C.
    Interrupted,
}

impl Cancelled {
    /// `cancelled_by` is the place of the call that cancelled, or, if a child failed, the one
    /// that spawned the child.
    pub(crate) fn new(
        scope_place: &'static Location<'static>,
        cancelled_by: Option<&'static Location<'static>>,
        reason: Reason,
    ) -> Cancelled {
        Cancelled(Arc::new(Why { scope_place, cancelled_by, reason }))
    }

    /// Why the scope was cancelled.
    ///
    /// ```
    /// use seedbed::{Cancelled, Reason};
    ///
    /// fn worth_a_log_line(cancelled: &Cancelled) -> bool {
    ///     !matches!(cancelled.reason(), Reason::Shutdown | Reason::Interrupted)
    /// }
    /// ```
    pub fn reason(&self) -> &Reason {
        &self.0.reason
    }

    /// Where the cancelled scope was opened.
    ///
    /// ```
    /// fn log(cancelled: &seedbed::Cancelled) {
    ///     eprintln!("left the scope opened at {}", cancelled.scope_place());
    /// }
    /// ```
    pub fn scope_place(&self) -> &'static Location<'static> {
        self.0.scope_place
    }

    /// The place of the call that cancelled the scope; if a child failed, of the one that
    /// spawned the child. `None` if it was neither: a deadline, a shutdown, a nursery's body.
    ///
    /// ```
    /// fn log(cancelled: &seedbed::Cancelled) {
    ///     if let Some(place) = cancelled.cancelled_by() {
    ///         eprintln!("cancelled by {place}");
    ///     }
    /// }
    /// ```
    pub fn cancelled_by(&self) -> Option<&'static Location<'static>> {
        self.0.cancelled_by
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = self.0.scope_place;
        match (&self.0.reason, self.0.cancelled_by) {
            (Reason::Deadline, _) => {
                write!(f, "cancelled: the deadline of the scope opened at {scope} passed")
            }
            (Reason::ChildFailed(failure), Some(child)) => write!(
                f,
                "cancelled: in the nursery opened at {scope} the task spawned at {child} failed: {failure}"
            ),
            (Reason::ChildFailed(failure), None) => {
                write!(f, "cancelled: the nursery opened at {scope} failed: {failure}")
            }
            (Reason::Requested(Some(text)), Some(by)) => write!(f, "cancelled by {by}: {text}"),
            (Reason::Requested(Some(text)), None) => write!(f, "cancelled: {text}"),
            (Reason::Requested(None), Some(by)) => {
                write!(f, "cancelled by {by}, with the scope opened at {scope}")
            }
            (Reason::Requested(None), None) => {
                write!(f, "cancelled with the scope opened at {scope}")
            }
            (Reason::GraceOver, _) => {
                write!(f, "cancelled: the grace given to the scope opened at {scope} is over")
            }
            (Reason::Shutdown, _) => f.write_str("cancelled: the runtime is shutting down"),
            (Reason::Interrupted, _) => f.write_str("cancelled: Ctrl-C was pressed"),
        }
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancelled")
            .field("scope_place", &self.0.scope_place)
            .field("cancelled_by", &self.0.cancelled_by)
            .field("reason", &self.0.reason)
            .finish()
    }
}

impl StdError for Cancelled {}
