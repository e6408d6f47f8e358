//! A limit on how long each item takes.

use std::panic::Location;
use std::time::Duration;

use crate::error::TooSlow;
use crate::generator::flow::beside::{Beside, RENDEZVOUS, beside};
use crate::generator::flow::{Flow, Source};
use crate::scope::within;

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Fails if an item, or the end, takes longer than `limit`. The name is that of Kotlin's
    /// `timeout` and tokio-stream's.
    ///
    /// The source runs in a task of its own. The time of an item begins when the source is asked
    /// for it, which is when the consumer has taken the one before; the first one's when the flow
    /// is opened. How long the consumer takes does not count: an item that was in time waits.
    ///
    /// The limit works like that of [`fail_after`](crate::fail_after): with zero, only what is
    /// ready at once is in time.
    ///
    /// # Errors
    ///
    /// [`TooSlow`](crate::TooSlow), with the limit and the place where this was called. Before the
    /// consumer gets it, the source is cancelled, at whatever it waits for, and closed. If the
    /// source gives an item although it was cancelled, that item is given.
    ///
    /// # With `StreamExt`
    ///
    /// In tokio-stream the source stays as it is when the time is over, in the middle of whatever it
    /// is doing, and goes on when it is asked again or is dropped where it stands. Here it is
    /// cancelled, so that it can clean up:
    ///
    /// ```
    /// use seedbed::{TooSlow, Yielder, flow, generator, sleep};
    /// use std::{cell::RefCell, rc::Rc, time::Duration};
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let log = Rc::new(RefCell::new(Vec::new()));
    /// let inside = log.clone();
    /// let readings = generator(async move |y: Yielder<u64>| {
    ///     for i in [1, 2, 60] {
    ///         if let Err(error) = sleep(Duration::from_secs(i)).await {
    ///             inside.borrow_mut().push("sensor switched off");
    ///             return Err(error);
    ///         }
    ///         y.yield_(i).await?;
    ///     }
    ///     Ok(())
    /// });
    /// let mut seen = Vec::new();
    /// let error = flow(readings)
    ///     .timeout(Duration::from_secs(5))
    ///     .for_each(async |reading| {
    ///         seen.push(reading);
    ///         sleep(Duration::from_secs(10)).await // which does not count
    ///     })
    ///     .await
    ///     .unwrap_err();
    /// assert!(error.is::<TooSlow>());
    /// assert_eq!(seen, [1, 2]);
    /// assert_eq!(*log.borrow(), ["sensor switched off"]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn timeout(self, limit: Duration) -> Flow<'a, Beside<S::Value>> {
        let place = Location::caller();
        Flow::new(move |tasks| {
            let source = self.start(tasks);
            beside(tasks, place, RENDEZVOUS, async move |outlet| {
                let work = outlet.drive(source, async |items| {
                    loop {
                        match within(place, limit, items.pull()).await? {
                            Some(Some(item)) => outlet.send(item).await?,
                            Some(None) => return Ok(()),
                            None => return Err(TooSlow::of_item(place, limit).into()),
                        }
                    }
                });
                work.await
            })
        })
    }
}
