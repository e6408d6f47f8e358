//! [`TaskCancelled`]: a task was cancelled by its handle.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

use super::Spawned;
use crate::error::{Cancelled, Reason};

/// A task has no value, because it was cancelled through its [`Task`](crate::Task).
///
/// This is an ordinary error and not a [`Cancelled`]: it is the awaited task that was cancelled, and
/// not the code that awaits it, so no scope of that code's should absorb it.
///
/// ```
/// use seedbed::{Result, TaskCancelled};
///
/// fn value_if_any(result: Result<u32>) -> Result<Option<u32>> {
///     match result {
///         Err(error) if error.is::<TaskCancelled>() => Ok(None),
///         other => other.map(Some),
///     }
/// }
/// assert_eq!(value_if_any(Ok(42)).unwrap(), Some(42));
/// ```
#[derive(Clone, Debug)]
pub struct TaskCancelled {
    task: Spawned,
    why: Cancelled,
}

impl TaskCancelled {
    pub(crate) fn new(task: Spawned, why: Cancelled) -> TaskCancelled {
        TaskCancelled { task, why }
    }

    /// Where the task was spawned.
    pub fn place(&self) -> &'static Location<'static> {
        self.task.place()
    }

    /// The task's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.task.name()
    }

    /// The place of the call that cancelled the task.
    pub fn cancelled_by(&self) -> Option<&'static Location<'static>> {
        self.why.cancelled_by()
    }

    /// Why the task was cancelled: [`Reason::Requested`], with the text if one was given.
    pub fn reason(&self) -> &Reason {
        self.why.reason()
    }
}

impl fmt::Display for TaskCancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task {} was cancelled", self.task)?;
        if let Some(by) = self.cancelled_by() {
            write!(f, " by {by}")?;
        }
        match self.reason() {
            Reason::Requested(Some(text)) => write!(f, ": {text}"),
            _ => Ok(()),
        }
    }
}

/// It has no source: an error that has a [`Cancelled`] among its causes is taken for one.
impl StdError for TaskCancelled {}
