//! The items of several flows, as they come.

use std::panic::Location;

use crate::error::Result;
use crate::generator::flow::beside::{Beside, Outlet, RENDEZVOUS, beside};
use crate::generator::flow::{Flow, Source};
use crate::nursery;

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// The items of two flows, as they come. For more than two there is
    /// [`flow::merge`](crate::flow::merge).
    ///
    /// Each runs in a task of its own, and goes on when its item has been taken: so each is at most
    /// one item ahead. The items of one flow stay in order. The merged flow ends when both have
    /// ended. The name is that of Kotlin's `merge` and of `StreamExt::merge` in `tokio-stream`; in
    /// `futures` it is `select`.
    ///
    /// # Errors
    ///
    /// If one fails, the other is stopped and closed, and the error comes after the items that had
    /// been given before. If both fail, the errors come as a [`Group`](crate::Group).
    ///
    /// # With `StreamExt`
    ///
    /// `select` polls both streams only while the consumer waits for an item. So what the other
    /// stream has under way stops when one gives an item. Here it had the lock that the consumer
    /// waits for:
    ///
    /// ```
    /// use seedbed::{Yielder, flow, generator, sleep, sync::Mutex};
    /// use std::{rc::Rc, time::Duration};
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let lock = Rc::new(Mutex::new(()));
    /// let same = lock.clone();
    /// let slow = generator(async move |y: Yielder<&str>| {
    ///     let guard = same.lock().await?;
    ///     sleep(Duration::from_millis(20)).await?; // stopped here for ever
    ///     drop(guard);
    ///     y.yield_("slow").await.map(drop)
    /// });
    /// let fast = generator(async |y: Yielder<&str>| {
    ///     sleep(Duration::from_millis(10)).await?;
    ///     y.yield_("fast").await.map(drop)
    /// });
    /// let mut came = Vec::new();
    /// flow(slow)
    ///     .merge(flow(fast))
    ///     .for_each(async |item| {
    ///         let _guard = lock.lock().await?;
    ///         came.push(item);
    ///         Ok(())
    ///     })
    ///     .await?;
    /// assert_eq!(came, ["fast", "slow"]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn merge<O>(self, other: Flow<'a, O>) -> Flow<'a, Beside<S::Value>>
    where
        O: Source<Value = S::Value> + 'a,
    {
        let place = Location::caller();
        Flow::new(move |tasks| {
            let (one, other) = (self.start(tasks), other.start(tasks));
            beside(tasks, place, RENDEZVOUS, async move |outlet| {
                nursery::open(place, async |n: &nursery::Nursery<'_, '_>| {
                    drop(n.spawn_at(place, relay(outlet, one)));
                    drop(n.spawn_at(place, relay(outlet, other)));
                    Ok(())
                })
                .await
            })
        })
    }
}

/// The items of several flows, as they come: [`Flow::merge`] for any number of them. A merge of no
/// flows ends at once. Kotlin's function has the same name; in `futures` it is `select_all`.
///
/// # Errors
///
/// The same as for [`Flow::merge`].
///
/// ```
/// use seedbed::flow;
///
/// seedbed::run(async {
///     let flows = [1, 2, 3].map(|i| flow::from_iter([i, i * 10]));
///     let mut all: Vec<_> = flow::merge(flows).collect().await?;
///     all.sort();
///     assert_eq!(all, [1, 2, 3, 10, 20, 30]);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn merge<'a, S, I>(flows: I) -> Flow<'a, Beside<S::Value>>
where
    S: Source + 'a,
    I: IntoIterator<Item = Flow<'a, S>> + 'a,
{
    let place = Location::caller();
    Flow::new(move |tasks| {
        let sources: Vec<_> = flows.into_iter().map(|flow| flow.start(tasks)).collect();
        beside(tasks, place, RENDEZVOUS, async move |outlet| {
            nursery::open(place, async |n: &nursery::Nursery<'_, '_>| {
                for source in sources {
                    drop(n.spawn_at(place, relay(outlet, source)));
                }
                Ok(())
            })
            .await
        })
    })
}

/// Sends a source's items, in work of its own. If it fails, so does the stage, and not the nursery
/// that this is spawned in, which would cut off the clean-up of the others.
async fn relay<S: Source>(outlet: &Outlet<S::Value>, source: S) -> Result<()> {
    let relayed = outlet.drive(source, async |items| outlet.pass_on(items).await);
    outlet.fail_if(relayed.await);
    Ok(())
}
