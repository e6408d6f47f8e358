//! Only what settles.

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
use crate::operation::time::now;

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Gives an item once the time `quiet` has passed without a newer one, and leaves out all
    /// others. At the source's end the last item comes at once. The name and meaning are Kotlin's.
    ///
    /// The source runs in a task of its own. While the consumer is busy with an item, the source is
    /// at most one item ahead, and has to wait then: so none that has settled is left out. The quiet
    /// time of an item begins when the source can go on to the next one.
    ///
    /// With a quiet time of zero, nothing is left out. If it ends later than an `Instant` can
    /// represent, only the last item is given.
    ///
    /// # Errors
    ///
    /// An error of the source comes after the item that was still to settle.
    ///
    /// # With `StreamExt`
    ///
    /// `futures` has no such operator, as it would need a clock. What is written by hand, a
    /// `select!` of the next item and a timer, drops one of them each time. If the source is a
    /// lookup in progress, it begins from the start with every key that is pressed.
    ///
    /// ```
    /// use seedbed::{Yielder, flow, generator, sleep};
    /// use std::time::Duration;
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let keys = generator(async |y: Yielder<&str>| {
    ///     for (text, pause) in [("s", 90), ("se", 90), ("see", 1010), ("seed", 10)] {
    ///         y.yield_(text).await?;
    ///         sleep(Duration::from_millis(pause)).await?;
    ///     }
    ///     Ok(())
    /// });
    /// let searches: Vec<_> = flow(keys).debounce(Duration::from_secs(1)).collect().await?;
    /// assert_eq!(searches, ["see", "seed"]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn debounce(self, quiet: Duration) -> Flow<'a, impl Source<Value = S::Value> + 'a> {
        let place = Location::caller();
        Flow::new(move |tasks| {
            let source = self.start(tasks);
            Debounce {
                arrivals: arrivals(tasks, place, 1, source),
                newest: None,
                quiet,
                alarm: Alarm::new(place),
                end: End::default(),
            }
        })
    }
}

struct Debounce<T> {
    arrivals: Beside<(Instant, T)>,
    /// The item that is given if no newer one comes.
    newest: Option<T>,
    quiet: Duration,
    /// When `newest` has settled.
    alarm: Alarm,
    end: End,
}

impl<T> Unpin for Debounce<T> {}

impl<T> Stream for Debounce<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let this = self.get_mut();
        if let Some(last) = this.end.take() {
            return Poll::Ready(last);
        }
        loop {
            return Poll::Ready(match Met::from(Pin::new(&mut this.arrivals).poll_item(cx)) {
                Met::Item((arrived, item)) => {
                    let settled = this.newest.is_some() && this.alarm.is_due(arrived);
                    let before = this.newest.replace(item);
                    // Only now is the source asked again, so a newer one cannot have come yet.
                    this.alarm.set(now(), this.quiet);
                    if settled {
                        before.map(Ok)
                    } else {
                        drop(before); // foreign code
                        continue;
                    }
                }
                Met::Cancelled(cancelled) => Some(Err(cancelled)),
                Met::End(end) => this.end.comes(this.newest.take(), end),
                Met::Nothing if this.newest.is_none() => return Poll::Pending,
                Met::Nothing => match ready!(this.alarm.poll(cx)) {
                    Ok(()) => this.newest.take().map(Ok),
                    Err(cancelled) => Some(Err(cancelled)),
                },
            });
        }
    }
}

impl<T> Source for Debounce<T> {
    type Value = T;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        this.end.report();
        Pin::new(&mut this.arrivals).poll_close(cx)
    }
}
