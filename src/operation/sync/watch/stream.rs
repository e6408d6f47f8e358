//! A receiver as a stream.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::Result;
use crate::operation::sync::until::Until;
use crate::operation::sync::watch::Receiver;

/// Clones of the values that this receiver has not seen, until the senders are gone and it has seen
/// the last one. Of values that come while nobody polls it, it sees the latest.
///
/// The first item is the present value only if that was not seen;
/// [`mark_changed`](Receiver::mark_changed) makes it so. This is `WatchStream::new` of
/// tokio-stream then, and `WatchStream::from_changes` otherwise.
///
/// An item is a `Result`: after one `Err(`[`Cancelled`](crate::Cancelled)`)` the stream has ended,
/// so that code which skips errors does not loop for ever. [`changed`](Receiver::changed) may be
/// called after that nevertheless: a value that was not returned still counts as not seen.
///
/// ```
/// use futures::StreamExt;
/// use seedbed::sync::watch;
///
/// seedbed::run(async {
///     let (sender, mut receiver) = watch::channel("starting");
///     receiver.mark_changed();
///     assert_eq!(receiver.next().await.unwrap()?, "starting");
///     sender.send("loading")?;
///     sender.send("ready")?;
///     drop(sender);
///     assert_eq!(receiver.next().await.unwrap()?, "ready");
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
        let (change, streaming) = self.get_mut().parts();
        loop {
            match ready!(streaming.poll_next(&mut Until { awaited: change, place }, cx)) {
                None => return Poll::Ready(None),
                Some(Err(cancelled)) => return Poll::Ready(Some(Err(cancelled))),
                Some(Ok(())) => {}
            }
            let value = change.take(); // foreign code
            // Between two polls it may have been looked at.
            if value.is_some() || change.was_the_last() {
                return Poll::Ready(value.map(Ok));
            }
        }
    }
}
