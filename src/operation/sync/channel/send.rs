//! Sending a message, once there is room for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::Error;
use crate::operation::checkpoint::Checkpoint;
use crate::operation::sync::channel::{Closed, SendError, Sender};
use crate::operation::waiters::{Kept, Outcome, Ticket};
use crate::schedule::budget;
use crate::scope;

/// The future of [`Sender::send`].
#[must_use = "futures do nothing unless awaited"]
pub struct Sending<'a, T> {
    sender: &'a Sender<T>,
    /// The message, while it is not on its way.
    message: Option<T>,
    step: SendStep,
    /// What it does in the step of this name.
    failing: Option<Checkpoint>,
}

#[derive(Clone, Copy)]
enum SendStep {
    Start,
    Wait(Ticket),
    /// It was cancelled before it began.
    Failing,
    /// The message is sent; others run before the task goes on.
    Sent,
    /// It cannot be sent; others run before the task goes on.
    Closed,
    End,
}

// The message is moved, never pinned.
impl<T> Unpin for Sending<'_, T> {}

impl<T> Future for Sending<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match this.step {
            SendStep::Start => this.start(cx, Kept::default()),
            SendStep::Wait(ticket) => this.look(ticket, cx),
            _ => this.go_on(cx),
        }
    }
}

impl<'a, T> Sending<'a, T> {
    #[inline]
    pub(super) fn new(sender: &'a Sender<T>, message: T) -> Self {
        Sending { sender, message: Some(message), step: SendStep::Start, failing: None }
    }

    #[inline(always)]
    fn start(&mut self, cx: &mut Context<'_>, mut kept: Kept) -> Poll<Result<(), SendError<T>>> {
        let shared = &*self.sender.shared;
        if let Err(error) = scope::check() {
            return self.begin_failing(error, cx);
        }
        if shared.closed.get() {
            return self.find_closed(cx);
        }
        let message = self.message.take().expect("it was not sent yet");
        match shared.put(message) {
            Ok(()) if budget::spend() => self.pause(SendStep::Sent, cx),
            Ok(()) => self.succeed(),
            Err(message) => {
                match shared.senders.bring(Some(message), cx, &mut kept, "Sender::send") {
                    Ok(ticket) => {
                        self.step = SendStep::Wait(ticket);
                        Poll::Pending
                    }
                    Err(message) => self.look_again(message, cx, kept),
                }
            }
        }
    }

    /// Begins again, perhaps with a foreign waker that was cloned, by which anything may have
    /// happened.
    #[cold]
    fn look_again(
        &mut self,
        message: Option<T>,
        cx: &mut Context<'_>,
        kept: Kept,
    ) -> Poll<Result<(), SendError<T>>> {
        self.message = message;
        self.start(cx, kept)
    }

    #[inline(always)]
    fn look(&mut self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        match self.sender.shared.senders.look(ticket, cx) {
            Outcome::Waiting => Poll::Pending,
            Outcome::Served(None) => self.succeed(),
            Outcome::Served(message) => {
                self.message = message;
                self.fail(Closed.into())
            }
            Outcome::Cancelled(message, error, left) => {
                self.message = message;
                self.step = SendStep::End;
                drop(left);
                self.fail(error)
            }
            Outcome::PassedOver(message, left) => {
                self.step = SendStep::Start;
                drop(left);
                self.look_again(message, cx, Kept::default())
            }
        }
    }

    #[inline]
    fn succeed(&mut self) -> Poll<Result<(), SendError<T>>> {
        self.step = SendStep::End;
        Poll::Ready(Ok(()))
    }

    #[cold]
    fn fail(&mut self, why: Error) -> Poll<Result<(), SendError<T>>> {
        self.step = SendStep::End;
        let message = self.message.take().expect("the message was not sent");
        Poll::Ready(Err(SendError { message, why }))
    }

    #[cold]
    fn begin_failing(
        &mut self,
        why: Error,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError<T>>> {
        self.step = SendStep::Failing;
        self.failing = Some(Checkpoint::failing(why, 2));
        Pin::new(self).poll(cx)
    }

    #[cold]
    fn find_closed(&mut self, cx: &Context<'_>) -> Poll<Result<(), SendError<T>>> {
        if budget::spend() { self.pause(SendStep::Closed, cx) } else { self.fail(Closed.into()) }
    }

    /// Goes on when others have run.
    #[cold]
    fn go_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        match self.step {
            SendStep::Sent => self.succeed(),
            SendStep::Closed => self.fail(Closed.into()),
            SendStep::Failing => {
                let failing = self.failing.as_mut().expect("it fails");
                let outcome = ready!(Pin::new(failing).poll(cx));
                self.fail(outcome.expect_err("it fails"))
            }
            _ => panic!("`Sender::send` was polled after it was ready"),
        }
    }

    /// Lets others run before it goes on.
    #[cold]
    fn pause(&mut self, next: SendStep, cx: &Context<'_>) -> Poll<Result<(), SendError<T>>> {
        self.step = next;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<T> Drop for Sending<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let SendStep::Wait(ticket) = self.step {
            drop(self.sender.shared.senders.leave(ticket)); // foreign code
        }
    }
}

impl<T> fmt::Debug for Sending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}
