//! Only what belongs to the newest item.

use std::panic::Location;

use crate::error::{Error, Result};
use crate::generator::flow::beside::{Beside, Outlet, RENDEZVOUS, beside};
use crate::generator::flow::tasks::Tasks;
use crate::generator::flow::{Flow, Source};
use crate::nursery::{self, Nursery, Task};
use crate::scope::CancelScope;

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Turns the newest item into another, by a function that awaits. When a newer item comes, the
    /// call for the former is cancelled. The name is that of Kotlin's `mapLatest`.
    ///
    /// `f` is called with the newer item when the former call has cleaned up, so there is never
    /// more than one; the source waits for that, but not for anything else. What a call has made is
    /// given up, too, if the consumer has not asked for it before a newer item comes.
    ///
    /// # Errors
    ///
    /// If `f` or the source fails, the other is stopped, and the error comes after what has been
    /// taken before. If both fail, the errors come as a [`Group`](crate::Group).
    ///
    /// # Panics
    ///
    /// If `f` panics, everything is closed, and the terminal operation panics.
    ///
    /// # With `StreamExt`
    ///
    /// There is no such operator. `select!` in a loop, which is used instead, drops the former call
    /// where it is, while something else may still be under way for it. Here the former query has
    /// been taken back before the next one begins:
    ///
    /// ```
    /// use seedbed::{Yielder, flow, generator, sleep};
    /// use std::{cell::RefCell, time::Duration};
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let typed = generator(async |y: Yielder<&str>| {
    ///     y.yield_("se").await?;
    ///     sleep(Duration::from_millis(100)).await?;
    ///     y.yield_("seed").await.map(drop)
    /// });
    /// let log = RefCell::new(Vec::new());
    /// let search = async |text: &'static str| {
    ///     log.borrow_mut().push(format!("searches {text}"));
    ///     let found = sleep(Duration::from_millis(300)).await;
    ///     if found.is_err() {
    ///         log.borrow_mut().push(format!("takes back {text}"));
    ///     }
    ///     found.map(|()| format!("{text}bed"))
    /// };
    /// let found: Vec<_> = flow(typed).map_latest(search).collect().await?;
    /// assert_eq!(found, ["seedbed"]);
    /// assert_eq!(*log.borrow(), ["searches se", "takes back se", "searches seed"]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn map_latest<U, F>(self, f: F) -> Flow<'a, Beside<U>>
    where
        F: AsyncFn(S::Value) -> Result<U> + 'a,
        U: 'a,
    {
        let place = Location::caller();
        Flow::new(move |tasks| {
            let source = self.start(tasks);
            beside(tasks, place, RENDEZVOUS, async move |outlet| {
                let f = &f;
                let work = outlet.drive(source, async |items| {
                    let workers = nursery::open(place, async |workers: &Nursery<'_, '_>| {
                        let mut current = Current::default();
                        while let Some(item) = items.pull().await? {
                            let scope = current.replaced_by(CancelScope::new()).await?;
                            let worker = async move {
                                let work =
                                    async move |_: &CancelScope| outlet.offer(f(item).await?).await;
                                scope.enter(work).await.map(drop)
                            };
                            current.task = Some(workers.spawn_at(place, worker));
                        }
                        Ok(())
                    });
                    workers.await.map_err(Error::into_single)
                });
                work.await
            })
        })
    }

    /// Turns the newest item into a flow, and gives the items of that. When a newer item comes, the
    /// former flow is stopped and closed. The name is that of Kotlin's `flatMapLatest`; elsewhere
    /// it is known as `switchMap`.
    ///
    /// A flow that waits for something is cancelled there; one that is at a yield is closed as
    /// usual. The newer flow is opened when the former one has been closed, so there is never more
    /// than one; the source waits for that, but not for anything else. An item of the former flow
    /// that was not taken is given up.
    ///
    /// # Errors
    ///
    /// If one of the flows fails, the other one is stopped and closed, and the error comes after
    /// what has been taken before. If both fail, the errors come as a [`Group`](crate::Group).
    ///
    /// # Panics
    ///
    /// If `f` panics, everything is closed, and the terminal operation panics.
    ///
    /// # With `StreamExt`
    ///
    /// There is no such operator, and none could wait for the former stream's clean-up. Here the
    /// former subscription has ended before the next one begins:
    ///
    /// ```
    /// use seedbed::{Yielder, flow, generator, sleep};
    /// use std::{cell::RefCell, rc::Rc, time::Duration};
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let seconds = Duration::from_secs;
    /// let log = Rc::new(RefCell::new(Vec::new()));
    /// let subscribe = |room: &'static str| {
    ///     let log = log.clone();
    ///     flow(generator(async move |y: Yielder<String>| {
    ///         log.borrow_mut().push(format!("enters {room}"));
    ///         let outcome = async {
    ///             for i in 1..=2 {
    ///                 sleep(seconds(2)).await?;
    ///                 y.yield_(format!("{room}: {i}")).await?;
    ///             }
    ///             Ok(())
    ///         }
    ///         .await;
    ///         log.borrow_mut().push(format!("has left {room}"));
    ///         outcome
    ///     }))
    /// };
    /// let rooms = generator(async move |y: Yielder<&str>| {
    ///     y.yield_("hall").await?;
    ///     sleep(seconds(3)).await?;
    ///     y.yield_("kitchen").await.map(drop)
    /// });
    /// let heard: Vec<_> = flow(rooms).flat_map_latest(subscribe).collect().await?;
    /// assert_eq!(heard, ["hall: 1", "kitchen: 1", "kitchen: 2"]);
    /// let expected = ["enters hall", "has left hall", "enters kitchen", "has left kitchen"];
    /// assert_eq!(*log.borrow(), expected);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map_latest<I, F>(self, mut f: F) -> Flow<'a, Beside<I::Value>>
    where
        I: Source + 'a,
        F: FnMut(S::Value) -> Flow<'a, I> + 'a,
    {
        let place = Location::caller();
        Flow::new(move |tasks| {
            let source = self.start(tasks);
            beside(tasks, place, RENDEZVOUS, async move |outlet| {
                // The nursery is outside of the work, so that leaving does not cancel the clean-up
                // of the flow in it.
                nursery::open(place, async |n: &Nursery<'_, '_>| {
                    let driven = outlet.drive(source, async |items| {
                        let mut current = Current::default();
                        while let Some(item) = items.pull().await? {
                            let scope = current.replaced_by(CancelScope::new()).await?;
                            let mut tasks = Tasks::new();
                            let inner = f(item).start(&mut tasks); // foreign code
                            tasks.spawn_in(n);
                            let inner = relay_until_replaced(outlet, scope, inner);
                            current.task = Some(n.spawn_at(place, inner));
                        }
                        Ok(())
                    });
                    outlet.fail_if(driven.await);
                    Ok(())
                })
                .await
            })
        })
    }
}

/// What belongs to the newest item.
#[derive(Default)]
struct Current<'scope> {
    scope: Option<CancelScope>,
    task: Option<Task<'scope, ()>>,
}

impl Current<'_> {
    /// Cancels what runs in the former scope, and waits for its end.
    async fn replaced_by(&mut self, scope: CancelScope) -> Result<CancelScope> {
        if let Some(former) = self.scope.replace(scope.clone()) {
            former.cancel_with("a newer item has come"); // foreign wakers
        }
        if let Some(task) = self.task.take() {
            task.await?;
        }
        Ok(scope)
    }
}

/// Sends a source's items until this scope is cancelled, and closes the source outside of it.
async fn relay_until_replaced<S: Source>(
    outlet: &Outlet<S::Value>,
    scope: CancelScope,
    source: S,
) -> Result<()> {
    let relayed = outlet.drive(source, async |items| {
        let relaying = scope.enter(async |_| {
            while let Some(item) = items.pull().await? {
                outlet.offer(item).await?;
            }
            Ok(())
        });
        relaying.await.map(drop)
    });
    outlet.fail_if(relayed.await);
    Ok(())
}
