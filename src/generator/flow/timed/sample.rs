//! The newest, every so often.

use std::cell::Cell;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;

use crate::error::Result;
use crate::generator::flow::closing::{End, Met};
use crate::generator::flow::concurrent::ahead;
use crate::generator::flow::timed::alarm::Alarm;
use crate::generator::flow::{Beside, Flow, Source};
use crate::operation::time::now;

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Gives the newest item every `period`, unless none has come since the last time, and leaves
    /// out the others. At the source's end the newest one comes at once. The name is Kotlin's.
    /// (Kotlin's leaves out the last item if the source ends within a period, so a progress display
    /// may stop short of the end.)
    ///
    /// The source runs in a task of its own and never has to wait: it goes on while the consumer is
    /// busy, and the consumer then gets the newest item there is. The periods begin when the first
    /// item is asked for.
    ///
    /// If the period ends later than an `Instant` can represent, only the last item is given.
    ///
    /// # Errors
    ///
    /// An error of the source comes after the newest item.
    ///
    /// # Panics
    ///
    /// If `period` is zero.
    ///
    /// # With `StreamExt`
    ///
    /// `futures` has no such operator. A `select!` of the next item and a tick drops the wait for an
    /// item at each tick.
    ///
    /// ```
    /// use seedbed::{Yielder, flow, generator, sleep};
    /// use std::time::Duration;
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let progress = generator(async |y: Yielder<u32>| {
    ///     for percent in (0..=100).step_by(10) {
    ///         y.yield_(percent).await?;
    ///         sleep(Duration::from_millis(110)).await?;
    ///     }
    ///     Ok(())
    /// });
    /// let shown: Vec<_> = flow(progress).sample(Duration::from_millis(400)).collect().await?;
    /// assert_eq!(shown, [30, 70, 100]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn sample(self, period: Duration) -> Flow<'a, impl Source<Value = S::Value> + 'a>
    where
        S::Value: 'a,
    {
        assert!(!period.is_zero(), "the period of a sample must not be zero");
        let place = Location::caller();
        let newest = Rc::new(Cell::new(None));
        let here = newest.clone();
        // The task tells of an item only if there is none that the consumer has been told of and has
        // not taken. So with room for two it never has to wait.
        let arrivals = self.filter_map(move |item| {
            let before = here.replace(Some(item));
            before.is_none().then(now) // and here what was replaced is dropped: foreign code
        });
        Flow::new(move |tasks| {
            let source = arrivals.start(tasks);
            Sample {
                arrivals: ahead(tasks, place, 2, source),
                newest,
                waits: Waits::ForItem,
                begun: None,
                period,
                alarm: Alarm::new(place),
                end: End::default(),
            }
        })
    }
}

struct Sample<T> {
    /// When an item arrived where there was none.
    arrivals: Beside<Instant>,
    newest: Rc<Cell<Option<T>>>,
    waits: Waits,
    /// When the first item was asked for.
    begun: Option<Instant>,
    period: Duration,
    /// The end of the period in which an item arrived.
    alarm: Alarm,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    ForItem,
    /// There is an item, which is given when the period ends.
    ForPeriod,
}

impl<T> Unpin for Sample<T> {}

impl<T> Sample<T> {
    /// Sets the alarm to the end of the period in which this instant lies.
    fn set_alarm(&mut self, arrived: Instant) {
        const SECOND: u128 = 1_000_000_000;
        let begun = *self.begun.get_or_insert(arrived);
        let period = self.period.as_nanos();
        let periods = arrived.saturating_duration_since(begun).as_nanos() / period + 1;
        let nanos = period * periods;
        let seconds = u64::try_from(nanos / SECOND).unwrap_or(u64::MAX);
        self.alarm.set(begun, Duration::new(seconds, (nanos % SECOND) as u32));
    }
}

impl<T> Stream for Sample<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let this = self.get_mut();
        if let Some(last) = this.end.take() {
            return Poll::Ready(last);
        }
        this.begun.get_or_insert_with(now);
        loop {
            return Poll::Ready(match Met::from(Pin::new(&mut this.arrivals).poll_item(cx)) {
                Met::Item(arrived) => {
                    this.set_alarm(arrived);
                    this.waits = Waits::ForPeriod;
                    continue;
                }
                Met::Cancelled(cancelled) => Some(Err(cancelled)),
                Met::End(end) => this.end.comes(this.newest.take(), end),
                Met::Nothing if this.waits == Waits::ForItem => return Poll::Pending,
                Met::Nothing => match ready!(this.alarm.poll(cx)) {
                    Ok(()) => {
                        this.waits = Waits::ForItem;
                        this.newest.take().map(Ok)
                    }
                    Err(cancelled) => Some(Err(cancelled)),
                },
            });
        }
    }
}

impl<T> Source for Sample<T> {
    type Value = T;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        this.end.report();
        Pin::new(&mut this.arrivals).poll_close(cx)
    }
}
