//! Sending: by a task, which awaits room, and by a thread, which blocks until there is room.

use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::panic::quietly;
use crate::error::{Error, Exclusive, Result};
use crate::operation::skeleton::{Doing, Look, Operation, Registered, Tried, When};
use crate::operation::sync::channel::{Closed, Offered, SendError, TrySendError};
use crate::operation::waiters::Kept;
use crate::scope::watch::Watch;
use crate::threads::channel::queue::{Sleeper, Wakes};
use crate::threads::channel::shared::{Shared, State, block_in};
use crate::threads::channel::{Waits, refuse_on_a_run};

/// The future of [`ThreadSender::send`](super::ThreadSender::send).
#[must_use = "futures do nothing unless awaited"]
pub(super) struct SendFuture<'a, T>(Doing<Sending<'a, T>>);

/// The operation that sends a message, or reserves a place for one.
pub(super) struct Sending<'a, T> {
    shared: &'a Shared<T>,
    offered: Offered<T>,
    place: &'static Location<'static>,
}

impl<'a, T> Sending<'a, T> {
    pub(super) fn reserving(shared: &'a Shared<T>, place: &'static Location<'static>) -> Self {
        Sending { shared, offered: Offered::Reservation, place }
    }

    /// What has become of what was offered, once it has been served.
    fn outcome(&self) -> Result<(), Closed> {
        match self.offered {
            Offered::Nothing | Offered::Reserved => Ok(()),
            Offered::Message(_) | Offered::Reservation => Err(Closed),
        }
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
        let sent = self.shared.with(|state, wakes| state.send(&mut self.offered, wakes));
        sent.map_or(Tried::Waits, Tried::Done)
    }

    fn pause(&mut self, _: &Result<(), Closed>) -> Option<Exclusive> {
        matches!(self.offered, Offered::Reserved).then_some(Exclusive::Permit)
    }

    fn register(&mut self, cx: &Context<'_>, _: &mut Kept) -> Registered<Waits> {
        let sleeper = Sleeper::Task(cx.waker().clone()); // foreign code
        let watch = Watch::armed(cx); // foreign code
        let mut state = self.shared.lock();
        // Another thread may have made room in the meantime.
        if state.can_send(&self.offered) {
            drop(state);
            return Registered::LooksAgain;
        }
        let offered = mem::replace(&mut self.offered, Offered::Nothing);
        let key = state.senders.join(offered, sleeper);
        Registered::Waits(Waits { key, watch })
    }

    fn look(&mut self, wait: &mut Waits, cx: &mut Context<'_>) -> Look<Result<(), Closed>> {
        let sleeper = Sleeper::Task(cx.waker().clone()); // foreign code
        let mut state = self.shared.lock();
        if let Some(given) = state.senders.fetch(wait.key) {
            drop(state);
            quietly(|| drop(sleeper)); // foreign code
            self.offered = given;
            wait.end();
            return Look::Got(self.outcome());
        }
        let former = state.senders.stay(wait.key, sleeper);
        drop(state);
        drop(former); // foreign code
        let Some(error) = wait.cancelled(cx) else { return Look::Waits };
        let (offered, left) = self.shared.lock().senders.leave(wait.key);
        self.offered = offered;
        // It may have been served a moment ago.
        let is_served = left.is_none();
        quietly(|| drop(left)); // foreign code
        wait.end();
        if is_served { Look::Got(self.outcome()) } else { Look::Cancelled(error, None) }
    }

    fn leave(&mut self, wait: &mut Waits) {
        let (offered, left) = self.shared.lock().senders.leave(wait.key);
        if let Offered::Reserved = offered {
            self.shared.with(State::release);
        }
        drop((offered, left)); // foreign code
    }

    /// What was sent stays sent, but a place is free again.
    fn give_back(&mut self, got: Result<(), Closed>) {
        if got.is_ok() && !matches!(self.offered, Offered::Nothing) {
            self.shared.with(State::release);
        }
    }
}

impl<'a, T> SendFuture<'a, T> {
    pub(super) fn new(
        shared: &'a Shared<T>,
        message: T,
        place: &'static Location<'static>,
    ) -> Self {
        SendFuture(Doing::new(Sending { shared, offered: Offered::Message(message), place }))
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
        let message = doing.work.offered.take().expect("the message was not sent");
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
            let offered = Offered::Message(message);
            (state, came_back) = block_in(state, |state| &mut state.senders, offered);
            came_back.into_message().map_or(Ok(()), Err)
        }
    };
    drop(state);
    wakes.wake();
    sent.map_err(SendError::closed)
}
