//! A generator that is closed on every way out.

use std::fmt::Display;
use std::future::poll_fn;
use std::panic::resume_unwind;

use crate::error::panic::{Payload, catch_panic, quietly, report};
use crate::error::{Error, Result};
use crate::generator::Generator;

/// The outcome of something that may panic.
pub(super) type Caught<T> = std::result::Result<T, Payload>;

/// Runs `body` with a generator, and closes the generator before it returns, whether the body ended
/// with a value, an error, a cancellation or a panic. This is Python's `contextlib.aclosing`, and
/// the way to iterate a generator that has something to clean up.
///
/// # Errors
///
/// The body's. If the generator's clean-up fails, its error replaces the body's, as in Python, and
/// the body's is reported through `tracing`. [`Cancelled`](crate::Cancelled), if the caller loops
/// without ever reaching a checkpoint (see the [guide](crate::guide::scheduling#the-budget)): the
/// generator has been closed nevertheless.
///
/// # Dropping
///
/// If the future is dropped, the generator goes to its finalizer.
///
/// ```
/// use seedbed::{Yielder, aclosing, generator};
/// use std::{cell::Cell, rc::Rc};
///
/// seedbed::run(async {
///     let closed = Rc::new(Cell::new(false));
///     let log = closed.clone();
///     let numbers = generator(async move |y: Yielder<i32>| {
///         let outcome = y.yield_(1).await;
///         log.set(true); // clean-up, which may await
///         outcome.map(drop)
///     });
///     let first = aclosing(numbers, async |numbers| numbers.anext().await).await?;
///     assert_eq!(first, Some(1));
///     assert!(closed.get());
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub async fn aclosing<'a, T, S, R, F>(generator: Generator<'a, T, S>, body: F) -> Result<R>
where
    F: AsyncFnOnce(&mut Generator<'a, T, S>) -> Result<R>,
{
    let mut generator = generator;
    // The call is part of the body, because it may panic too.
    let outcome = catch_panic(async { body(&mut generator).await }).await;
    let closing = async {
        let mut closing = generator.aclose();
        let closed = poll_fn(|cx| closing.poll_closed(cx)).await;
        (closed, closing.unheeded)
    };
    let closed = catch_panic(closing).await;
    let mut unheeded = Ok(());
    let closed = closed.map(|(closed, cancelled)| {
        unheeded = cancelled;
        closed
    });
    conclude(outcome, closed, &generator.qualname()).and_then(|value| unheeded.map(|()| value))
}

/// What comes of a consumer and of the closing of the generator that it was given, either of which
/// may have panicked. If both failed, one of the errors is reported.
pub(super) fn conclude<R>(
    outcome: Caught<Result<R>>,
    closed: Caught<Result<()>>,
    generator: &dyn Display,
) -> Result<R> {
    decide(outcome, closed, |lost| match lost {
        Lost::Replaced(replaced) => {
            report!(warn, error = %replaced, "replaced by an error of the generator's clean-up");
        }
        Lost::Failed(error) => {
            report!(error, %error, "a generator failed while it was closed after a panic");
        }
        Lost::Panicked(further) => {
            report!(
                error,
                %generator,
                "a generator panicked as well when its consumer had: only the first is passed on"
            );
            quietly(|| drop(further));
        }
    })
}

/// What is not told when both some work and the closing after it have failed.
pub(super) enum Lost {
    /// The error of the work.
    Replaced(Error),
    /// The error of the closing after a panic.
    Failed(Error),
    /// The panic of the closing after a panic.
    Panicked(Payload),
}

/// Decides what comes of some work and of the closing after it. An error of the closing replaces
/// that of the work, as in Python. A panic goes before both, and the first one before the second.
/// What is lost by that is handed to `lost`, to be reported.
pub(super) fn decide<R>(
    outcome: Caught<Result<R>>,
    closed: Caught<Result<()>>,
    lost: impl FnOnce(Lost),
) -> Result<R> {
    match (outcome, closed) {
        (Ok(outcome), Ok(Ok(()))) => outcome,
        (Ok(outcome), Ok(Err(error))) => {
            if let Err(replaced) = outcome {
                lost(Lost::Replaced(replaced));
            }
            Err(error)
        }
        (Ok(_), Err(payload)) => resume_unwind(payload),
        (Err(payload), closed) => {
            match closed {
                Ok(Ok(())) => {}
                Ok(Err(error)) => lost(Lost::Failed(error)),
                Err(further) => lost(Lost::Panicked(further)),
            }
            resume_unwind(payload)
        }
    }
}
