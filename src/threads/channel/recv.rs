//! Receiving: by a task, which awaits a message, and by a thread, which blocks until there is one.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::panic::quietly;
use crate::error::{Exclusive, Result};
use crate::operation::skeleton::{Doing, Look, Operation, Registered, Tried, When};
use crate::operation::waiters::Kept;
use crate::scope::watch::Watch;
use crate::threads::channel::queue::{Sleeper, Wakes};
use crate::threads::channel::shared::{Numbered, Shared, block_in};
use crate::threads::channel::{Waits, refuse_on_a_run};

/// The future of [`ThreadReceiver::recv`](super::ThreadReceiver::recv).
#[must_use = "futures do nothing unless awaited"]
pub(super) struct RecvFuture<'a, T>(Doing<Receiving<'a, T>>);

pub(super) struct Receiving<'a, T> {
    pub(super) shared: &'a Shared<T>,
    pub(super) place: &'static Location<'static>,
}

impl<T> Receiving<'_, T> {
    /// The operation returns with what it was given, which cannot be put back any more.
    fn receive(&self, given: Option<Numbered<T>>) -> Option<Numbered<T>> {
        if given.is_some() {
            self.shared.with(|state, wakes| state.arrives(wakes));
        }
        given
    }

    fn put_back(&self, given: Option<Numbered<T>>) {
        if let Some(message) = given {
            self.shared.with(|state, wakes| state.put_back(message, wakes));
        }
    }
}

impl<T> Operation for Receiving<'_, T> {
    const NAME: &'static str = "ThreadReceiver::recv";
    const COUNTS_WHEN_CANCELLED: u8 = 2;

    type Got = Option<Numbered<T>>;
    type Wait = Waits;

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn attempt(&mut self, _: When, _: &mut Context<'_>) -> Tried<Option<Numbered<T>>> {
        self.shared.with(|state, wakes| match state.take(wakes) {
            None if !state.has_ended() => Tried::Waits,
            received => Tried::Done(received),
        })
    }

    fn pause(&mut self, received: &Option<Numbered<T>>) -> Option<Exclusive> {
        received.as_ref().map(|_| {
            self.shared.lock().sets_out();
            Exclusive::Message
        })
    }

    fn resume(&mut self, received: Option<Numbered<T>>) -> Result<Option<Numbered<T>>> {
        Ok(self.receive(received))
    }

    fn register(&mut self, cx: &Context<'_>, _: &mut Kept) -> Registered<Waits> {
        let sleeper = Sleeper::Task(cx.waker().clone()); // foreign code
        let watch = Watch::armed(cx); // foreign code
        let mut state = self.shared.lock();
        // Another thread may have sent something in the meantime.
        if state.can_receive() {
            drop(state);
            return Registered::LooksAgain;
        }
        let key = state.receivers.join(None, sleeper);
        Registered::Waits(Waits { key, watch })
    }

    fn look(&mut self, wait: &mut Waits, cx: &mut Context<'_>) -> Look<Option<Numbered<T>>> {
        let sleeper = Sleeper::Task(cx.waker().clone()); // foreign code
        let mut state = self.shared.lock();
        if let Some(given) = state.receivers.fetch(wait.key) {
            let mut wakes = Wakes::new();
            if given.is_some() {
                state.arrives(&mut wakes);
            }
            drop(state);
            wakes.wake();
            quietly(|| drop(sleeper)); // foreign code
            wait.end();
            return Look::Got(given);
        }
        let former = state.receivers.stay(wait.key, sleeper);
        drop(state);
        drop(former); // foreign code
        let Some(error) = wait.cancelled(cx) else { return Look::Waits };
        let (given, left) = self.shared.lock().receivers.leave(wait.key);
        // It may have been served a moment ago.
        let is_served = left.is_none();
        quietly(|| drop(left)); // foreign code
        wait.end();
        if is_served { Look::Got(self.receive(given)) } else { Look::Cancelled(error, None) }
    }

    fn leave(&mut self, wait: &mut Waits) {
        let (given, left) = self.shared.lock().receivers.leave(wait.key);
        self.put_back(given);
        drop(left); // foreign code
    }

    fn give_back(&mut self, received: Option<Numbered<T>>) {
        self.put_back(received);
    }
}

impl<'a, T> RecvFuture<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>, place: &'static Location<'static>) -> Self {
        RecvFuture(Doing::new(Receiving { shared, place }))
    }
}

impl<T> Future for RecvFuture<'_, T> {
    type Output = Result<Option<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = Pin::new(&mut self.get_mut().0).poll(cx);
        outcome.map_ok(|received| received.map(|numbered| numbered.message))
    }
}

/// Receives a message on a thread that may block.
pub(super) fn block<T>(shared: &Shared<T>, place: &'static Location<'static>) -> Result<Option<T>> {
    refuse_on_a_run(place)?;
    let mut wakes = Wakes::new();
    let mut state = shared.lock();
    let mut received = state.take(&mut wakes);
    if received.is_none() && !state.has_ended() {
        (state, received) = block_in(state, |state| &mut state.receivers, None);
        if received.is_some() {
            state.arrives(&mut wakes);
        }
    }
    drop(state);
    wakes.wake();
    Ok(received.map(|numbered| numbered.message))
}
