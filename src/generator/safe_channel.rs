//! A safe way to do what generators must not: a producer that yields inside scopes runs in a task
//! of its own, behind a channel.

use std::future::Future;
use std::panic::Location;

use crate::error::{Error, Result};
use crate::nursery;
use crate::operation::sync::channel::{Receiver, Sender, channel};

/// The means by which the producer of a [`safe_channel`] yields.
pub struct Feed<T> {
    sender: Sender<T>,
}

impl<T> Feed<T> {
    /// Gives a value to the consumer, and waits until the channel has space for it. This is allowed
    /// anywhere, even inside scopes: the producer is a task, and is not suspended while the
    /// consumer runs.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled) once the consumer has left.
    pub async fn yield_(&self, value: T) -> Result<()> {
        Ok(self.sender.send(value).await?)
    }
}

impl<T> std::fmt::Debug for Feed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

/// Runs `producer` in a task of its own, and `consumer` with the values that it yields, over a
/// channel of this capacity. When the consumer leaves, the producer is cancelled and waited for.
///
/// This is the remedy for a generator that has to yield inside a cancel scope, a timeout or a
/// nursery: these scopes cancel only the producer. It is Trio's `as_safe_channel`.
///
/// # Errors
///
/// The consumer's or the producer's; both, if both fail, in a [`Group`](crate::Group).
///
/// ```
/// use seedbed::{move_on_after, safe_channel, sleep};
/// use std::time::Duration;
///
/// # let clock = seedbed::testing::VirtualClock::new();
/// # seedbed::Builder::new().clock(&clock).run(async {
/// let sum = safe_channel(
///     0,
///     async |y| {
///         // All the values together in one second: a generator could not do this.
///         move_on_after(Duration::from_secs(1), async {
///             for i in 1.. {
///                 y.yield_(i).await?;
///                 sleep(Duration::from_millis(300)).await?;
///             }
///             Ok(())
///         })
///         .await?;
///         Ok(())
///     },
///     async |items| {
///         let mut sum = 0;
///         while let Some(i) = items.recv().await? {
///             sum += i;
///         }
///         Ok(sum)
///     },
/// )
/// .await?;
/// assert_eq!(sum, 1 + 2 + 3 + 4);
/// # Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[doc(alias = "as_safe_channel")]
#[track_caller]
pub fn safe_channel<'env, T, R, P, C>(
    capacity: usize,
    producer: P,
    consumer: C,
) -> impl Future<Output = Result<R>>
where
    P: AsyncFnOnce(&Feed<T>) -> Result<()> + 'env,
    C: AsyncFnOnce(&Receiver<T>) -> Result<R>,
    T: 'env,
{
    let place = Location::caller();
    async move {
        // The receiver outlives the nursery. So a producer that is waiting when the consumer leaves
        // is cancelled, rather than told that nobody is left to receive.
        let (sender, receiver) = channel(capacity);
        let outcome = nursery::open(place, async |n: &crate::nursery::Nursery<'_, 'env>| {
            n.spawn(async move { producer(&Feed { sender }).await });
            let outcome = consumer(&receiver).await?;
            n.cancel();
            Ok(outcome)
        })
        .await;
        outcome.map_err(Error::into_single)
    }
}
