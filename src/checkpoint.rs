//! Checkpoints: where a task looks for cancellation and lets others run.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::Error;
use crate::{Result, context, coop};

/// A checkpoint and nothing else.
///
/// Fails with [`Cancelled`](crate::Cancelled) in a cancelled scope, and lets others run if the
/// task has used up its [budget](crate::Builder::budget). To let others run in any case, use
/// [`yield_now`].
///
/// # Errors
///
/// [`Cancelled`](crate::Cancelled); [`NotRunning`](crate::NotRunning) outside of
/// [`run`](crate::run).
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
    Checkpoint { step: Step::Start { always: false } }
}

/// A checkpoint that always lets every other task that is ready run first.
///
/// # Errors
///
/// As [`checkpoint`].
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
    Checkpoint { step: Step::Start { always: true } }
}

/// The future of [`checkpoint`] and [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Checkpoint {
    step: Step,
}

#[derive(Debug)]
enum Step {
    Start {
        always: bool,
    },
    Look,
    /// A failing checkpoint counts as well: a loop that does not heed it must not starve others.
    /// If a shield was raised meanwhile, it does not fail after all.
    LookAgain,
    /// An operation was cancelled before it began. It fails, and that counts, too: as much as in
    /// Trio, where some operations let others run twice before they fail.
    Fail {
        error: Option<Error>,
        owed: u8,
    },
}

impl Checkpoint {
    /// What an operation turns into that finds itself cancelled before it has begun. It counts
    /// as this many.
    pub(crate) fn failing(error: Error, owed: u8) -> Self {
        Checkpoint { step: Step::Fail { error: Some(error), owed } }
    }
}

/// Counts an operation. True if the task is to let others run now, for which this sees to it that
/// it is polled again.
#[inline]
fn spend(always: bool, cx: &Context<'_>) -> bool {
    let yields = (always || coop::spend()) && context::current_run() != 0;
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
        if matches!(this.step, Step::Start { always: false }) && coop::pass() {
            return Poll::Ready(Ok(()));
        }
        this.poll_stepwise(cx)
    }
}

impl Checkpoint {
    #[inline(never)]
    fn poll_stepwise(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        loop {
            let (next, yields) = match &mut self.step {
                Step::Start { always } => (Step::Look, spend(*always, cx)),
                Step::Look => match coop::check() {
                    Ok(()) => return Poll::Ready(Ok(())),
                    Err(_) => (Step::LookAgain, spend(false, cx)),
                },
                Step::LookAgain => return Poll::Ready(coop::check()),
                Step::Fail { error, owed: 0 } => {
                    return Poll::Ready(Err(error.take().expect("polled after it was ready")));
                }
                Step::Fail { error, owed } => {
                    (Step::Fail { error: error.take(), owed: *owed - 1 }, spend(false, cx))
                }
            };
            self.step = next;
            if yields {
                return Poll::Pending;
            }
        }
    }
}
