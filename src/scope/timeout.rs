//! Time limits around one future.

use std::future::Future;
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::Result;
use crate::error::TooSlow;
use crate::scope::deadline::Deadline;
use crate::scope::enter;
use crate::scope::tree::Scope;
use crate::time::clock;

/// Runs `future` for `limit` at the most; `None` if that was not enough. Trio's `move_on_after`.
///
/// # Errors
///
/// The future's own, [`Cancelled`](crate::Cancelled) from outside included.
///
/// ```
/// use seedbed::{move_on_after, sleep_forever};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let limit = Duration::from_millis(5);
///     assert_eq!(move_on_after(limit, async { Ok(1) }).await?, Some(1));
///     assert_eq!(move_on_after(limit, sleep_forever::<()>()).await?, None);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn move_on_after<T>(
    limit: Duration,
    future: impl Future<Output = Result<T>>,
) -> impl Future<Output = Result<Option<T>>> {
    let scope = Rc::new(Scope::new(Location::caller()));
    scope.set_deadline(Deadline::AfterEntry(clock::nanos(limit)));
    enter(scope, future)
}

/// Runs `future` until `deadline`; `None` if it had not ended by then. Trio's `move_on_at`.
///
/// # Errors
///
/// As [`move_on_after`].
///
/// ```
/// use seedbed::{move_on_at, now, sleep_forever};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let deadline = now() + Duration::from_millis(5);
///     assert_eq!(move_on_at(deadline, sleep_forever::<()>()).await?, None);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn move_on_at<T>(
    deadline: Instant,
    future: impl Future<Output = Result<T>>,
) -> impl Future<Output = Result<Option<T>>> {
    let scope = Rc::new(Scope::new(Location::caller()));
    scope.set_deadline(Deadline::Instant(deadline));
    enter(scope, future)
}

/// Runs `future` for `limit` at the most, and fails with [`TooSlow`] if that was not enough.
/// Trio's `fail_after`.
///
/// # Errors
///
/// [`TooSlow`] when this limit is over, not when one further out is. The future's own.
///
/// ```
/// use seedbed::{TooSlow, fail_after, sleep_forever};
/// use std::time::Duration;
///
/// let error = seedbed::run(fail_after(Duration::from_millis(5), sleep_forever::<()>())).unwrap_err();
/// assert!(error.is::<TooSlow>());
/// ```
#[track_caller]
pub fn fail_after<T>(
    limit: Duration,
    future: impl Future<Output = Result<T>>,
) -> impl Future<Output = Result<T>> {
    let place = Location::caller();
    let inner = move_on_after(limit, future);
    async move { inner.await?.ok_or_else(|| TooSlow::new(place, Some(limit)).into()) }
}

/// Runs `future` until `deadline`, and fails with [`TooSlow`] if it had not ended by then. Trio's
/// `fail_at`.
///
/// # Errors
///
/// As [`fail_after`].
///
/// ```
/// use seedbed::{TooSlow, fail_at, now, sleep_forever};
///
/// let error = seedbed::run(async { fail_at(now(), sleep_forever::<()>()).await }).unwrap_err();
/// assert!(error.is::<TooSlow>());
/// ```
#[track_caller]
pub fn fail_at<T>(
    deadline: Instant,
    future: impl Future<Output = Result<T>>,
) -> impl Future<Output = Result<T>> {
    let place = Location::caller();
    let inner = move_on_at(deadline, future);
    async move { inner.await?.ok_or_else(|| TooSlow::new(place, None).into()) }
}
