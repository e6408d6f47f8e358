//! Getting items before they are asked for.

use std::panic::Location;

use crate::generator::flow::beside::{Beside, beside, refuse_zero};
use crate::generator::flow::tasks::Tasks;
use crate::generator::flow::{Flow, Source};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Gets up to `n` items before they are asked for. The source runs in a task of its own, so it
    /// goes on while the consumer does something else. This is Kotlin's `buffer`; elsewhere it is
    /// known as prefetching.
    ///
    /// More exactly, the next item is begun as soon as fewer than `n` have been begun and not
    /// taken. (One that the consumer waits for counts as taken.) The order stays as it is.
    ///
    /// # Errors
    ///
    /// An error of the source comes after the items before it.
    ///
    /// # Leaving early
    ///
    /// A source that is at a yield is closed as usual. One that is under way is cancelled first, at
    /// whatever it waits for.
    ///
    /// # Panics
    ///
    /// If `n` is 0: nothing could ever begin.
    ///
    /// # With `StreamExt`
    ///
    /// There is no such operator that could be safe: a stream makes no progress while nobody polls
    /// it. `FuturesUnordered` and the like, which have something under way nevertheless, stop in
    /// the middle of it. Here the source waits for a lock while the consumer has it, and gets it:
    ///
    /// ```
    /// use seedbed::{Yielder, flow, generator, sleep, sync::Mutex};
    /// use std::{rc::Rc, time::Duration};
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let lock = Rc::new(Mutex::new(()));
    /// let same = lock.clone();
    /// let rows = generator(async move |y: Yielder<u32>| {
    ///     for row in 0..3 {
    ///         let guard = same.lock().await?;
    ///         sleep(Duration::from_millis(10)).await?;
    ///         drop(guard);
    ///         y.yield_(row).await?;
    ///     }
    ///     Ok(())
    /// });
    /// flow(rows)
    ///     .buffer(2)
    ///     .for_each(async |_| {
    ///         let _guard = lock.lock().await?; // the source may be waiting for it, or have it
    ///         sleep(Duration::from_millis(10)).await
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn buffer(self, n: usize) -> Flow<'a, Beside<S::Value>> {
        let place = Location::caller();
        refuse_zero(n, place);
        Flow::new(move |tasks| {
            let source = self.start(tasks);
            ahead(tasks, place, n, source)
        })
    }
}

/// Adds a task that gets up to `n` items of `source` before they are asked for.
pub(in crate::generator::flow) fn ahead<'a, S: Source + 'a>(
    tasks: &mut Tasks<'a>,
    place: &'static Location<'static>,
    n: usize,
    source: S,
) -> Beside<S::Value> {
    // What waits to be sent is begun and not taken, too.
    beside(tasks, place, n - 1, async move |outlet| {
        outlet.drive(source, async |items| outlet.pass_on(items).await).await
    })
}
