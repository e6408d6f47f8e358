//! The sending end as a sink.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{Error, Result};
use crate::operation::streaming::Sinking;
use crate::operation::sync::channel::Closed;
use crate::threads::channel::send::Sending;
use crate::threads::channel::{ThreadSender, Waits};

/// The sending end of a [`thread_channel`](crate::thread_channel) as a sink, in a task. It comes
/// from [`ThreadSender::into_sink`].
///
/// It is a sink as a [`Sender`](crate::Sender) of channels between tasks is one. Being ready means
/// having reserved a place, so all waiting happens before the sink is given a message, and a
/// cancellation loses none: what is not sent is still the caller's. (The exception is a sink whose
/// last receiver goes after it was ready: `start_send` then fails with [`Closed`], and drops the
/// message.) While it has a place and no message comes, the channel does not end. Flushing has
/// nothing to do.
///
/// Closing it (`SinkExt::close`) ends this sender only, as dropping it does.
#[must_use = "sinks do nothing unless polled"]
pub struct ThreadSink<T> {
    /// `None` once it is closed.
    sender: Option<ThreadSender<T>>,
    sinking: Sinking<Waits>,
}

impl<T> ThreadSender<T> {
    /// Makes the sender a sink, which stays with the thread of the task that polls it. (A sender
    /// can go to any thread, and what a task waits with cannot, so it is not a sink itself.)
    ///
    /// ```
    /// use futures::{SinkExt, StreamExt, stream};
    /// use seedbed::{nursery, thread_channel, to_thread};
    ///
    /// seedbed::run(async {
    ///     let (sender, receiver) = thread_channel(2);
    ///     nursery(async |n| {
    ///         n.spawn(async move {
    ///             let mut sink = sender.into_sink();
    ///             sink.send_all(&mut stream::iter(1..=5).map(Ok)).await
    ///         });
    ///         let sum = to_thread(move || -> seedbed::Result<i32> {
    ///             let mut sum = 0;
    ///             while let Some(number) = receiver.blocking_recv()? {
    ///                 sum += number;
    ///             }
    ///             Ok(sum)
    ///         });
    ///         assert_eq!(sum.await??, 15);
    ///         Ok(())
    ///     })
    ///     .await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn into_sink(self) -> ThreadSink<T> {
        ThreadSink { sender: Some(self), sinking: Sinking::new() }
    }
}

impl<T> ThreadSink<T> {
    fn leave(&mut self) {
        if let (Some(sender), Some(stage)) = (self.sender.take(), self.sinking.close()) {
            let mut reserving = Sending::reserving(&sender.shared, Location::caller());
            self.sinking.give_up(stage, &mut reserving); // foreign code
        }
    }
}

impl<T> futures_sink::Sink<T> for ThreadSink<T> {
    type Error = Error;

    #[track_caller]
    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let place = Location::caller();
        let ThreadSink { sender, sinking } = self.get_mut();
        match sender {
            Some(sender) => sinking.poll_ready(&mut Sending::reserving(&sender.shared, place), cx),
            None => Poll::Ready(Err(Error::from(Closed).at(place))),
        }
    }

    #[track_caller]
    fn start_send(self: Pin<&mut Self>, message: T) -> Result<()> {
        let place = Location::caller();
        let ThreadSink { sender, sinking } = self.get_mut();
        sinking.use_place(place)?;
        let Some(sender) = sender else { return Err(Error::from(Closed).at(place)) };
        let sent = sender.shared.with(|state, wakes| state.send_reserved(message, wakes));
        sent.map_err(|_| Error::from(Closed).at(place))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().leave();
        Poll::Ready(Ok(()))
    }
}

// Nothing in it is pinned.
impl<T> Unpin for ThreadSink<T> {}

impl<T> Drop for ThreadSink<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<T> fmt::Debug for ThreadSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ThreadSink").field(&self.sender).finish()
    }
}
