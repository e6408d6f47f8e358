//! Waiting for work, which a graceful cancellation ends even within a section that finishes its
//! work.

use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use crate::error::{Cancelled, Error, Result};
use crate::scope::aside::Aside;
use crate::scope::current::{in_scope, with_scope};
use crate::scope::timers::alarm::Alarm;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::tree::{Entered, Level, Patience};
use crate::scope::watch::Watch;

/// Marks `future` as waiting for work, with nothing half done. A [graceful
/// cancellation](crate::CancelScope::cancel_gracefully) ends it, even if it is part of a section
/// that is [finishing](crate::finishing()) its work.
///
/// A handler of [`serve`](crate::serve()) is one such section from its first line to its last. With
/// `idle` it lets a shutdown in between two requests.
///
/// Before it is cancelled, the future gets one more look at what has arrived: a request that came
/// before the shutdown is read and answered.
///
/// Whether this is a checkpoint depends on the future.
///
/// # Errors
///
/// The future's own; [`Cancelled`], once a graceful cancellation has come. If there is work to
/// finish after that, use [`until_stopped`](crate::until_stopped), which reports the stop with a
/// value.
///
/// ```
/// use seedbed::{cancel_scope, finishing, idle, sleep, sleep_forever};
/// use std::time::Duration;
///
/// # let clock = seedbed::testing::VirtualClock::new();
/// # seedbed::Builder::new().clock(&clock).run(async {
/// cancel_scope(async |scope| {
///     scope.cancel_gracefully(Duration::from_secs(5));
///     finishing(async {
///         sleep(Duration::from_secs(1)).await?; // goes on
///         idle(sleep_forever()).await // is cancelled
///     })
///     .await
/// })
/// .await?;
/// # assert_eq!(clock.elapsed().as_secs(), 1);
/// # Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn idle<T>(future: impl Future<Output = Result<T>>) -> impl Future<Output = Result<T>> {
    let scope = ScopeRef::new(Location::caller());
    async move {
        let waiting = scope.clone();
        let mut why = None;
        let tell = |_: Pin<&mut _>, cause: Cancelled| {
            waiting.cancel_because(Level::Graceful, || cause.clone());
            why = Some(cause);
        };
        // A timer that is due fires only after the kernel has been asked for news.
        let value = wind_down(scope, future, Duration::from_nanos(1), tell).await?;
        match (value, why) {
            (Some(value), _) => Ok(value),
            (None, Some(why)) => Err(why.into()),
            (None, None) => unreachable!("nobody else has a handle to this scope"),
        }
    }
}

/// Polls `future` in `scope`, marked as finishing its work. Once `patience` has passed since a
/// graceful cancellation, and the future has been polled once more, `tell` is called with the
/// cause.
pub(crate) async fn wind_down<F, T, E>(
    scope: ScopeRef,
    future: F,
    patience: Duration,
    tell: impl FnOnce(Pin<&mut F>, Cancelled),
) -> Result<Option<T>>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Error>,
{
    Aside::new().await?;
    scope.set_patience(Patience::Finishes);
    let mut entered = Entered::new(scope, "a section that is idle")?;
    let outcome = {
        let mut future = pin!(future);
        let mut tell = Some(tell);
        let mut watch = Watch::new();
        let mut end: Option<Alarm> = None;
        poll_fn(|cx| {
            entered.touch();
            let cause = match tell {
                Some(_) => with_scope(|outer| outer.filter(|o| o.is_ending())?.cause()),
                None => None,
            };
            let over = cause.is_some()
                && Pin::new(end.get_or_insert_with(|| Alarm::after(patience))).poll(cx).is_ready();
            let mut poll = |future: Pin<&mut F>| in_scope(entered.scope(), || future.poll(cx));
            if let Poll::Ready(outcome) = poll(future.as_mut()) {
                return Poll::Ready(outcome);
            }
            if over && let (Some(tell), Some(cause)) = (tell.take(), cause) {
                tell(future.as_mut(), cause);
                if let Poll::Ready(outcome) = poll(future.as_mut()) {
                    return Poll::Ready(outcome);
                }
            }
            if tell.is_some() {
                watch.arm(cx);
            } else {
                watch.disarm();
            }
            Poll::Pending
        })
        .await
    };
    entered.leave(outcome.map_err(Into::into))
}
