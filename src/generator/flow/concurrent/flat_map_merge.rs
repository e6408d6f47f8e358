//! The items of several flows at once, which are items themselves.

use std::panic::Location;

use crate::generator::flow::beside::{Beside, RENDEZVOUS, beside, refuse_zero, room_for};
use crate::generator::flow::tasks::Tasks;
use crate::generator::flow::{Flow, Source};
use crate::nursery::{self, Nursery};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Turns each item into a flow, and gives the items of up to `n` of these flows at once, as
    /// they come. The name is that of Kotlin's `flatMapMerge`; in `StreamExt` it is
    /// `flat_map_unordered`.
    ///
    /// This flow is asked for its next item when fewer than `n` others are open. Each runs in a
    /// task of its own, is at most one item ahead, and is closed when it has ended.
    ///
    /// # Errors
    ///
    /// If one of the flows fails, the others are stopped and closed, and the error comes after the
    /// items that had been given before. If several fail, the errors come as a
    /// [`Group`](crate::Group).
    ///
    /// # Panics
    ///
    /// If `n` is 0. If `f` or one of the flows panics, everything is closed, and the terminal
    /// operation panics.
    ///
    /// # With `StreamExt`
    ///
    /// There, all of these streams stop where they are while the consumer does something else, and
    /// when it leaves, they are dropped. Here both have been closed when the flow returns:
    ///
    /// ```
    /// use seedbed::{Error, Yielder, flow, generator, sleep};
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let open = Rc::new(Cell::new(0));
    /// let subscribe = |topic: &'static str| {
    ///     let open = open.clone();
    ///     flow(generator(async move |y: Yielder<String>| {
    ///         open.set(open.get() + 1);
    ///         let outcome = async {
    ///             for i in 1.. {
    ///                 sleep(Duration::from_secs(1)).await?;
    ///                 y.yield_(format!("{topic} {i}")).await?;
    ///             }
    ///             Ok(())
    ///         }
    ///         .await;
    ///         sleep(Duration::from_secs(1)).await.ok(); // says good-bye
    ///         open.set(open.get() - 1);
    ///         outcome
    ///     }))
    /// };
    /// let news = flow::from_iter(["a", "b"]).flat_map_merge(2, subscribe).open(async |news| {
    ///     let mut all = Vec::new();
    ///     while all.len() < 3
    ///         && let Some(item) = news.next().await?
    ///     {
    ///         all.push(item);
    ///     }
    ///     Ok(all)
    /// });
    /// assert_eq!(news.await?, ["a 1", "b 1", "a 2"]);
    /// assert_eq!(open.get(), 0);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map_merge<I, F>(self, n: usize, mut f: F) -> Flow<'a, Beside<I::Value>>
    where
        I: Source + 'a,
        F: FnMut(S::Value) -> Flow<'a, I> + 'a,
    {
        let place = Location::caller();
        refuse_zero(n, place);
        Flow::new(move |tasks| {
            let source = self.start(tasks);
            beside(tasks, place, RENDEZVOUS, async move |outlet| {
                let limit = room_for(n, place);
                // The nursery is outside of the work, so that leaving does not cancel the clean-up
                // of the flows in it.
                nursery::open(place, async |n: &Nursery<'_, '_>| {
                    let driven = outlet.drive(source, async |items| {
                        loop {
                            let room = outlet.room(&limit).await?;
                            let Some(item) = items.pull().await? else { return Ok(()) };
                            let mut tasks = Tasks::new();
                            let inner = f(item).start(&mut tasks); // foreign code
                            tasks.spawn_in(n);
                            drop(n.spawn_at(place, async move {
                                let relayed =
                                    outlet.drive(inner, async |items| outlet.pass_on(items).await);
                                outlet.fail_if(relayed.await);
                                drop(room);
                                Ok(())
                            }));
                        }
                    });
                    outlet.fail_if(driven.await);
                    Ok(())
                })
                .await
            })
        })
    }

    /// Gives the items of up to `n` of the flows that are this one's items at once, as they come.
    /// It is short for [`flat_map_merge(n, |flow| flow)`](Self::flat_map_merge). The name is that
    /// of `StreamExt::flatten_unordered`; Kotlin calls it `flattenMerge`.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let parts = (0..5).map(|i| flow::from_iter([i, 10 + i]));
    ///     let mut all: Vec<_> = flow::from_iter(parts).flatten_unordered(3).collect().await?;
    ///     all.sort();
    ///     assert_eq!(all, [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn flatten_unordered<I>(self, n: usize) -> Flow<'a, Beside<I::Value>>
    where
        S: Source<Value = Flow<'a, I>>,
        I: Source + 'a,
    {
        self.flat_map_merge(n, |flow| flow)
    }
}
