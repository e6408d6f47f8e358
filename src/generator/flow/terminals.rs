//! The terminal operations: they open a flow, and close it again before they return.

use std::future::Future;
use std::panic::Location;

use crate::error::panic::catch_panic;
use crate::error::{Error, Result};
use crate::generator::flow::closing::settle;
use crate::generator::flow::tasks::Tasks;
use crate::generator::flow::{Flow, Items, Source};
use crate::nursery;
use crate::scope::frame;

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Opens the flow, runs `consumer` with its [`Items`], and closes it again.
    ///
    /// All other terminal operations are made of this one. The consumer pulls the items, and may
    /// leave at any time. Before this returns, what runs beside the consumer has been stopped and
    /// has ended, and every source has been closed.
    ///
    /// The flow counts as a scope: a generator must not yield inside the consumer (see
    /// [above](mod@crate::flow#in-a-generator)).
    ///
    /// # Errors
    ///
    /// The consumer's. If the clean-up of a source or an operator fails, its error replaces that,
    /// as in [`aclosing`](crate::aclosing), and the consumer's is reported through `tracing`. An
    /// error in the flow comes to the consumer, as an error of [`Items::next`].
    ///
    /// # Panics
    ///
    /// If the consumer, a source or an operator panics, this panics with the same payload once
    /// everything else has been cancelled and closed.
    ///
    /// # Dropping
    ///
    /// If the future is dropped, so is everything that it runs, as with a
    /// [`nursery`](crate::nursery()), and generators go to their finalizers.
    ///
    /// ```
    /// use seedbed::{Yielder, flow, generator, sleep};
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let closed = Rc::new(Cell::new(false));
    /// let log = closed.clone();
    /// let numbers = generator(async move |y: Yielder<i32>| {
    ///     while y.yield_(1).await.is_ok() {}
    ///     sleep(Duration::from_secs(1)).await?; // clean-up
    ///     log.set(true);
    ///     Ok(())
    /// });
    /// let first = flow(numbers).buffer(1).open(async |items| items.next().await).await?;
    /// assert_eq!(first, Some(1));
    /// assert!(closed.get());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn open<R, F>(self, consumer: F) -> impl Future<Output = Result<R>>
    where
        F: AsyncFnOnce(&mut Items<S>) -> Result<R>,
    {
        self.open_at(Location::caller(), consumer)
    }

    /// Opens the flow as [`open`](Self::open) does, at this place.
    pub(super) async fn open_at<R, F>(
        self,
        place: &'static Location<'static>,
        consumer: F,
    ) -> Result<R>
    where
        F: AsyncFnOnce(&mut Items<S>) -> Result<R>,
    {
        let outcome = nursery::open(place, async |n: &nursery::Nursery<'_, 'a>| {
            // The nursery is a hold as well, but this one is what the program says.
            let _hold = frame::hold_in_current(|| "a flow".into(), place);
            let mut tasks = Tasks::new();
            let mut items = Items::new(self.start(&mut tasks));
            tasks.spawn_in(n);
            let outcome = catch_panic(async { consumer(&mut items).await }).await;
            let closed = catch_panic(items.close()).await;
            settle(outcome, closed)
        })
        .await;
        outcome.map_err(Error::into_single)
    }

    /// Calls `f` with each item. The next item is not asked for before `f` has returned.
    ///
    /// # Errors
    ///
    /// That of the flow or of `f`, whichever fails first. See [`open`](Self::open) for the rest.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let mut sum = 0;
    ///     flow::from_iter([1, 2, 3])
    ///         .for_each(async |i| {
    ///             sum += i;
    ///             Ok(())
    ///         })
    ///         .await?;
    ///     assert_eq!(sum, 6);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn for_each<F>(self, mut f: F) -> impl Future<Output = Result<()>>
    where
        F: AsyncFnMut(S::Value) -> Result<()>,
    {
        self.open_at(Location::caller(), async move |items| {
            while let Some(item) = items.next().await? {
                f(item).await?;
            }
            Ok(())
        })
    }

    /// Collects the items.
    ///
    /// # Errors
    ///
    /// That of the flow: the items before it are dropped. See [`open`](Self::open) for the rest.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let all: Vec<_> = flow::from_iter([1, 2, 3]).map(|i| i + 1).collect().await?;
    ///     assert_eq!(all, [2, 3, 4]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn collect<C>(self) -> impl Future<Output = Result<C>>
    where
        C: Default + Extend<S::Value>,
    {
        self.open_at(Location::caller(), async |items| {
            let mut all = C::default();
            while let Some(item) = items.next().await? {
                all.extend([item]);
            }
            Ok(all)
        })
    }

    /// Combines all items into one value, beginning with `first`.
    ///
    /// # Errors
    ///
    /// That of the flow or of `f`, whichever fails first. See [`open`](Self::open) for the rest.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let words = flow::from_iter(["a", "b", "c"]);
    ///     let text = words.fold(String::new(), async |text, word| Ok(text + word)).await?;
    ///     assert_eq!(text, "abc");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn fold<B, F>(self, first: B, mut f: F) -> impl Future<Output = Result<B>>
    where
        F: AsyncFnMut(B, S::Value) -> Result<B>,
    {
        self.open_at(Location::caller(), async move |items| {
            let mut folded = first;
            while let Some(item) = items.next().await? {
                folded = f(folded, item).await?;
            }
            Ok(folded)
        })
    }

    /// The first item, if there is one. The flow is closed then.
    ///
    /// # Errors
    ///
    /// That of the flow, if it comes before an item. See [`open`](Self::open) for the rest.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     assert_eq!(flow::from_iter(5..).first().await?, Some(5));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn first(self) -> impl Future<Output = Result<Option<S::Value>>> {
        self.open_at(Location::caller(), async |items| items.next().await)
    }

    /// The last item, if there is one.
    ///
    /// # Errors
    ///
    /// That of the flow. See [`open`](Self::open) for the rest.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     assert_eq!(flow::from_iter(1..=5).last().await?, Some(5));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn last(self) -> impl Future<Output = Result<Option<S::Value>>> {
        self.open_at(Location::caller(), async |items| {
            let mut last = None;
            while let Some(item) = items.next().await? {
                last = Some(item);
            }
            Ok(last)
        })
    }

    /// The number of items.
    ///
    /// # Errors
    ///
    /// That of the flow. See [`open`](Self::open) for the rest.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     assert_eq!(flow::from_iter(["a", "b"]).count().await?, 2);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn count(self) -> impl Future<Output = Result<usize>> {
        self.open_at(Location::caller(), async |items| {
            let mut count = 0;
            while items.next().await?.is_some() {
                count += 1;
            }
            Ok(count)
        })
    }
}
