//! Futures that are not of this crate.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::Result;
use crate::operation::checkpoint::Checkpoint;
use crate::schedule::budget;
use crate::scope;
use crate::scope::watch::Watch;

pin_project! {
    /// The future of [`cancellable`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Cancellable<F: Future> {
        #[pin]
        future: Option<F>,
        watch: Watch,
        step: Step<F::Output>,
    }
}

enum Step<T> {
    Start,
    /// It was cancelled before it began.
    Fail(Checkpoint),
    Wait,
    /// The future has ended; others run before the task goes on.
    Ended(T),
    End,
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
    Cancellable { future: Some(future), watch: Watch::new(), step: Step::Start }
}

impl<F: Future> Future for Cancellable<F> {
    type Output = Result<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.step {
                Step::Start => match scope::check() {
                    Ok(()) => break,
                    Err(error) => {
                        this.future.set(None);
                        *this.step = Step::Fail(Checkpoint::failing(error, 1));
                    }
                },
                Step::Wait => break,
                Step::Fail(failing) => {
                    let outcome = std::task::ready!(Pin::new(failing).poll(cx));
                    return Poll::Ready(Err(outcome.expect_err("it was cancelled")));
                }
                Step::Ended(_) | Step::End => {
                    let Step::Ended(value) = std::mem::replace(this.step, Step::End) else {
                        panic!("`cancellable` was polled after it was ready")
                    };
                    return Poll::Ready(Ok(value));
                }
            }
        }
        let waited = matches!(this.step, Step::Wait);
        if waited {
            this.watch.arm(cx);
        }
        let mut outcome = this.watch.check();
        if outcome.is_ok() {
            let future = this.future.as_mut().as_pin_mut().expect("it has not ended");
            if let Poll::Ready(value) = future.poll(cx) {
                this.watch.disarm();
                this.future.set(None);
                if !waited && budget::spend() {
                    *this.step = Step::Ended(value);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                *this.step = Step::End;
                return Poll::Ready(Ok(value));
            }
            *this.step = Step::Wait;
            this.watch.arm(cx);
            // The future itself may have cancelled the scope.
            outcome = this.watch.check();
        }
        if let Err(error) = outcome {
            this.watch.disarm();
            this.future.set(None);
            *this.step = Step::End;
            return Poll::Ready(Err(error));
        }
        Poll::Pending
    }
}

impl<F: Future> std::fmt::Debug for Cancellable<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cancellable").finish_non_exhaustive()
    }
}
