//! Futures from other crates.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::error::Result;
use crate::operation::skeleton::{Look, Operation, Registered, Shown, Steps, Tried, When};
use crate::operation::waiters::Kept;
use crate::scope::watch::Watch;

pin_project! {
    /// The future of [`cancellable`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Cancellable<F: Future> {
        #[pin]
        future: Option<F>,
        steps: Steps<Watch, F::Output>,
        place: &'static Location<'static>,
    }
}

/// Makes a future that knows nothing of cancel scopes respond to them: when its scope is cancelled,
/// the future is dropped and `Cancelled` is raised in its place.
///
/// This is how cancellation works elsewhere in Rust, with the same consequences: the future does
/// not clean up, and half-finished work is lost. Operations of this crate do not need it. For a
/// stream or a sink that is used again afterwards, there is
/// [`cancellable_stream`](crate::cancellable_stream).
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled), when the future has been dropped.
///
/// # Panics
///
/// If it is polled after it was ready.
///
/// ```
/// use seedbed::{cancellable, move_on_after};
/// use std::{future::pending, time::Duration};
///
/// seedbed::run(async {
///     let foreign = pending::<()>(); // would wait for ever
///     assert_eq!(move_on_after(Duration::from_millis(5), cancellable(foreign)).await?, None);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn cancellable<F: Future>(future: F) -> Cancellable<F> {
    Cancellable { future: Some(future), steps: Steps::new(), place: Location::caller() }
}

impl<F: Future> Cancellable<F> {
    /// Returns the future, which has not begun.
    pub(crate) fn into_inner(self) -> F {
        self.future.expect("it has not ended")
    }
}

/// The future, which is dropped as soon as it has ended or is cancelled.
struct Polling<'a, F> {
    future: Pin<&'a mut Option<F>>,
    place: &'static Location<'static>,
}

impl<F: Future> Polling<'_, F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.future.as_mut().as_pin_mut().expect("it has not ended").poll(cx)
    }

    fn drop_future(&mut self) {
        self.future.set(None);
    }
}

impl<F: Future> Operation for Polling<'_, F> {
    const NAME: &'static str = "cancellable";
    // The future inside may be an operation of this crate, which is more informative.
    const IS_SHOWN: Shown = Shown::Inside;
    const COUNTS_WHEN_CANCELLED: u8 = 1;

    type Got = F::Output;
    type Wait = Watch;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn cancelled_at_once(&mut self) {
        self.drop_future();
    }

    fn attempt(&mut self, _: When, cx: &mut Context<'_>) -> Tried<F::Output> {
        match self.poll(cx) {
            Poll::Ready(value) => {
                self.drop_future();
                Tried::Done(value)
            }
            Poll::Pending => Tried::Waits,
        }
    }

    fn register(&mut self, cx: &Context<'_>, _: &mut Kept) -> Registered<Watch> {
        let mut watch = Watch::armed(cx);
        // The future itself may have cancelled the scope.
        match watch.check() {
            Ok(()) => Registered::Waits(watch),
            Err(error) => {
                watch.disarm();
                self.drop_future();
                Registered::Failed(error)
            }
        }
    }

    fn look(&mut self, watch: &mut Watch, cx: &mut Context<'_>) -> Look<F::Output> {
        watch.arm(cx);
        let mut outcome = watch.check();
        if outcome.is_ok() {
            if let Poll::Ready(value) = self.poll(cx) {
                watch.disarm();
                self.drop_future();
                return Look::Got(value);
            }
            watch.arm(cx);
            outcome = watch.check();
        }
        match outcome {
            Ok(()) => Look::Waits,
            Err(error) => {
                watch.disarm();
                self.drop_future();
                Look::Cancelled(error, None)
            }
        }
    }

    fn leave(&mut self, _: &mut Watch) {}
}

impl<F: Future> Future for Cancellable<F> {
    type Output = Result<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.steps.poll(&mut Polling { future: this.future, place: this.place }, cx)
    }
}

impl<F: Future> std::fmt::Debug for Cancellable<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cancellable").finish_non_exhaustive()
    }
}
