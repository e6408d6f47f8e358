//! A sender as a sink.

use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::panic::FirstPanic;
use crate::error::{Error, Result};
use crate::operation::skeleton::Steps;
use crate::operation::sync::channel::reserve::Reserving;
use crate::operation::sync::channel::{Closed, Sender};
use crate::operation::waiters::Ticket;

/// What a sender remembers between two polls as a sink.
pub(super) struct Sinking {
    steps: Steps<Ticket, Result<(), Closed>>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    /// It waits for a place.
    Reserving,
    /// It has a place for the next message.
    Reserved,
    /// It no longer counts as a sender.
    Closed,
}

impl Sinking {
    pub(super) const fn new() -> Self {
        Sinking { steps: Steps::new(), stage: Stage::Idle }
    }
}

impl<T> Sender<T> {
    /// From now on this is not one of the channel's senders. Closes the channel if it was the last.
    #[inline]
    pub(super) fn leave(&mut self) {
        let stage = mem::replace(&mut self.sinking.stage, Stage::Closed);
        if stage == Stage::Closed {
            return;
        }
        let mut panic = FirstPanic::new();
        if stage != Stage::Idle {
            panic.catch(|| self.give_up(stage)); // foreign code
        }
        self.shared.open_senders.set(self.shared.open_senders.get() - 1);
        if self.shared.open_senders.get() == 0 {
            panic.catch(|| self.shared.close()); // foreign code
        }
        panic.resume();
    }

    /// Gives up what this has, or waits for, as a sink.
    #[cold]
    fn give_up(&mut self, stage: Stage) {
        let Sender { shared, sinking } = self;
        match stage {
            Stage::Reserving => {
                let mut steps = mem::replace(&mut sinking.steps, Steps::new());
                steps.drop(&mut Reserving { shared, place: Location::caller() });
            }
            Stage::Reserved => shared.release(),
            Stage::Idle | Stage::Closed => {}
        }
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
        match sinking.stage {
            Stage::Idle | Stage::Reserving => {}
            Stage::Reserved => return Poll::Ready(Ok(())),
            Stage::Closed => return Poll::Ready(Err(Error::from(Closed).at(place))),
        }
        sinking.stage = Stage::Reserving;
        let reserved = ready!(sinking.steps.poll(&mut Reserving { shared, place }, cx));
        *sinking = Sinking::new();
        match reserved? {
            Ok(()) => sinking.stage = Stage::Reserved,
            Err(closed) => return Poll::Ready(Err(Error::from(closed).at(place))),
        }
        Poll::Ready(Ok(()))
    }

    #[track_caller]
    fn start_send(self: Pin<&mut Self>, message: T) -> Result<()> {
        let place = Location::caller();
        let Sender { shared, sinking } = self.get_mut();
        match sinking.stage {
            Stage::Reserved => sinking.stage = Stage::Idle,
            Stage::Closed => return Err(Error::from(Closed).at(place)),
            Stage::Idle | Stage::Reserving => {
                panic!("a message was given to a sink, a `Sender`, that had not said it was ready")
            }
        }
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
