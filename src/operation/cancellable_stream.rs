//! Streams and sinks from other crates.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use pin_project_lite::pin_project;

use crate::error::{Cancelled, Error, Result};
use crate::operation::paid::Paid;
use crate::scope::current::{in_scope, with_scope};
use crate::scope::tree::pool::ScopeRef;
use crate::scope::watch::Watch;

pin_project! {
    /// The stream or sink of [`cancellable_stream`].
    pub struct CancellableStream<S> {
        #[pin]
        stream: S,
        reading: Direction,
        writing: Direction,
        // The stream is polled in here, where nothing is ever cancelled.
        calm: ScopeRef,
        // The cancellation that the last item was, if it was one.
        told: Option<Cancelled>,
    }
}

/// What is known about the operations in one direction.
struct Direction {
    paid: Paid,
    /// Armed while an operation waits, or has been dropped while it did.
    watch: Watch,
}

impl Direction {
    const fn new() -> Direction {
        Direction { paid: Paid::new(), watch: Watch::new() }
    }

    /// Polls the stream where nothing is cancelled. Looks for cancellation before, so `Cancelled`
    /// means that it was not polled, and again if it has to wait.
    fn operate<T>(
        &mut self,
        cx: &mut Context<'_>,
        calm: &ScopeRef,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<Result<T>>,
    ) -> Poll<Result<T>> {
        let Direction { paid, watch } = self;
        let polled = paid.operate(cx, |cx| {
            if watch.is_armed() {
                // A cancellation counts if it came during the wait, which begins here if the last
                // one was in another scope.
                watch.arm(cx);
                watch.check()?;
            }
            let polled = in_scope(calm, || poll(cx));
            if polled.is_pending() {
                watch.arm(cx);
                // The stream, which is foreign code, may have cancelled the scope.
                watch.check()?;
            }
            polled
        });
        if polled.is_ready() {
            watch.disarm();
        }
        polled
    }
}

/// Makes a stream or a sink that knows nothing of cancel scopes respond to them, and survive it:
/// when its scope is cancelled, `next` and `feed` fail with [`Cancelled`](crate::Cancelled), and
/// outside that scope they go on where they were.
///
/// It is meant for state machines of other crates over streams of bytes, such as a WebSocket or a
/// codec's `Framed`. To these an error of the stream underneath is the end, and a `Cancelled` that
/// comes as an [`io::Error`](std::io::Error) is an error like any other: after one time limit
/// around `next` such a state machine returns nothing more. Here it never sees one. Each poll looks
/// for cancellation first, and then polls what is inside as if a [shield](crate::CancelScope::shield)
/// were around it. What a cancelled `next` has read so far stays inside, so no part of a message is
/// lost.
///
/// To do the same for a single future, use [`cancellable`](crate::cancellable).
///
/// ```
/// use futures::StreamExt;
/// use futures::io::{AsyncBufReadExt, BufReader};
/// use seedbed::{cancellable_stream, move_on_after, net::UnixStream};
/// use std::time::Duration;
///
/// # let clock = seedbed::testing::VirtualClock::new();
/// # seedbed::Builder::new().clock(&clock).run(async {
/// let (ours, theirs) = UnixStream::pair()?;
/// let mut lines = cancellable_stream(BufReader::new(ours).lines());
/// theirs.write_all(b"half a").await?;
/// // Nothing comes within a second.
/// assert_eq!(move_on_after(Duration::from_secs(1), async { lines.next().await.transpose() }).await?, None);
/// theirs.write_all(b" line\n").await?;
/// assert_eq!(lines.next().await.transpose()?, Some("half a line".to_owned()));
/// # Ok(())
/// # })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// # As a stream
///
/// The items of the stream have to be `Result`s; errors are converted into
/// [`Error`](crate::Error). Each item is a [checkpoint](crate::checkpoint()), also if it could be
/// had at once. If that is cancelled, the next item is an `Err` with the `Cancelled`, and nothing
/// has been taken from the stream. As long as this same cancellation is around, there is nothing
/// more after that: code that skips errors comes to an end. Then the stream goes on.
///
/// # As a sink
///
/// Getting ready, flushing and closing are checkpoints. `SinkExt::feed` has sent its item, or has
/// failed with `Cancelled`, never both. `flush` and `close` can be called again, and go on. `send`
/// is `feed` and then `flush`: if it is cancelled, the item may have been accepted, and goes out
/// with the next flush. Where that matters, call the two.
///
/// # In two halves
///
/// Reading and writing may be done by two tasks, each in scopes of its own. Use the two halves that
/// the other crate offers, each with a `cancellable_stream` around it, or `StreamExt::split`.
#[track_caller]
pub fn cancellable_stream<S>(stream: S) -> CancellableStream<S> {
    let calm = ScopeRef::new(Location::caller());
    calm.set_shield(true);
    let (reading, writing) = (Direction::new(), Direction::new());
    CancellableStream { stream, reading, writing, calm, told: None }
}

impl<S> CancellableStream<S> {
    /// The stream inside.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream inside. What is awaited on it directly sees a cancellation in whatever way the
    /// streams underneath tell it: put that into [`cancellable`](crate::cancellable).
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Returns the stream.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Polls the side that writes.
    fn poll_writing<E: Into<Error>>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<Result<(), E>>,
    ) -> Poll<Result<()>> {
        let this = self.project();
        let place = this.calm.place();
        this.writing.operate(cx, this.calm, |cx| {
            poll(this.stream, cx).map_err(|error| error.into().at(place))
        })
    }
}

/// Why an operation fails here, if it does.
fn cause() -> Option<Cancelled> {
    with_scope(|scope| scope.filter(|scope| scope.is_cancelled())?.cause())
}

impl<S, T, E> Stream for CancellableStream<S>
where
    S: Stream<Item = Result<T, E>>,
    E: Into<Error>,
{
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let this = self.project();
        if let Some(told) = this.told.take()
            && cause().is_some_and(|cause| cause.is_same(&told))
        {
            *this.told = Some(told);
            return Poll::Ready(None);
        }
        let place = this.calm.place();
        let outcome = ready!(this.reading.operate(cx, this.calm, |cx| {
            let polled = this.stream.poll_next(cx);
            polled.map(|item| item.transpose().map_err(|error| error.into().at(place)))
        }));
        if outcome.as_ref().is_err_and(Error::is_cancelled) {
            *this.told = cause();
        }
        Poll::Ready(outcome.transpose())
    }
}

impl<S, T> Sink<T> for CancellableStream<S>
where
    S: Sink<T, Error: Into<Error>>,
{
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_writing(cx, |sink, cx| sink.poll_ready(cx))
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> Result<()> {
        let this = self.project();
        in_scope(this.calm, || this.stream.start_send(item))
            .map_err(|error| error.into().at(this.calm.place()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_writing(cx, |sink, cx| sink.poll_flush(cx))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_writing(cx, |sink, cx| sink.poll_close(cx))
    }
}

impl<S: fmt::Debug> fmt::Debug for CancellableStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancellableStream").field("stream", &self.stream).finish_non_exhaustive()
    }
}
