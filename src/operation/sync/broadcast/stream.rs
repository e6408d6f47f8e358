//! A receiver as a stream.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::Result;
use crate::operation::sync::broadcast::Receiver;
use crate::operation::sync::until::Until;

/// The messages, until the senders are gone and all has been received. tokio-stream has a
/// `BroadcastStream` for this.
///
/// An item is a `Result`. `Err(`[`Lagged`](super::Lagged)`)` says how many messages this receiver
/// has missed, and the stream goes on with the oldest that is left. After one
/// `Err(`[`Cancelled`](crate::Cancelled)`)` the stream has ended, so that code which skips errors
/// does not loop for ever. [`recv`](Receiver::recv) may be called after that nevertheless: nothing
/// is lost.
///
/// ```
/// use futures::StreamExt;
/// use seedbed::sync::broadcast::{self, Lagged, WhenFull};
///
/// seedbed::run(async {
///     let (sender, mut receiver) = broadcast::channel(2, WhenFull::DropOldest);
///     for i in 1..=3 {
///         sender.send(i).await?;
///     }
///     drop(sender);
///     let lagged = receiver.next().await.unwrap().unwrap_err();
///     assert_eq!(lagged.find::<Lagged>().unwrap().missed(), 1);
///     assert_eq!(receiver.next().await.unwrap()?, 2);
///     assert_eq!(receiver.next().await.unwrap()?, 3);
///     assert!(receiver.next().await.is_none());
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
impl<T: Clone> futures_core::Stream for Receiver<T> {
    type Item = Result<T>;

    #[track_caller]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let place = Location::caller();
        let (news, streaming) = self.get_mut().parts();
        loop {
            match ready!(streaming.poll_next(&mut Until { awaited: news, place }, cx)) {
                None => return Poll::Ready(None),
                Some(Err(cancelled)) => return Poll::Ready(Some(Err(cancelled))),
                Some(Ok(())) => {}
            }
            let next = news.next(place); // foreign code
            // Between two polls `try_recv` may have taken what there was.
            if next.is_some() || news.have_ended() {
                return Poll::Ready(next);
            }
        }
    }
}
