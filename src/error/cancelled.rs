//! [`Cancelled`], the reasons for a cancellation, and [`Interrupted`], the error of a run that
//! Ctrl-C has cancelled.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::{BoxedError, Error, Spawned};

/// A cancellation on its way to the scope that absorbs it.
///
/// As in Trio, every checkpoint inside a cancelled scope fails with this, again and again, until
/// the scope is left. It is an error like any other: that is how `?` carries it outwards, and how
/// clean-up can see it and await. Unlike other errors, it is not meant to be handled. Code that
/// catches errors lets it pass: it returns every `Error` that
/// [`is_cancelled`](crate::Error::is_cancelled), and the scope does the rest.
///
/// A `Cancelled` says where its scope was opened, who cancelled it, and for what [`Reason`]. Its
/// clones share these, so it is only one pointer wide. If it stopped an operation half-way that can
/// say what became of it, such as copying a file or running a program, that is its
/// [`source`](std::error::Error::source), for [`find`](crate::Error::find) to find.
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
    /// The task whose failure cancelled the scope, if its name may be known.
    failed: Option<Spawned>,
    /// What was stopped half-way, and how far it had come.
    stopped: Option<BoxedError>,
}

const _: () = assert!(size_of::<Cancelled>() == size_of::<usize>());

/// How many bytes of a failure's text the rest of the nursery is told.
const TOLD: usize = 4000;

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
    /// It is the scope of a nursery whose body or child failed. This is the failure, in one line;
    /// the error itself is in the [`Group`](crate::Group) that the nursery fails with.
    ChildFailed(String),
    /// `cancel` was called, perhaps with a text that says why.
    Requested(Option<Cow<'static, str>>),
    /// It was cancelled gracefully, and the grace for finishing its work is over.
    GraceOver,
    /// The run is ending.
    Shutdown,
    /// The user pressed Ctrl-C.
    Interrupted,
}

impl Reason {
    /// The reason for cancelling the rest of a nursery when a child or the body has failed with
    /// this error. Producing the text of the failure runs foreign code.
    pub(crate) fn child_failed(failure: &Error) -> Reason {
        Reason::ChildFailed(failure.brief(TOLD))
    }
}

impl Cancelled {
    /// `cancelled_by` is the place of the call that cancelled the scope, or, if a child failed, of
    /// the call that spawned it.
    pub(crate) fn new(
        scope_place: &'static Location<'static>,
        cancelled_by: Option<&'static Location<'static>>,
        reason: Reason,
    ) -> Cancelled {
        Cancelled(Arc::new(Why { scope_place, cancelled_by, reason, failed: None, stopped: None }))
    }

    /// Whether both are of the same cancellation, not only of the same scope.
    pub(crate) fn is_same(&self, other: &Cancelled) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The cancellation of a nursery whose body, or a task in it, has failed.
    pub(crate) fn by_failure(
        nursery: &'static Location<'static>,
        failed: Option<Spawned>,
        reason: Reason,
    ) -> Cancelled {
        let cancelled_by = failed.as_ref().map(Spawned::place);
        Cancelled(Arc::new(Why {
            scope_place: nursery,
            cancelled_by,
            reason,
            failed,
            stopped: None,
        }))
    }

    /// The same cancellation, which in addition says what it stopped half-way.
    pub(crate) fn having_stopped(&self, what: impl StdError + Send + Sync + 'static) -> Cancelled {
        let Why { scope_place, cancelled_by, ref reason, ref failed, .. } = *self.0;
        let (reason, failed) = (reason.clone(), failed.clone());
        let stopped = Some(Box::new(what) as BoxedError);
        Cancelled(Arc::new(Why { scope_place, cancelled_by, reason, failed, stopped }))
    }

    /// The same cancellation for others than what it has stopped, of which they are told nothing.
    pub(crate) fn for_others(&self) -> Cancelled {
        let Why { scope_place, cancelled_by, ref reason, ref failed, ref stopped } = *self.0;
        if stopped.is_none() {
            return self.clone();
        }
        let (reason, failed) = (reason.clone(), failed.clone());
        Cancelled(Arc::new(Why { scope_place, cancelled_by, reason, failed, stopped: None }))
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

    /// The place of the call that cancelled the scope, or, if a child failed, of the call that
    /// spawned it. `None` if there was no such call, as with a deadline, a shutdown or a nursery's
    /// body.
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
        let why = match (&self.0.reason, self.0.cancelled_by) {
            (Reason::Deadline, _) => {
                write!(f, "cancelled: the deadline of the scope opened at {scope} passed")
            }
            (Reason::ChildFailed(failure), Some(by)) => {
                let task = self.0.failed.clone().unwrap_or(Spawned::At(by));
                write!(
                    f,
                    "cancelled: in the nursery opened at {scope} the task {task} failed: {failure}"
                )
            }
            (Reason::ChildFailed(failure), None) => {
                write!(f, "cancelled: the nursery opened at {scope} failed: {failure}")
            }
            (Reason::Requested(Some(text)), Some(by)) => write!(f, "cancelled by {by}: {text}"),
            (Reason::Requested(Some(text)), None) => write!(f, "cancelled: {text}"),
            (Reason::Requested(None), Some(by)) => {
                write!(f, "cancelled by {by}, along with the scope opened at {scope}")
            }
            (Reason::Requested(None), None) => {
                write!(f, "cancelled along with the scope opened at {scope}")
            }
            (Reason::GraceOver, _) => {
                write!(f, "cancelled: the grace given to the scope opened at {scope} is over")
            }
            (Reason::Shutdown, _) => f.write_str("cancelled: the run is ending"),
            (Reason::Interrupted, _) => f.write_str("cancelled: Ctrl-C was pressed"),
        };
        why?;
        match &self.0.stopped {
            Some(stopped) => write!(f, "; {stopped}"),
            None => Ok(()),
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

impl StdError for Cancelled {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.stopped.as_deref().map(|stopped| stopped as _)
    }
}

/// The user pressed Ctrl-C, and that ended the run.
///
/// Like `trio.run`, which raises `KeyboardInterrupt` once all tasks have unwound, `run` fails with
/// this after everything has been cancelled and has cleaned up.
///
/// ```
/// use seedbed::{Interrupted, Result};
/// use std::process::ExitCode;
///
/// fn exit_code(result: &Result<()>) -> ExitCode {
///     match result {
///         Ok(()) => ExitCode::SUCCESS,
///         // What shells expect of a program ended by SIGINT.
///         Err(error) if error.is::<Interrupted>() => ExitCode::from(130),
///         Err(_) => ExitCode::FAILURE,
///     }
/// }
/// assert_eq!(exit_code(&Ok(())), ExitCode::SUCCESS);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted: Ctrl-C ended the run, once everything in it had cleaned up")
    }
}

impl StdError for Interrupted {}
