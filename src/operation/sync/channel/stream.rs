//! A receiver as a stream.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::Result;
use crate::operation::sync::channel::Receiver;
use crate::operation::sync::channel::recv::Receiving;

impl<T> Receiver<T> {
    /// Receives the next message, as [`recv`](Receiver::recv) does, on behalf of a call at `place`.
    /// The wait stays with the receiver, so dropping whoever polls this loses nothing. After a
    /// cancellation it can be called again.
    pub(crate) fn poll_recv(
        &mut self,
        place: &'static Location<'static>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<T>>> {
        let Receiver { shared, streaming } = self;
        let received = ready!(streaming.poll_one(&mut Receiving { shared, place }, cx));
        Poll::Ready(received.map(|received| received.map(|numbered| numbered.message)))
    }

    /// To be called when the receiver is dropped.
    pub(super) fn stop_streaming(&mut self) {
        let Receiver { shared, streaming } = self;
        streaming.stop(&mut Receiving { shared, place: Location::caller() });
    }
}

/// The messages, until the channel has ended.
///
/// An item is a `Result`: after one `Err(`[`Cancelled`](crate::Cancelled)`)` the stream has ended,
/// so that code which skips errors does not loop for ever. [`recv`](Receiver::recv) may be called
/// after that nevertheless: no message is lost.
///
/// ```
/// use futures::TryStreamExt;
/// use seedbed::channel;
///
/// seedbed::run(async {
///     let (sender, receiver) = channel(3);
///     for i in 1..=3 {
///         sender.send(i).await?;
///     }
///     drop(sender);
///     let all: Vec<_> = receiver.try_collect().await?;
///     assert_eq!(all, [1, 2, 3]);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
impl<T> futures_core::Stream for Receiver<T> {
    type Item = Result<T>;

    #[track_caller]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let place = Location::caller();
        let Receiver { shared, streaming } = self.get_mut();
        let received = ready!(streaming.poll_next(&mut Receiving { shared, place }, cx));
        let message = received.and_then(Result::transpose);
        Poll::Ready(message.map(|received| received.map(|numbered| numbered.message)))
    }
}
