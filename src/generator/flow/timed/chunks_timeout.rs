//! Several items as one, but not too late.

use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;

use crate::error::Result;
use crate::generator::flow::closing::{End, Met};
use crate::generator::flow::timed::alarm::Alarm;
use crate::generator::flow::timed::arrivals::arrivals;
use crate::generator::flow::{Beside, Flow, Source};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Gives `n` items at a time, or fewer, if the first of them arrived `limit` ago. A chunk is
    /// never empty. At the source's end those that are left come at once. The name is that of
    /// tokio-stream's `chunks_timeout`.
    ///
    /// The source runs in a task of its own, and up to `n` items ahead: while the consumer is busy
    /// with a chunk, the next one grows. The time of a chunk begins when its first item arrives, not
    /// when it is asked for. So no item waits here for longer than the limit, unless the consumer is
    /// busy.
    ///
    /// With a limit of zero, a chunk is whatever has arrived. If the limit ends later than an
    /// `Instant` can represent, chunks are given when they are full.
    ///
    /// # Errors
    ///
    /// An error of the source comes after a chunk of the items before it. A cancellation comes at
    /// once; the items stay, in case the consumer goes on.
    ///
    /// # Panics
    ///
    /// If `n` is 0.
    ///
    /// # With `StreamExt`
    ///
    /// In tokio-stream the source is polled only while the consumer waits for a chunk. If it is
    /// waiting for a lock when a chunk is due, and the consumer wants the same lock to store the
    /// chunk, the source is given the lock, is not polled, and both wait for ever. Here it goes on:
    ///
    /// ```
    /// use seedbed::{CapacityLimiter, Yielder, flow, generator, sleep};
    /// use std::time::Duration;
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let database = CapacityLimiter::new(1);
    /// let same = database.clone();
    /// let events = generator(async move |y: Yielder<u32>| {
    ///     for i in 0..5 {
    ///         y.yield_(i).await?;
    ///         let connection = same.acquire().await?;
    ///         sleep(Duration::from_millis(40)).await?;
    ///         drop(connection);
    ///     }
    ///     Ok(())
    /// });
    /// let mut stored = Vec::new();
    /// flow(events)
    ///     .chunks_timeout(100, Duration::from_millis(60))
    ///     .for_each(async |chunk| {
    ///         let _connection = database.acquire().await?; // the source has it just now
    ///         stored.push(chunk);
    ///         Ok(())
    ///     })
    ///     .await?;
    /// assert_eq!(stored, [vec![0, 1], vec![2, 3], vec![4]]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn chunks_timeout(
        self,
        n: usize,
        limit: Duration,
    ) -> Flow<'a, impl Source<Value = Vec<S::Value>> + 'a> {
        assert!(n > 0, "a chunk of 0 items would never end");
        let place = Location::caller();
        Flow::new(move |tasks| {
            let source = self.start(tasks);
            ChunksTimeout {
                arrivals: arrivals(tasks, place, n, source),
                n,
                limit,
                chunk: Vec::new(),
                alarm: Alarm::new(place),
                end: End::default(),
            }
        })
    }
}

struct ChunksTimeout<T> {
    arrivals: Beside<(Instant, T)>,
    n: usize,
    limit: Duration,
    chunk: Vec<T>,
    /// When the chunk is given, if it is not full before.
    alarm: Alarm,
    end: End,
}

impl<T> Unpin for ChunksTimeout<T> {}

impl<T> Stream for ChunksTimeout<T> {
    type Item = Result<Vec<T>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Vec<T>>>> {
        let this = self.get_mut();
        if let Some(last) = this.end.take() {
            return Poll::Ready(last);
        }
        while this.chunk.len() < this.n {
            match Met::from(Pin::new(&mut this.arrivals).poll_item(cx)) {
                Met::Item((arrived, item)) => {
                    if this.chunk.is_empty() {
                        this.alarm.set(arrived, this.limit);
                    }
                    this.chunk.push(item);
                }
                Met::Cancelled(cancelled) => return Poll::Ready(Some(Err(cancelled))),
                Met::End(end) => {
                    let last = mem::take(&mut this.chunk);
                    let last = (!last.is_empty()).then_some(last);
                    return Poll::Ready(this.end.comes(last, end));
                }
                Met::Nothing if this.chunk.is_empty() => return Poll::Pending,
                Met::Nothing => match ready!(this.alarm.poll(cx)) {
                    Ok(()) => break,
                    Err(cancelled) => return Poll::Ready(Some(Err(cancelled))),
                },
            }
        }
        Poll::Ready(Some(Ok(mem::take(&mut this.chunk))))
    }
}

impl<T> Source for ChunksTimeout<T> {
    type Value = Vec<T>;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        this.end.report();
        Pin::new(&mut this.arrivals).poll_close(cx)
    }
}
