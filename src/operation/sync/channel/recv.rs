//! Receiving a message, once there is one.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::Result;
use crate::error::Error;
use crate::operation::checkpoint::Checkpoint;
use crate::operation::handed::{Delivery, What};
use crate::operation::sync::channel::{Numbered, Receiver};
use crate::operation::waiters::{Kept, Outcome, Ticket};
use crate::schedule::budget;
use crate::scope;

/// The future of [`Receiver::recv`].
#[must_use = "futures do nothing unless awaited"]
pub struct Recv<'a, T> {
    receiver: &'a Receiver<T>,
    step: RecvStep,
    held: Held<T>,
    place: &'static Location<'static>,
}

#[derive(Clone, Copy)]
enum RecvStep {
    Start,
    Wait(Ticket),
    /// It has an outcome; others run before the task is told.
    Holding,
    End,
}

/// An outcome that is held back until others have run.
enum Held<T> {
    Nothing,
    /// It was cancelled before it began.
    Failure(Checkpoint),
    /// A message, or the end.
    Received(Option<Numbered<T>>, Delivery),
}

// The message is moved, never pinned.
impl<T> Unpin for Recv<'_, T> {}

impl<T> Future for Recv<'_, T> {
    type Output = Result<Option<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match this.step {
            RecvStep::Start => this.start(cx, Kept::default()),
            RecvStep::Wait(ticket) => this.look(ticket, cx),
            _ => this.let_go(cx),
        }
    }
}

impl<'a, T> Recv<'a, T> {
    #[inline]
    pub(super) fn new(receiver: &'a Receiver<T>, place: &'static Location<'static>) -> Self {
        Recv { receiver, step: RecvStep::Start, held: Held::Nothing, place }
    }

    #[inline(always)]
    fn start(&mut self, cx: &mut Context<'_>, mut kept: Kept) -> Poll<Result<Option<T>>> {
        let shared = &*self.receiver.shared;
        if let Err(error) = scope::check() {
            return self.begin_failing(error, cx);
        }
        let received = shared.take();
        if received.is_none() && !shared.has_ended() {
            let alone = Some(self.place);
            return match shared.receivers.join(cx, &mut kept, "Receiver::recv", alone) {
                Some(ticket) => {
                    self.step = RecvStep::Wait(ticket);
                    Poll::Pending
                }
                None => self.look_again(cx, kept),
            };
        }
        if budget::spend() {
            return self.hold(received, cx);
        }
        self.end(Ok(received))
    }

    #[inline(always)]
    fn look(&mut self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        match self.receiver.shared.receivers.look(ticket, cx) {
            Outcome::Waiting => Poll::Pending,
            Outcome::Served(received) => self.arrive(received),
            Outcome::Cancelled(_, error, left) => {
                self.step = RecvStep::End;
                drop(left);
                Poll::Ready(Err(error))
            }
            Outcome::PassedOver(_, left) => {
                self.step = RecvStep::Start;
                drop(left);
                self.look_again(cx, Kept::default())
            }
        }
    }

    /// Returns with what it was given: a message, or the end.
    #[inline]
    fn arrive(&mut self, received: Option<Numbered<T>>) -> Poll<Result<Option<T>>> {
        if received.is_some() {
            self.receiver.shared.arrives();
        }
        self.end(Ok(received))
    }

    #[inline]
    fn end(&mut self, outcome: Result<Option<Numbered<T>>>) -> Poll<Result<Option<T>>> {
        self.step = RecvStep::End;
        Poll::Ready(outcome.map(|received| received.map(|numbered| numbered.message)))
    }

    #[cold]
    fn begin_failing(&mut self, why: Error, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        self.step = RecvStep::Holding;
        self.held = Held::Failure(Checkpoint::failing(why, 2));
        self.let_go(cx)
    }

    /// Begins again, perhaps with a foreign waker that was cloned, by which anything may have
    /// happened.
    #[cold]
    fn look_again(&mut self, cx: &mut Context<'_>, kept: Kept) -> Poll<Result<Option<T>>> {
        self.start(cx, kept)
    }

    #[cold]
    fn hold(&mut self, received: Option<Numbered<T>>, cx: &Context<'_>) -> Poll<Result<Option<T>>> {
        let mut delivery = Delivery::NONE;
        if received.is_some() {
            self.receiver.shared.sets_out();
            delivery = Delivery::now(self.place, What::Message);
        }
        self.step = RecvStep::Holding;
        self.held = Held::Received(received, delivery);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Goes on when others have run.
    #[cold]
    fn let_go(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        match (self.step, &mut self.held) {
            (RecvStep::Holding, Held::Failure(failing)) => {
                let error = ready!(Pin::new(failing).poll(cx)).expect_err("it fails");
                self.end(Err(error))
            }
            (RecvStep::Holding, Held::Received(received, delivery)) => {
                *delivery = Delivery::NONE;
                let received = received.take();
                self.arrive(received)
            }
            _ => panic!("`Receiver::recv` was polled after it was ready"),
        }
    }
}

impl<T> Drop for Recv<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let (unread, left) = match (self.step, &mut self.held) {
            (RecvStep::Wait(ticket), _) => {
                let (unread, _, left) = self.receiver.shared.receivers.leave(ticket);
                (unread, Some(left))
            }
            (RecvStep::Holding, Held::Received(received, _)) => (received.take(), None),
            _ => return,
        };
        if let Some(message) = unread {
            self.receiver.shared.put_back(message);
        }
        drop(left); // foreign code
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").finish_non_exhaustive()
    }
}
