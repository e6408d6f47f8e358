//! Another item for each, by a function that awaits.

use std::panic::Location;

use crate::error::Result;
use crate::generator::flow::beside::{Beside, RENDEZVOUS, beside};
use crate::generator::flow::{Flow, Source};
use crate::operation::sync::channel::channel;

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Turns each item into another, by a function that awaits: one after the other, and each only
    /// when the consumer asks for it. The name is that of `StreamExt::then` and
    /// `TryStreamExt::and_then`; in Kotlin it is `map`, too. For several at once there are
    /// [`buffered`](Self::buffered) and [`buffer_unordered`](Self::buffer_unordered).
    ///
    /// The source and `f` run in a task of their own. If the consumer gives up waiting for an item,
    /// they go on, and the item comes with the next [`next`](crate::flow::Items::next).
    ///
    /// # Errors
    ///
    /// An error of `f` ends the flow, as one of the source does.
    ///
    /// # Panics
    ///
    /// If `f` panics, everything is closed, and the terminal operation panics.
    ///
    /// # With `StreamExt`
    ///
    /// There, a consumer that gives up waiting, or does something else meanwhile, stops what `f` is
    /// doing, wherever that is. Here `f` had the lock then, and the consumer waits for it:
    ///
    /// ```
    /// use seedbed::{flow, move_on_after, sleep, sync::Mutex};
    /// use std::time::Duration;
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let lock = Mutex::new(());
    /// let squares = flow::from_iter(1..=3).then(async |i| {
    ///     let _guard = lock.lock().await?;
    ///     sleep(Duration::from_secs(2)).await?; // stopped here for ever
    ///     Ok(i * i)
    /// });
    /// let squares = squares.open(async |squares| {
    ///     let mut all = Vec::new();
    ///     loop {
    ///         match move_on_after(Duration::from_secs(1), squares.next()).await? {
    ///             Some(Some(square)) => all.push(square),
    ///             Some(None) => return Ok(all),
    ///             None => drop(lock.lock().await?),
    ///         }
    ///     }
    /// });
    /// assert_eq!(squares.await?, [1, 4, 9]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn then<U, F>(self, mut f: F) -> Flow<'a, Beside<U>>
    where
        F: AsyncFnMut(S::Value) -> Result<U> + 'a,
        U: 'a,
    {
        let place = Location::caller();
        Flow::new(move |tasks| {
            let source = self.start(tasks);
            let (asks, demand) = channel(1);
            let made = beside(tasks, place, RENDEZVOUS, async move |outlet| {
                let work = outlet.drive(source, async |items| {
                    while demand.recv().await?.is_some()
                        && let Some(item) = items.pull().await?
                    {
                        outlet.send(f(item).await?).await?;
                    }
                    Ok(())
                });
                work.await
            });
            made.on_demand(asks)
        })
    }
}
