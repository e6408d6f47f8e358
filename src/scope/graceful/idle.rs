//! Waiting for work, which a graceful cancellation ends even within a section that finishes its
//! work.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::error::{Cancelled, Error, Result};
use crate::schedule::{budget, waker};
use crate::scope::current::{in_scope, with_scope};
use crate::scope::is_ending;
use crate::scope::timers::alarm::Alarm;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::tree::{Entered, Level, Patience, Scope};
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
        let mut why = None;
        let tell = |scope: &ScopeRef, _: Pin<&mut _>, cause: Cancelled| {
            scope.cancel_because(Level::Graceful, || cause.clone());
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

pin_project! {
    /// A future that is polled in a scope of its own, which is marked as finishing its work.
    ///
    /// It is written out by hand, because servers do this for every request.
    pub(crate) struct WindDown<F, P> {
        // This is dropped while the scope is still open.
        #[pin]
        future: Option<F>,
        entered: Entered,
        // Until it has been called.
        tell: Option<P>,
        patience: Duration,
        // When patience runs out, once a graceful cancellation has come.
        end: Option<Alarm>,
        watch: Watch,
    }
}

/// Polls `future` in `scope`, marked as finishing its work. Once `patience` has passed since a
/// graceful cancellation, and the future has been polled once more, `tell` is called with the
/// scope, the future and the cause.
#[inline]
pub(crate) fn wind_down<F, T, E, P>(
    scope: ScopeRef,
    future: F,
    patience: Duration,
    tell: P,
) -> WindDown<F, P>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Error>,
    P: FnOnce(&ScopeRef, Pin<&mut F>, Cancelled),
{
    scope.set_patience(Patience::Finishes);
    let (future, entered, tell) = (Some(future), Entered::outside(scope), Some(tell));
    WindDown { future, entered, tell, patience, end: None, watch: Watch::new() }
}

impl<F, T, E, P> Future for WindDown<F, P>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Error>,
    P: FnOnce(&ScopeRef, Pin<&mut F>, Cancelled),
{
    type Output = Result<Option<T>>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.as_mut().project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            panic!("a future in a section that is idle was polled after it was ready")
        };
        if this.entered.is_inside() {
            this.entered.touch();
        } else if let Err(error) = ready!(this.entered.begin(cx))
            .and_then(|()| this.entered.enter("a section that is idle"))
        {
            this.future.set(None);
            return Poll::Ready(Err(error));
        }
        let outcome = if this.tell.is_some() && is_ending() {
            ready!(self.as_mut().poll_ending(cx))
        } else {
            let Poll::Ready(outcome) = in_scope(this.entered.scope(), || future.poll(cx)) else {
                // If the waker is the unit's own, a cancellation finds the unit by the scope.
                if this.tell.is_some() && !waker::is_of_current_unit(cx.waker()) {
                    this.watch.arm(cx);
                }
                return Poll::Pending;
            };
            outcome
        };
        let mut this = self.project();
        this.future.set(None);
        budget::count();
        Poll::Ready(this.entered.leave(outcome.map_err(Into::into)))
    }
}

impl<F, T, E, P> WindDown<F, P>
where
    F: Future<Output = Result<T, E>>,
    P: FnOnce(&ScopeRef, Pin<&mut F>, Cancelled),
{
    /// Goes on after a graceful cancellation, of which the future has yet to be told.
    #[cold]
    fn poll_ending(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut future = this.future.as_pin_mut().expect("it is not ready yet");
        let patience = *this.patience;
        let cause = with_scope(|outer| outer.and_then(Scope::cause));
        let is_over = cause.is_some()
            && Pin::new(this.end.get_or_insert_with(|| Alarm::after(patience))).poll(cx).is_ready();
        let scope = this.entered.scope();
        let poll = |future: Pin<&mut F>, cx: &mut Context<'_>| in_scope(scope, || future.poll(cx));
        if let Poll::Ready(outcome) = poll(future.as_mut(), cx) {
            return Poll::Ready(outcome);
        }
        if is_over && let (Some(tell), Some(cause)) = (this.tell.take(), cause) {
            this.watch.disarm();
            tell(scope, future.as_mut(), cause);
            return poll(future, cx);
        }
        this.watch.arm(cx);
        Poll::Pending
    }
}
