//! A wait that a graceful stop ends with a value.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use crate::error::{Cancelled, Result};
use crate::operation::checkpoint::checkpoint;
use crate::scope::aside::Aside;
use crate::scope::current::with_scope;
use crate::scope::graceful::idle::wind_down;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::tree::{Level, Scope};

/// Waits for `future`, or until a [graceful cancellation](crate::CancelScope::cancel_gracefully)
/// comes, which gives `None`.
///
/// With this, a loop ends with a value where [`idle`](crate::idle) would end it with an error.
/// Whatever it has begun can be finished after the loop, and nobody has to catch a
/// [`Cancelled`](crate::Cancelled). It is meant for sections that are
/// [finishing](crate::finishing()) their work, such as a handler of [`serve`](crate::serve()),
/// which have the grace for the rest. Elsewhere the next checkpoint fails, because a graceful
/// cancellation spares nothing else. To wait for the stop itself, in a `select` or in a task of its
/// own, use `until_stopped(sleep_forever())`.
///
/// When the stop comes, `future` gets one more look at what it waits for: a message that had
/// arrived by then is received. After the stop the answer is `None`, and `future` is not even
/// begun. So a loop over `until_stopped` ends, however much there is to receive.
///
/// It is a checkpoint. It is to a graceful stop what `run_until_cancelled` is to tokio's
/// `CancellationToken`.
///
/// # Errors
///
/// The future's own; [`Cancelled`](crate::Cancelled) for any other cancellation, and when the grace
/// is over.
///
/// ```
/// use seedbed::{channel, finishing, move_on_after, nursery, sleep, until_stopped};
/// use std::time::Duration;
///
/// # let clock = seedbed::testing::VirtualClock::new();
/// # seedbed::Builder::new().clock(&clock).run(async {
/// let mut written = Vec::new();
/// let log = &mut written;
/// nursery(async |n| {
///     let (queue, lines) = channel(100);
///     // The writer is slow, and finishes what is in its queue.
///     n.spawn(finishing(async move {
///         while let Some(line) = lines.recv().await? {
///             sleep(Duration::from_secs(1)).await?;
///             log.push(line);
///         }
///         Ok(())
///     }));
///     n.spawn(async move {
///         sleep(Duration::from_millis(2500)).await?;
///         n.scope().cancel_gracefully(Duration::from_secs(10));
///         Ok(())
///     });
///     finishing(async {
///         let mut line = 0..;
///         let mut read = async || {
///             sleep(Duration::from_millis(400)).await?;
///             Ok(line.next().expect("it never ends"))
///         };
///         while let Some(line) = until_stopped(read()).await? {
///             queue.send(line).await?;
///         }
///         drop(queue); // which ends the writer, after what is in the queue
///         Ok(())
///     })
///     .await
/// })
/// .await?;
/// assert_eq!(written, [0, 1, 2, 3, 4, 5]);
/// # Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn until_stopped<T>(
    future: impl Future<Output = Result<T>>,
) -> impl Future<Output = Result<Option<T>>> {
    let scope = ScopeRef::new(Location::caller());
    async move {
        match with_scope(|scope| scope.map(Scope::effective)) {
            Some(Level::Spared | Level::Graceful) => {
                // A loop that ignores the stop must not starve the others.
                Aside::new().await?;
                return Ok(None);
            }
            Some(Level::Full) => checkpoint().await?,
            Some(Level::None) | None => {}
        }
        let tell = |scope: &ScopeRef, _: Pin<&mut _>, cause: Cancelled| {
            scope.cancel_because(Level::Graceful, || cause);
        };
        // A timer that is due fires only after the kernel has been asked for news.
        wind_down(scope, future, Duration::from_nanos(1), tell).await
    }
}
