//! Consuming several items at once.

use std::future::Future;
use std::panic::Location;

use crate::error::{Error, Result};
use crate::generator::flow::beside::{refuse_zero, room_for};
use crate::generator::flow::{Flow, Source};
use crate::nursery::{self, Nursery};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Calls `f` with each item, with up to `n` calls at once. The name is that of
    /// `StreamExt::for_each_concurrent`.
    ///
    /// Each call is a task, a child of one nursery. The next item is asked for when fewer than `n`
    /// calls are under way.
    ///
    /// # Errors
    ///
    /// If the flow or `f` fails, the other calls are cancelled and waited for. If others fail as
    /// well, the errors come as a [`Group`](crate::Group). See [`open`](Self::open) for the rest.
    ///
    /// # Panics
    ///
    /// If `n` is 0. If `f` panics, the other calls are cancelled and waited for, the flow is
    /// closed, and this panics with the same payload.
    ///
    /// # With `StreamExt`
    ///
    /// `for_each_concurrent` polls the source in turn with the futures of `f`, so it has no
    /// futurelock by itself. But when one of them fails, `try_for_each_concurrent` drops the others
    /// where they are. Here the other one has rolled back before the error comes:
    ///
    /// ```
    /// use seedbed::{Error, flow, sleep};
    /// use std::{cell::RefCell, time::Duration};
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let log = RefCell::new(Vec::new());
    /// let second = Duration::from_secs(1);
    /// let written = flow::from_iter(["good", "bad"]).for_each_concurrent(2, async |row| {
    ///     if row == "bad" {
    ///         sleep(second).await?;
    ///         return Err(Error::msg("not a number"));
    ///     }
    ///     let outcome = sleep(second * 2).await;
    ///     log.borrow_mut().push(if outcome.is_ok() { "committed" } else { "rolled back" });
    ///     outcome
    /// });
    /// assert_eq!(written.await.unwrap_err().to_string(), "not a number");
    /// assert_eq!(*log.borrow(), ["rolled back"]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn for_each_concurrent<F>(self, n: usize, f: F) -> impl Future<Output = Result<()>>
    where
        F: AsyncFn(S::Value) -> Result<()>,
    {
        let place = Location::caller();
        refuse_zero(n, place);
        self.open_at(place, async move |items| {
            let (limit, f) = (room_for(n, place), &f);
            let workers = nursery::open(place, async |workers: &Nursery<'_, '_>| {
                loop {
                    let room = limit.acquire_for(place).await?;
                    let Some(item) = items.next().await? else { return Ok(()) };
                    let worker = async move {
                        let outcome = f(item).await;
                        drop(room);
                        outcome
                    };
                    drop(workers.spawn_at(place, worker));
                }
            });
            workers.await.map_err(Error::into_single)
        })
    }
}
