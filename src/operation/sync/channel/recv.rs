//! Receiving a message, once there is one.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{Exclusive, Result};
use crate::operation::checkpoint::checkpoint;
use crate::operation::queued::Queued;
use crate::operation::skeleton::{Doing, Tried, When};
use crate::operation::sync::channel::{Numbered, Receiver, Shared};
use crate::operation::waiters::Waiters;
use crate::schedule::budget;

impl<T> Receiver<T> {
    /// Receives what messages there are, up to `limit`, once there is one, and adds them to `into`.
    /// Returns how many these were: 0 when the channel has ended.
    ///
    /// It is one checkpoint, however many messages come. With a limit of 0 it is nothing else.
    ///
    /// No message is lost if this is cancelled or dropped: then none was received.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    ///
    /// ```
    /// use seedbed::channel;
    ///
    /// seedbed::run(async {
    ///     let (sender, receiver) = channel(10);
    ///     for i in 0..5 {
    ///         sender.send(i).await?;
    ///     }
    ///     let mut batch = Vec::new();
    ///     assert_eq!(receiver.recv_many(&mut batch, 3).await?, 3);
    ///     assert_eq!(receiver.recv_many(&mut batch, 3).await?, 2);
    ///     assert_eq!(batch, [0, 1, 2, 3, 4]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn recv_many(
        &self,
        into: &mut Vec<T>,
        limit: usize,
    ) -> impl Future<Output = Result<usize>> {
        let place = Location::caller();
        async move {
            if limit == 0 {
                checkpoint().await?;
                return Ok(0);
            }
            let Some(first) = Recv::new(self, place).await? else { return Ok(0) };
            into.push(first);
            let mut received = 1;
            // From here on nothing waits, so all of it happens or nothing has.
            while received < limit
                && let Some(next) = self.shared.take()
            {
                budget::count();
                into.push(next.message);
                received += 1;
            }
            Ok(received)
        }
    }
}

/// The future of [`Receiver::recv`].
#[must_use = "futures do nothing unless awaited"]
pub struct Recv<'a, T>(Doing<Receiving<'a, T>>);

pub(super) struct Receiving<'a, T> {
    pub(super) shared: &'a Shared<T>,
    pub(super) place: &'static Location<'static>,
}

impl<T> Queued for Receiving<'_, T> {
    const NAME: &'static str = "Receiver::recv";
    const COUNTS_WHEN_CANCELLED: u8 = 2;
    const ALONE: Option<Exclusive> = Some(Exclusive::Message);

    /// A message, or the end.
    type Value = Option<Numbered<T>>;
    type Got = Option<Numbered<T>>;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    #[inline(always)]
    fn queue(&self) -> &Waiters<Option<Numbered<T>>> {
        &self.shared.receivers
    }

    #[inline(always)]
    fn attempt(&mut self, _: When) -> Tried<Option<Numbered<T>>> {
        let shared = self.shared;
        let received = shared.take();
        if received.is_none() && !shared.has_ended() {
            return Tried::Waits;
        }
        Tried::Done(received)
    }

    fn pause(&mut self, received: &Option<Numbered<T>>) -> Option<Exclusive> {
        received.as_ref().map(|_| {
            self.shared.sets_out();
            Exclusive::Message
        })
    }

    fn resume(&mut self, received: Option<Numbered<T>>) -> Result<Option<Numbered<T>>> {
        Ok(self.receive(received))
    }

    #[inline(always)]
    fn receive(&mut self, received: Option<Numbered<T>>) -> Option<Numbered<T>> {
        if received.is_some() {
            self.shared.arrives();
        }
        received
    }

    fn pass_on(&mut self, unread: Option<Numbered<T>>) {
        if let Some(message) = unread {
            self.shared.put_back(message);
        }
    }

    fn give_back(&mut self, unread: Option<Numbered<T>>) {
        self.pass_on(unread);
    }
}

impl<'a, T> Recv<'a, T> {
    #[inline]
    pub(super) fn new(receiver: &'a Receiver<T>, place: &'static Location<'static>) -> Self {
        Recv(Doing::new(Receiving { shared: &receiver.shared, place }))
    }
}

impl<T> Future for Recv<'_, T> {
    type Output = Result<Option<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = Pin::new(&mut self.get_mut().0).poll(cx);
        outcome.map_ok(|received| received.map(|numbered| numbered.message))
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").finish_non_exhaustive()
    }
}
