//! Sending: by a task, which awaits room, and by a thread, which blocks until there is room.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::panic::quietly;
use crate::error::{Error, Result};
use crate::operation::skeleton::{Doing, Look, Operation, Registered, Tried, When};
use crate::operation::sync::channel::{Closed, SendError, TrySendError};
use crate::operation::waiters::Kept;
use crate::scope::watch::Watch;
use crate::threads::channel::queue::{Sleeper, Wakes};
use crate::threads::channel::shared::{Shared, block_in};
use crate::threads::channel::{Waits, refuse_on_a_run};

/// The future of [`ThreadSender::send`](super::ThreadSender::send).
#[must_use = "futures do nothing unless awaited"]
pub(super) struct SendFuture<'a, T>(Doing<Sending<'a, T>>);

struct Sending<'a, T> {
    shared: &'a Shared<T>,
    /// The message, while it is not on its way.
    message: Option<T>,
    place: &'static Location<'static>,
}

impl<T> Sending<'_, T> {
    /// Whether the message was sent. If not, it has come back.
    fn sent(&self) -> Result<(), Closed> {
        if self.message.is_none() { Ok(()) } else { Err(Closed) }
    }
}

impl<T> Operation for Sending<'_, T> {
    const NAME: &'static str = "ThreadSender::send";
    const COUNTS_WHEN_CANCELLED: u8 = 2;

    type Got = Result<(), Closed>;
    type Wait = Waits;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn attempt(&mut self, _: When, _: &mut Context<'_>) -> Tried<Result<(), Closed>> {
        let message = self.message.take().expect("it was not sent yet");
        match self.shared.with(|state, wakes| state.put(message, wakes)) {
            Ok(()) => Tried::Done(Ok(())),
            Err(TrySendError::Closed(message)) => {
                self.message = Some(message);
                Tried::Done(Err(Closed))
            }
            Err(TrySendError::Full(message)) => {
                self.message = Some(message);
                Tried::Waits
            }
        }
    }

    fn register(&mut self, cx: &Context<'_>, _: &mut Kept) -> Registered<Waits> {
        let sleeper = Sleeper::Task(cx.waker().clone()); // foreign code
        let watch = Watch::armed(cx); // foreign code
        let mut state = self.shared.lock();
        // Another thread may have made room in the meantime.
        if state.can_send() {
            drop(state);
            return Registered::LooksAgain;
        }
        let key = state.senders.join(self.message.take(), sleeper);
        Registered::Waits(Waits { key, watch })
    }

    fn look(&mut self, wait: &mut Waits, cx: &mut Context<'_>) -> Look<Result<(), Closed>> {
        let sleeper = Sleeper::Task(cx.waker().clone()); // foreign code
        let mut state = self.shared.lock();
        if let Some(given) = state.senders.fetch(wait.key) {
            drop(state);
            quietly(|| drop(sleeper)); // foreign code
            self.message = given;
            wait.end();
            return Look::Got(self.sent());
        }
        let former = state.senders.stay(wait.key, sleeper);
        drop(state);
        drop(former); // foreign code
        let Some(error) = wait.cancelled(cx) else { return Look::Waits };
        let (message, left) = self.shared.lock().senders.leave(wait.key);
        self.message = message;
        // It may have been served a moment ago.
        let is_served = left.is_none();
        quietly(|| drop(left)); // foreign code
        wait.end();
        if is_served { Look::Got(self.sent()) } else { Look::Cancelled(error, None) }
    }

    fn leave(&mut self, wait: &mut Waits) {
        let left = self.shared.lock().senders.leave(wait.key);
        drop(left); // foreign code
    }
}

impl<'a, T> SendFuture<'a, T> {
    pub(super) fn new(
        shared: &'a Shared<T>,
        message: T,
        place: &'static Location<'static>,
    ) -> Self {
        SendFuture(Doing::new(Sending { shared, message: Some(message), place }))
    }
}

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let doing = &mut self.get_mut().0;
        let polled = Pin::new(&mut *doing).poll(cx);
        let why = match polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(Ok(()))) => return Poll::Ready(Ok(())),
            Poll::Ready(Ok(Err(closed))) => Error::from(closed),
            Poll::Ready(Err(why)) => why,
        };
        let message = doing.work.message.take().expect("the message was not sent");
        Poll::Ready(Err(SendError::new(message, why)))
    }
}

/// Sends a message on a thread that may block.
pub(super) fn block<T>(
    shared: &Shared<T>,
    message: T,
    place: &'static Location<'static>,
) -> Result<(), SendError<T>> {
    if let Err(refused) = refuse_on_a_run(place) {
        return Err(SendError::new(message, refused));
    }
    let mut wakes = Wakes::new();
    let mut state = shared.lock();
    let put = state.put(message, &mut wakes);
    let sent = match put {
        Ok(()) => Ok(()),
        Err(TrySendError::Closed(message)) => Err(message),
        Err(TrySendError::Full(message)) => {
            let came_back;
            (state, came_back) = block_in(state, |state| &mut state.senders, Some(message));
            came_back.map_or(Ok(()), Err)
        }
    };
    drop(state);
    wakes.wake();
    sent.map_err(SendError::closed)
}
