//! Checkpoints: where a task checks for cancellation and lets others run.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{Error, Result};
use crate::schedule::budget::{self, Share};
use crate::schedule::current::{self, THREAD};
use crate::schedule::wake::{self, Again};
use crate::scope;
use crate::scope::current::scope_in;

/// A checkpoint and nothing else.
///
/// It fails with [`Cancelled`](crate::Cancelled) in a cancelled scope, and lets others run if the
/// task has used up its [budget](crate::Builder::budget). To let others run in any case, use
/// [`yield_now`].
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); [`NotRunning`](crate::NotRunning) outside [`run`](crate::run).
///
/// ```
/// use seedbed::{checkpoint, move_on_after};
/// use std::time::Duration;
///
/// seedbed::run(async {
///     let busy = async {
///         loop {
///             checkpoint().await?; // a long computation that can be cancelled
///         }
///     };
///     let none: Option<()> = move_on_after(Duration::from_millis(10), busy).await?;
///     assert_eq!(none, None);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub fn checkpoint() -> Checkpoint {
    Checkpoint { step: Step::Start, error: None }
}

/// A checkpoint that always lets every other ready task run first.
///
/// # Errors
///
/// The same as for [`checkpoint`].
///
/// ```
/// use seedbed::{nursery, yield_now};
/// use std::cell::Cell;
///
/// seedbed::run(async {
///     let other_ran = Cell::new(false);
///     nursery(async |n| {
///         n.spawn(async {
///             other_ran.set(true);
///             Ok(())
///         });
///         yield_now().await?;
///         assert!(other_ran.get());
///         Ok(())
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub fn yield_now() -> Checkpoint {
    Checkpoint { step: Step::Yield, error: None }
}

/// The future of [`checkpoint`] and [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Checkpoint {
    step: Step,
    /// The error, if it is known from the beginning.
    error: Option<Error>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Start,
    /// Looks for cancellation, and lets others run in any case.
    Yield,
    Look,
    /// A failing checkpoint also counts: a loop that ignores the failure must not starve others.
    /// If a shield was raised meanwhile, it does not fail after all.
    LookAgain,
    /// An operation was cancelled before it began. It fails, and that counts, too: as much as in
    /// Trio, where some operations let others run twice before they fail.
    Fail {
        owed: u8,
    },
}

impl Checkpoint {
    /// The checkpoint that an operation turns into if it finds itself cancelled before it has
    /// begun. It counts as `owed` operations.
    pub(crate) fn failing(error: Error, owed: u8) -> Self {
        Checkpoint { step: Step::Fail { owed }, error: Some(error) }
    }
}

/// Counts an operation that finishes at once and looks for cancellation, if neither has a
/// consequence. Otherwise does nothing and returns false.
#[inline(always)]
pub(crate) fn pass() -> bool {
    THREAD.with(|thread| {
        scope_in(thread).is_some_and(|scope| !scope.is_cancelled()) && thread.turn.pass()
    })
}

/// Counts an operation. Returns true if the task has to let others run now, and then arranges for
/// it to be polled again.
#[inline]
fn spend(cx: &Context<'_>) -> bool {
    let yields = budget::spend() == Share::UsedUp && current::is_running();
    if yields {
        cx.waker().wake_by_ref();
    }
    yields
}

impl Future for Checkpoint {
    type Output = Result<()>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match this.step {
            Step::Start if pass() => Poll::Ready(Ok(())),
            Step::Look if scope::check().is_ok() => Poll::Ready(Ok(())),
            Step::Yield if current::is_running() => {
                this.step = Step::Look;
                wake::poll_again(cx.waker(), Again::Yields);
                Poll::Pending
            }
            _ => this.poll_stepwise(cx),
        }
    }
}

impl Checkpoint {
    #[cold]
    fn poll_stepwise(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        loop {
            let (next, yields) = match self.step {
                Step::Start => (Step::Look, spend(cx)),
                Step::Yield => (Step::Look, false), // nothing runs
                Step::Look => match scope::check() {
                    Ok(()) => return Poll::Ready(Ok(())),
                    Err(_) => (Step::LookAgain, spend(cx)),
                },
                Step::LookAgain => return Poll::Ready(scope::check()),
                Step::Fail { owed: 0 } => {
                    return Poll::Ready(Err(self.error.take().expect("polled after it was ready")));
                }
                Step::Fail { owed } => (Step::Fail { owed: owed - 1 }, spend(cx)),
            };
            self.step = next;
            if yields {
                return Poll::Pending;
            }
        }
    }
}
