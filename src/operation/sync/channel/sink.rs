//! A sender as a sink.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::panic::FirstPanic;
use crate::error::{Error, Result};
use crate::operation::streaming::Stage;
use crate::operation::sync::channel::reserve::Reserving;
use crate::operation::sync::channel::{Closed, Sender};

impl<T> Sender<T> {
    /// From now on this is not one of the channel's senders. Closes the channel if it was the last.
    #[inline]
    pub(super) fn leave(&mut self) {
        let Some(stage) = self.sinking.close() else { return };
        let mut panic = FirstPanic::new();
        if stage != Stage::Idle {
            panic.catch(|| {
                let mut reserving = Reserving { shared: &self.shared, place: Location::caller() };
                self.sinking.give_up(stage, &mut reserving); // foreign code
            });
        }
        self.shared.open_senders.set(self.shared.open_senders.get() - 1);
        if self.shared.open_senders.get() == 0 {
            panic.catch(|| self.shared.close()); // foreign code
        }
        panic.resume();
    }
}

/// Messages can be sent through a sender as into any sink: `SinkExt::send_all`, `forward`, `with`.
///
/// Being ready means having [reserved](Sender::reserve) a place. So all waiting happens before the
/// sink is given a message, and a cancellation loses none: what is not sent is still the caller's.
/// (The exception is a sink whose last receiver goes after it was ready: `start_send` then fails
/// with [`Closed`], and drops the message.) While it has a place and no message comes, the channel
/// does not end. Flushing has nothing to do.
///
/// Closing the sink (`SinkExt::close`) ends this sender only, as dropping it would, and gives up
/// its place. [`Sender::close`], which is what `sender.close()` calls, ends the channel.
///
/// ```
/// use futures::{SinkExt, StreamExt, stream};
/// use seedbed::{channel, nursery};
///
/// seedbed::run(async {
///     let (mut sender, receiver) = channel(2);
///     nursery(async |n| {
///         n.spawn(async move {
///             let mut numbers = stream::iter(1..=5).map(Ok);
///             sender.send_all(&mut numbers).await // the sender is dropped, which ends the channel
///         });
///         let mut sum = 0;
///         while let Some(number) = receiver.recv().await? {
///             sum += number;
///         }
///         assert_eq!(sum, 15);
///         Ok(())
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
impl<T> futures_sink::Sink<T> for Sender<T> {
    type Error = Error;

    #[track_caller]
    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let place = Location::caller();
        let Sender { shared, sinking } = self.get_mut();
        sinking.poll_ready(&mut Reserving { shared, place }, cx)
    }

    #[track_caller]
    fn start_send(self: Pin<&mut Self>, message: T) -> Result<()> {
        let place = Location::caller();
        let Sender { shared, sinking } = self.get_mut();
        sinking.use_place(place)?;
        shared.send_reserved(message).map_err(|_| Error::from(Closed).at(place))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().leave();
        Poll::Ready(Ok(()))
    }
}
