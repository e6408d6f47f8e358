//! Not too fast.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::error::Result;
use crate::generator::flow::timed::alarm::Alarm;
use crate::generator::flow::{Flow, Source};
use crate::operation::time::now;

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Gives items at least `pause` apart. None is left out: the source has to wait. The first one
    /// comes at once. The name is that of tokio-stream's `throttle`. (To leave items out, use
    /// [`sample`](Self::sample), which gives the newest, or [`debounce`](Self::debounce).)
    ///
    /// The pause begins when an item is given. If the consumer takes longer than that, it gets the
    /// next one at once; it is not given several in a row to catch up. When it asks sooner, the
    /// source makes the next item during what is left of the pause. The end and an error are not
    /// held back.
    ///
    /// A pause of zero has no effect. One that would end later than an `Instant` can represent
    /// never ends.
    ///
    /// ```
    /// use seedbed::{flow, now};
    /// use std::time::Duration;
    ///
    /// # let clock = seedbed::testing::VirtualClock::new();
    /// # seedbed::Builder::new().clock(&clock).run(async {
    /// let start = now();
    /// let requests = flow::from_iter(["a", "b", "c"]).throttle(Duration::from_secs(1));
    /// assert_eq!(requests.count().await?, 3);
    /// assert_eq!(now() - start, Duration::from_secs(2));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn throttle(self, pause: Duration) -> Flow<'a, impl Source<Value = S::Value> + 'a> {
        let alarm = Alarm::new(Location::caller());
        self.wrap(move |source| Throttle { source, item: None, pause, alarm })
    }
}

pin_project! {
    struct Throttle<S: Source> {
        #[pin]
        source: S,
        // The next item, which has to wait.
        item: Option<S::Value>,
        pause: Duration,
        alarm: Alarm,
    }
}

impl<S: Source> Stream for Throttle<S> {
    type Item = Result<S::Value>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if this.item.is_none() {
            match ready!(this.source.poll_item(cx)) {
                Some(Ok(item)) => *this.item = Some(item),
                end => return Poll::Ready(end),
            }
        }
        if let Err(cancelled) = ready!(this.alarm.poll(cx)) {
            return Poll::Ready(Some(Err(cancelled)));
        }
        this.alarm.set(now(), *this.pause);
        Poll::Ready(this.item.take().map(Ok))
    }
}

impl<S: Source> Source for Throttle<S> {
    type Value = S::Value;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.project().source.poll_close(cx)
    }
}
