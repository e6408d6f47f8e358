//! The receiving end as a stream.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::Result;
use crate::operation::streaming::Streaming;
use crate::threads::channel::recv::Receiving;
use crate::threads::channel::shared::Numbered;
use crate::threads::channel::{ThreadReceiver, Waits};

/// The messages of a [`thread_channel`](crate::thread_channel) as a stream, in a task, until the
/// channel has ended. It comes from [`ThreadReceiver::into_stream`].
///
/// An item is a `Result`: after one `Err(`[`Cancelled`](crate::Cancelled)`)` the stream has ended,
/// so that code which skips errors does not loop for ever. No message is lost by that: a clone of
/// the receiver, if there is one, gets it.
#[must_use = "streams do nothing unless polled"]
pub struct ThreadStream<T> {
    receiver: ThreadReceiver<T>,
    streaming: Streaming<Waits, Option<Numbered<T>>>,
}

impl<T> ThreadReceiver<T> {
    /// Makes the receiver a stream, which stays with the thread of the task that polls it. (A
    /// receiver can go to any thread, and what a task waits with cannot, so it is not a stream
    /// itself. async-channel's is; flume has an `into_stream`, too.)
    ///
    /// ```
    /// use futures::TryStreamExt;
    /// use seedbed::{nursery, thread_channel, to_thread};
    ///
    /// seedbed::run(async {
    ///     let (sender, receiver) = thread_channel(2);
    ///     nursery(async |n| {
    ///         n.spawn(async {
    ///             to_thread(move || (1..=3).try_for_each(|i| sender.blocking_send(i))).await??;
    ///             Ok(())
    ///         });
    ///         let all: Vec<_> = receiver.into_stream().try_collect().await?;
    ///         assert_eq!(all, [1, 2, 3]);
    ///         Ok(())
    ///     })
    ///     .await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn into_stream(self) -> ThreadStream<T> {
        ThreadStream { receiver: self, streaming: Streaming::new() }
    }
}

impl<T> futures_core::Stream for ThreadStream<T> {
    type Item = Result<T>;

    #[track_caller]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let place = Location::caller();
        let ThreadStream { receiver, streaming } = self.get_mut();
        let mut receiving = Receiving { shared: &receiver.shared, place };
        let received = ready!(streaming.poll_next(&mut receiving, cx));
        let message = received.and_then(Result::transpose);
        Poll::Ready(message.map(|received| received.map(|numbered| numbered.message)))
    }
}

// Nothing in it is pinned.
impl<T> Unpin for ThreadStream<T> {}

impl<T> Drop for ThreadStream<T> {
    fn drop(&mut self) {
        let shared = &self.receiver.shared;
        self.streaming.stop(&mut Receiving { shared, place: Location::caller() });
    }
}

impl<T> fmt::Debug for ThreadStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ThreadStream").field(&self.receiver).finish()
    }
}
