//! Another item for each, several at once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::Location;

use crate::error::{Error, Result};
use crate::generator::flow::beside::{
    Beside, LIMITED_BY_ROOM, Outlet, beside, refuse_zero, room_for,
};
use crate::generator::flow::{Flow, Source};
use crate::nursery::{self, Nursery};
use crate::operation::sync::limiter::Permit;
use crate::scope;

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Turns each item into another, by a function that awaits, with up to `n` calls at once, in
    /// order: it gives what [`then`](Self::then) would, only sooner. This is `map(f).buffered(n)`
    /// of `StreamExt`; Kotlin has nothing like it.
    ///
    /// No more than `n` items are ever begun and not taken. So a slow item at the front holds up
    /// those behind it; if the order does not matter, use
    /// [`buffer_unordered`](Self::buffer_unordered).
    ///
    /// Each call of `f` is a task, and all of them are children of one nursery beside the consumer.
    ///
    /// # Errors
    ///
    /// An error, whether of `f` or of the source, comes at its place in the order: the items before
    /// it come first. From the time that it happens, no further items are begun, and when it has
    /// reached the front, those behind it are cancelled and waited for. If they have failed as
    /// well, all errors come as a [`Group`](crate::Group).
    ///
    /// # Panics
    ///
    /// If `n` is 0. If `f` panics, the other calls are cancelled and everything is closed, and the
    /// terminal operation panics.
    ///
    /// # With `StreamExt`
    ///
    /// There, the futures of `f` stop where they are while the consumer does something else. Here
    /// one of them had the lock that the consumer waits for, which is why the program never ended:
    ///
    /// ```
    /// use seedbed::{flow, sleep, sync::Mutex};
    /// use std::time::Duration;
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let connection = Mutex::new(());
    /// let fetch = async |page: u32| {
    ///     let _guard = connection.lock().await?;
    ///     sleep(Duration::from_millis(10)).await?; // stopped here for ever
    ///     Ok(page * 10)
    /// };
    /// let mut saved = Vec::new();
    /// flow::from_iter(1..=4)
    ///     .buffered(3, fetch)
    ///     .for_each(async |answer| {
    ///         let _guard = connection.lock().await?;
    ///         saved.push(answer);
    ///         Ok(())
    ///     })
    ///     .await?;
    /// assert_eq!(saved, [10, 20, 30, 40]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn buffered<U, F>(self, n: usize, f: F) -> Flow<'a, Beside<U>>
    where
        F: AsyncFn(S::Value) -> Result<U> + 'a,
        U: 'a,
    {
        let place = Location::caller();
        refuse_zero(n, place);
        Flow::new(move |tasks| {
            let source = self.start(tasks);
            beside(tasks, place, LIMITED_BY_ROOM, async move |outlet| {
                let (limit, line) = (room_for(n, place), Line::default());
                let (f, line) = (&f, &line);
                let work = outlet.drive(source, async |items| {
                    let workers = nursery::open(place, async |workers: &Nursery<'_, '_>| {
                        loop {
                            let room = outlet.room(&limit).await?;
                            if line.has_failed() {
                                return Ok(());
                            }
                            let item = match items.pull().await {
                                Ok(Some(item)) => item,
                                Ok(None) => return Ok(()),
                                Err(error) => {
                                    let error = unless_cancelled(error)?;
                                    line.settle(line.join(), Err(error), outlet);
                                    return Ok(());
                                }
                            };
                            let number = line.join();
                            let worker = async move {
                                let made = match f(item).await {
                                    Ok(made) => Ok((made, room)),
                                    Err(error) => Err(unless_cancelled(error)?),
                                };
                                line.settle(number, made, outlet);
                                Ok(())
                            };
                            drop(workers.spawn_at(place, worker));
                        }
                    });
                    workers.await.map_err(Error::into_single)
                });
                work.await
            })
        })
    }

    /// Turns each item into another, by a function that awaits, with up to `n` calls at once, and
    /// gives the results as they are ready. This is `map(f).buffer_unordered(n)` of `StreamExt`; in
    /// Kotlin it would be a `flatMapMerge`.
    ///
    /// No more than `n` items are ever begun and not taken. Each call of `f` is a task, and all of
    /// them are children of one nursery beside the consumer.
    ///
    /// # Errors
    ///
    /// If `f` or the source fails, the other calls of `f` are cancelled and waited for, and the
    /// error comes after the items that were ready before. If others fail as well, the errors come
    /// as a [`Group`](crate::Group).
    ///
    /// # Panics
    ///
    /// If `n` is 0. If `f` panics, the other calls are cancelled and everything is closed, and the
    /// terminal operation panics.
    ///
    /// # With `StreamExt`
    ///
    /// There, a consumer that leaves drops what `f` is doing, so clean-up that awaits does not
    /// happen, or happens later in the background. Here it has happened when the flow returns:
    ///
    /// ```
    /// use seedbed::{Error, flow, sleep};
    /// use std::{cell::Cell, time::Duration};
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let open = Cell::new(0);
    /// let connect = async |host: u64| {
    ///     open.set(open.get() + 1);
    ///     let connected = sleep(Duration::from_secs(host)).await;
    ///     open.set(open.get() - 1); // clean-up: after a cancellation, too
    ///     connected.map(|()| host)
    /// };
    /// let fastest = flow::from_iter([5, 3, 4]).buffer_unordered(3, connect).first().await?;
    /// assert_eq!(fastest, Some(3));
    /// assert_eq!(open.get(), 0);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn buffer_unordered<U, F>(self, n: usize, f: F) -> Flow<'a, Beside<U>>
    where
        F: AsyncFn(S::Value) -> Result<U> + 'a,
        U: 'a,
    {
        let place = Location::caller();
        refuse_zero(n, place);
        Flow::new(move |tasks| {
            let source = self.start(tasks);
            beside(tasks, place, LIMITED_BY_ROOM, async move |outlet| {
                let (limit, f) = (room_for(n, place), &f);
                let work = outlet.drive(source, async |items| {
                    let workers = nursery::open(place, async |workers: &Nursery<'_, '_>| {
                        loop {
                            let room = outlet.room(&limit).await?;
                            let Some(item) = items.pull().await? else { return Ok(()) };
                            let worker = async move {
                                outlet.give(room, f(item).await?);
                                Ok(())
                            };
                            drop(workers.spawn_at(place, worker));
                        }
                    });
                    workers.await.map_err(Error::into_single)
                });
                work.await
            })
        })
    }
}

/// Tells a failure from a cancellation of the scope that this is called in, which goes on its way.
fn unless_cancelled(error: Error) -> Result<Error> {
    if error.is_cancelled() && scope::is_cancelled() { Err(error) } else { Ok(error) }
}

/// Items that are being made, in their order.
struct Line<T>(RefCell<InLine<T>>);

struct InLine<T> {
    /// Nothing while an item is being made.
    items: VecDeque<Option<Made<T>>>,
    /// The number of the first of them.
    first: usize,
    state: State,
}

type Made<T> = Result<(T, Permit)>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Goes,
    /// Something has failed, and may not have reached the front yet.
    Failed,
    /// It has. What is ready now does not come any more.
    Over,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Line(RefCell::new(InLine { items: VecDeque::new(), first: 0, state: State::Goes }))
    }
}

impl<T> Line<T> {
    fn has_failed(&self) -> bool {
        self.0.borrow().state != State::Goes
    }

    /// Returns the number of an item that joins the line.
    fn join(&self) -> usize {
        let mut line = self.0.borrow_mut();
        line.items.push_back(None);
        line.first + line.items.len() - 1
    }

    /// An item has been made, or not. Gives those that are ready at the front.
    fn settle(&self, number: usize, made: Made<T>, outlet: &Outlet<T>) {
        {
            let mut line = self.0.borrow_mut();
            if made.is_err() && line.state == State::Goes {
                line.state = State::Failed;
            }
            let index = number - line.first;
            line.items[index] = Some(made);
        }
        while let Some(made) = self.next() {
            match made {
                Ok((item, room)) => outlet.give(room, item), // foreign code
                Err(error) => outlet.fail(error),            // foreign code
            }
        }
    }

    /// Takes what is ready at the front. When that is an error, it takes all the errors that there
    /// are behind it, and no items.
    fn next(&self) -> Option<Made<T>> {
        let mut line = self.0.borrow_mut();
        if line.state == State::Over {
            let failed = line.items.iter().position(|made| matches!(made, Some(Err(_))))?;
            return line.items[failed].take();
        }
        line.items.front()?.as_ref()?;
        line.first += 1;
        let made = line.items.pop_front().flatten();
        if let Some(Err(_)) = made {
            line.state = State::Over;
        }
        made
    }
}
