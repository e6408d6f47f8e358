//! Streams of other crates as sources.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::error::{Error, Result};
use crate::generator::flow::{Flow, Source};
use crate::operation::skeleton::{Look, Operation, Registered, Shown, Steps, Tried, When};
use crate::operation::waiters::Kept;
use crate::scope::watch::Watch;

/// A flow of the items of any stream.
///
/// Getting an item is a checkpoint. A cancellation ends the wait for it, and leaves the stream as
/// it is. Closing the flow drops the stream: nothing else can be done with a stream of another
/// crate, so one that has something to await at its end should be a
/// [`generator`](crate::generator()).
///
/// ```
/// use futures::stream;
/// use seedbed::flow;
///
/// seedbed::run(async {
///     let all: Vec<_> = flow::from_stream(stream::iter(1..=3)).map(|i| i * 10).collect().await?;
///     assert_eq!(all, [10, 20, 30]);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn from_stream<'a, S>(stream: S) -> Flow<'a, FromStream<S>>
where
    S: Stream + 'a,
{
    let place = Location::caller();
    Flow::new(move |_| FromStream::new(stream, place))
}

/// A flow of the items of any stream of `Result`s. The flow ends after an error. Otherwise this is
/// like [`from_stream`].
///
/// ```
/// use futures::stream;
/// use seedbed::flow;
/// use std::io;
///
/// seedbed::run(async {
///     let lines = stream::iter([Ok("one"), Err(io::Error::other("torn page"))]);
///     let mut read = Vec::new();
///     let torn = flow::from_try_stream(lines).for_each(async |line| {
///         read.push(line);
///         Ok(())
///     });
///     assert!(torn.await.unwrap_err().is::<io::Error>());
///     assert_eq!(read, ["one"]);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[track_caller]
pub fn from_try_stream<'a, S, T, E>(stream: S) -> Flow<'a, FromTryStream<S>>
where
    S: Stream<Item = Result<T, E>> + 'a,
    Error: From<E>,
{
    let place = Location::caller();
    Flow::new(move |_| FromTryStream { stream: FromStream::new(stream, place) })
}

pin_project! {
    /// The source made by [`from_stream`].
    #[must_use = "streams do nothing unless polled"]
    pub struct FromStream<S: Stream> {
        // `None` once it is closed.
        #[pin]
        stream: Option<S>,
        steps: Steps<Watch, Option<S::Item>>,
        place: &'static Location<'static>,
    }
}

impl<S: Stream> FromStream<S> {
    fn new(stream: S, place: &'static Location<'static>) -> Self {
        FromStream { stream: Some(stream), steps: Steps::new(), place }
    }
}

impl<S: Stream> Stream for FromStream<S> {
    type Item = Result<S::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let Some(stream) = this.stream.as_pin_mut() else { return Poll::Ready(None) };
        let next = ready!(this.steps.poll(&mut Next { stream, place: this.place }, cx));
        *this.steps = Steps::new();
        Poll::Ready(next.transpose())
    }
}

impl<S: Stream> Source for FromStream<S> {
    type Value = S::Item;

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        let mut this = self.project();
        this.stream.set(None); // foreign code
        Poll::Ready(Ok(()))
    }
}

/// Waiting for the next item of a stream that knows nothing of cancellations.
struct Next<'a, S> {
    stream: Pin<&'a mut S>,
    place: &'static Location<'static>,
}

impl<S: Stream> Operation for Next<'_, S> {
    const NAME: &'static str = "flow::from_stream";
    // What the stream waits for may be an operation of this crate, which is more informative.
    const IS_SHOWN: Shown = Shown::Inside;
    const COUNTS_WHEN_CANCELLED: u8 = 1;

    type Got = Option<S::Item>;
    type Wait = Watch;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn attempt(&mut self, _: When, cx: &mut Context<'_>) -> Tried<Self::Got> {
        match self.stream.as_mut().poll_next(cx) {
            Poll::Ready(next) => Tried::Done(next),
            Poll::Pending => Tried::Waits,
        }
    }

    fn register(&mut self, cx: &Context<'_>, _: &mut Kept) -> Registered<Watch> {
        let mut watch = Watch::armed(cx);
        // The stream itself may have cancelled the scope.
        match watch.check() {
            Ok(()) => Registered::Waits(watch),
            Err(error) => {
                watch.disarm();
                Registered::Failed(error)
            }
        }
    }

    fn look(&mut self, watch: &mut Watch, cx: &mut Context<'_>) -> Look<Self::Got> {
        watch.arm(cx);
        let mut outcome = watch.check();
        if outcome.is_ok() {
            if let Poll::Ready(next) = self.stream.as_mut().poll_next(cx) {
                watch.disarm();
                return Look::Got(next);
            }
            watch.arm(cx);
            outcome = watch.check();
        }
        match outcome {
            Ok(()) => Look::Waits,
            Err(error) => {
                watch.disarm();
                Look::Cancelled(error, None)
            }
        }
    }

    fn leave(&mut self, _: &mut Watch) {}
}

pin_project! {
    /// The source made by [`from_try_stream`].
    #[must_use = "streams do nothing unless polled"]
    pub struct FromTryStream<S: Stream> {
        #[pin]
        stream: FromStream<S>,
    }
}

impl<S, T, E> Stream for FromTryStream<S>
where
    S: Stream<Item = Result<T, E>>,
    Error: From<E>,
{
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let next = ready!(self.project().stream.poll_next(cx));
        Poll::Ready(next.map(|item| Ok(item??)))
    }
}

impl<S, T, E> Source for FromTryStream<S>
where
    S: Stream<Item = Result<T, E>>,
    Error: From<E>,
{
    type Value = T;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.project().stream.poll_close(cx)
    }
}
