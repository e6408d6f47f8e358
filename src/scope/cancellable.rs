//! Futures that are not of this crate.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::Result;
use crate::coop::{self, Watch};

pin_project! {
    /// The future of [`cancellable`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Cancellable<F> {
        #[pin]
        future: Option<F>,
        watch: Watch,
    }
}

/// Makes a future that knows nothing of cancel scopes heed them: when it is cancelled it is
/// dropped, and `Cancelled` is raised in its place.
///
/// That is how cancellation works elsewhere in Rust, with what it brings: the future does not
/// clean up, and what it had done by half is lost. The operations of this crate do not need it.
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
pub fn cancellable<F: Future>(future: F) -> Cancellable<F> {
    Cancellable { future: Some(future), watch: Watch::new() }
}

impl<F: Future> Future for Cancellable<F> {
    type Output = Result<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let cancelled = coop::check();
        let future = this.future.as_mut().as_pin_mut().expect("polled after it was ready");
        let outcome = match cancelled {
            Err(error) => Err(error),
            Ok(()) => match future.poll(cx) {
                Poll::Ready(value) => Ok(value),
                Poll::Pending => {
                    // The future itself may have cancelled the scope.
                    match coop::check() {
                        Err(error) => Err(error),
                        Ok(()) => {
                            this.watch.arm(cx);
                            return Poll::Pending;
                        }
                    }
                }
            },
        };
        this.future.set(None);
        this.watch.disarm();
        Poll::Ready(outcome)
    }
}

impl<F> std::fmt::Debug for Cancellable<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cancellable").finish_non_exhaustive()
    }
}
