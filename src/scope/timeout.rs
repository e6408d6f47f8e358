//! Time limits around one future.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use crate::error::{Result, TooSlow};
use crate::platform::clock;
use crate::scope::deadline::Deadline;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::{Enter, enter};

/// Runs `future` for at most `limit`, and returns `None` if that was not enough. This is Trio's
/// `move_on_after`.
///
/// # Errors
///
/// The future's own, including a [`Cancelled`](crate::Cancelled) from outside.
///
/// ```
/// use seedbed::{move_on_after, sleep_forever};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let limit = Duration::from_millis(5);
///     assert_eq!(move_on_after(limit, async { Ok(1) }).await?, Some(1));
///     assert_eq!(move_on_after(limit, sleep_forever()).await?, None);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn move_on_after<T>(
    limit: Duration,
    future: impl Future<Output = Result<T>>,
) -> impl Future<Output = Result<Option<T>>> {
    within(Location::caller(), limit, future)
}

/// Runs `future` as [`move_on_after`] does, on behalf of a call at `place`.
pub(crate) fn within<T, F: Future<Output = Result<T>>>(
    place: &'static Location<'static>,
    limit: Duration,
    future: F,
) -> Enter<F> {
    let scope = ScopeRef::with_deadline(place, Deadline::AfterEntry(clock::nanos(limit)));
    enter(scope, "a timeout", future)
}

/// Runs `future` until `deadline`, and returns `None` if it had not ended by then. This is Trio's
/// `move_on_at`.
///
/// # Errors
///
/// The same as for [`move_on_after`].
///
/// ```
/// use seedbed::{move_on_at, now, sleep_forever};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let deadline = now() + Duration::from_millis(5);
///     assert_eq!(move_on_at(deadline, sleep_forever()).await?, None);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn move_on_at<T>(
    deadline: Instant,
    future: impl Future<Output = Result<T>>,
) -> impl Future<Output = Result<Option<T>>> {
    let scope = ScopeRef::with_deadline(Location::caller(), Deadline::Instant(deadline));
    enter(scope, "a timeout", future)
}

/// Runs `future` for at most `limit`, and fails with [`TooSlow`] if that was not enough. This is
/// Trio's `fail_after`.
///
/// # Errors
///
/// [`TooSlow`] if this limit was exceeded, but not if a limit further out was; otherwise the
/// future's own.
///
/// ```
/// use seedbed::{TooSlow, fail_after, sleep_forever};
/// use std::time::Duration;
///
/// let error = seedbed::run(fail_after(Duration::from_millis(5), sleep_forever())).unwrap_err();
/// assert!(error.is::<TooSlow>());
/// ```
#[track_caller]
pub fn fail_after<T>(
    limit: Duration,
    future: impl Future<Output = Result<T>>,
) -> impl Future<Output = Result<T>> {
    let scope =
        ScopeRef::with_deadline(Location::caller(), Deadline::AfterEntry(clock::nanos(limit)));
    Limit { place: scope.place(), limit: Some(limit), inner: enter(scope, "a timeout", future) }
}

/// Runs `future` until `deadline`, and fails with [`TooSlow`] if it had not ended by then. This is
/// Trio's `fail_at`.
///
/// # Errors
///
/// The same as for [`fail_after`].
///
/// ```
/// use seedbed::{TooSlow, fail_at, now, sleep_forever};
///
/// let error = seedbed::run(async { fail_at(now(), sleep_forever()).await }).unwrap_err();
/// assert!(error.is::<TooSlow>());
/// ```
#[track_caller]
pub fn fail_at<T>(
    deadline: Instant,
    future: impl Future<Output = Result<T>>,
) -> impl Future<Output = Result<T>> {
    let scope = ScopeRef::with_deadline(Location::caller(), Deadline::Instant(deadline));
    Limit { place: scope.place(), limit: None, inner: enter(scope, "a timeout", future) }
}

pin_project! {
    /// Runs a future in a scope, and fails if leaving the scope yields no value.
    struct Limit<F> {
        #[pin]
        inner: Enter<F>,
        place: &'static Location<'static>,
        limit: Option<Duration>,
    }
}

impl<T, F: Future<Output = Result<T>>> Future for Limit<F> {
    type Output = Result<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.inner.poll(cx));
        Poll::Ready(
            outcome.and_then(|value| {
                value.ok_or_else(|| TooSlow::new(this.place, *this.limit).into())
            }),
        )
    }
}
