//! Channels between tasks of one thread: bounded, with any number of senders and receivers, fair
//! on both sides.
//!
//! A message is always somewhere: with its sender, in the buffer, or handed to a receiver. An
//! operation that is cancelled, or dropped, puts it back where it was.

mod errors;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::Result;
pub use errors::{Closed, SendError, TryRecvError, TrySendError};

use crate::checkpoint::Checkpoint;
use crate::coop;
use crate::error::Error;
use crate::sync::waiters::{Outcome, Ticket, Waiters};

/// A channel for messages of type `T`, of which up to `capacity` wait in it. With capacity 0 it is
/// a rendezvous: sending waits for the receiver to take the message.
///
/// Both ends may be cloned. Messages are received in the order in which they were sent, and who
/// waits for longer is served first, on both sides. It is Trio's `open_memory_channel`.
///
/// ```
/// use seedbed::{channel, nursery};
///
/// seedbed::run(async {
///     let (sender, receiver) = channel(1);
///     nursery(async |n| {
///         n.spawn(async move {
///             for i in 0..3 {
///                 sender.send(i).await?;
///             }
///             Ok(()) // the sender is dropped, which ends the channel
///         });
///         let mut got = Vec::new();
///         while let Some(i) = receiver.recv().await? {
///             got.push(i);
///         }
///         assert_eq!(got, [0, 1, 2]);
///         Ok(())
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[must_use]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        capacity,
        buffer: RefCell::new(VecDeque::new()),
        senders: Waiters::new(),
        receivers: Waiters::new(),
        open_senders: Cell::new(1),
        open_receivers: Cell::new(1),
        closed: Cell::new(false),
        accepted: Cell::new(0),
    });
    (Sender { shared: shared.clone() }, Receiver { shared })
}

/// A message and its place in the order in which the channel has accepted them, by which one that
/// is put back finds its place again.
struct Numbered<T> {
    number: u64,
    message: T,
}

struct Shared<T> {
    capacity: usize,
    /// In the order of their numbers. With what was put back it may be more than `capacity`.
    buffer: RefCell<VecDeque<Numbered<T>>>,
    /// Each with its message. It is taken when they are served, but when the channel was closed.
    senders: Waiters<Option<T>>,
    /// Given a message when they are served, or nothing at the end.
    receivers: Waiters<Option<Numbered<T>>>,
    open_senders: Cell<usize>,
    open_receivers: Cell<usize>,
    closed: Cell<bool>,
    /// How many messages the channel has accepted.
    accepted: Cell<u64>,
}

impl<T> Shared<T> {
    /// No more messages are taken in; what is buffered can still be received.
    fn close(&self) {
        self.closed.set(true);
        while let Some(sender) = self.senders.next() {
            sender.serve().wake();
        }
        if self.buffer.borrow().is_empty() {
            while let Some(receiver) = self.receivers.next() {
                receiver.serve().wake();
            }
        }
    }

    #[inline]
    fn accept(&self, message: T) -> Numbered<T> {
        let number = self.accepted.get();
        self.accepted.set(number + 1);
        Numbered { number, message }
    }

    /// Hands a message to a receiver or to the buffer, or gives it back.
    #[inline]
    fn put(&self, message: T) -> Result<(), T> {
        if let Some(mut receiver) = self.receivers.next() {
            *receiver.value() = Some(self.accept(message));
            receiver.serve().wake();
            return Ok(());
        }
        let mut buffer = self.buffer.borrow_mut();
        if buffer.len() >= self.capacity {
            return Err(message);
        }
        buffer.push_back(self.accept(message));
        Ok(())
    }

    /// The next message, from the buffer or from a sender that waits.
    #[inline]
    fn take(&self) -> Option<Numbered<T>> {
        let mut buffer = self.buffer.borrow_mut();
        let first = buffer.pop_front();
        // There may be more in the buffer than there is room for, if some was put back.
        if first.is_some() && buffer.len() >= self.capacity {
            return first;
        }
        let Some(mut sender) = self.senders.next() else { return first };
        let sent = self.accept(sender.value().take().expect("who waits to send has a message"));
        let taken = match first {
            Some(first) => {
                buffer.push_back(sent);
                first
            }
            None => sent,
        };
        drop(buffer);
        sender.serve().wake();
        Some(taken)
    }

    /// Puts a message back that was taken and will not be received after all.
    fn put_back(&self, message: Numbered<T>) {
        if let Some(mut receiver) = self.receivers.next() {
            *receiver.value() = Some(message);
            receiver.serve().wake();
        } else {
            let mut buffer = self.buffer.borrow_mut();
            let place = buffer.partition_point(|other| other.number < message.number);
            buffer.insert(place, message);
        }
    }
}

/// The sending end of a [`channel`]. When the last one is dropped the channel ends, after what is
/// in it.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Sends a message, once there is room for it.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the message, if it was cancelled before the message was sent, or if the
    /// channel is closed or has no receiver any more. With `?` it becomes an [`Error`].
    pub fn send(&self, message: T) -> Send<'_, T> {
        Send { sender: self, message: Some(message), step: SendStep::Start, failing: None }
    }

    /// Sends a message if there is room, or a receiver waiting, now. Not a checkpoint.
    ///
    /// # Errors
    ///
    /// [`TrySendError`], with the message.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        coop::count();
        if self.is_closed() {
            return Err(TrySendError::Closed(message));
        }
        self.shared.put(message).map_err(TrySendError::Full)
    }

    /// Ends the channel for all its senders. What is in it can still be received; those who wait
    /// to send get their messages back.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Whether sending must fail: the channel was closed, or nobody is left to receive.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.closed.get()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.open_senders.set(self.shared.open_senders.get() + 1);
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.open_senders.set(self.shared.open_senders.get() - 1);
        if self.shared.open_senders.get() == 0 {
            self.shared.close();
        }
    }
}

/// The receiving end of a [`channel`]. When the last one is dropped, sending fails, and what is in
/// the channel is dropped.
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Receiver<T> {
    /// Receives the next message, once there is one; `None` when the channel has ended.
    ///
    /// No message is lost if this is cancelled or dropped: the next `recv` gets it.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    pub fn recv(&self) -> Recv<'_, T> {
        Recv { receiver: self, step: RecvStep::Start, held: Held::Nothing }
    }

    /// Receives a message if there is one now. Not a checkpoint.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`].
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        coop::count();
        match self.shared.take() {
            Some(taken) => Ok(taken.message),
            None if self.shared.closed.get() => Err(TryRecvError::Ended),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Closes the channel: sending fails from now on, and those who wait to send get their
    /// messages back. What is in the buffer can still be received.
    pub fn close(&self) {
        self.shared.close();
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.open_receivers.set(self.shared.open_receivers.get() + 1);
        Receiver { shared: self.shared.clone() }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.open_receivers.set(self.shared.open_receivers.get() - 1);
        if self.shared.open_receivers.get() == 0 {
            self.shared.close();
            let unread = self.shared.buffer.take();
            drop(unread); // foreign code
        }
    }
}

/// The future of [`Sender::send`].
#[must_use = "futures do nothing unless awaited"]
pub struct Send<'a, T> {
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
impl<T> Unpin for Send<'_, T> {}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match this.step {
            SendStep::Start => this.start(cx),
            SendStep::Wait(ticket) => this.look(ticket, cx),
            _ => this.go_on(cx),
        }
    }
}

impl<T> Send<'_, T> {
    #[inline(always)]
    fn start(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        let shared = &*self.sender.shared;
        if let Err(error) = coop::check() {
            return self.begin_failing(error, cx);
        }
        if shared.closed.get() {
            return self.find_closed(cx);
        }
        let message = self.message.take().expect("it was not sent yet");
        match shared.put(message) {
            Ok(()) if coop::spend() => self.pause(SendStep::Sent, cx),
            Ok(()) => self.succeed(),
            Err(message) => {
                let ticket = shared.senders.bring(Some(message), cx, "Sender::send");
                self.step = SendStep::Wait(ticket);
                Poll::Pending
            }
        }
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
            Outcome::Cancelled(message, error) => {
                self.message = message;
                self.fail(error)
            }
            Outcome::PassedOver(message) => {
                self.message = message;
                self.begin_again(cx)
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
    fn begin_again(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        self.step = SendStep::Start;
        Pin::new(self).poll(cx)
    }

    #[cold]
    fn find_closed(&mut self, cx: &Context<'_>) -> Poll<Result<(), SendError<T>>> {
        if coop::spend() { self.pause(SendStep::Closed, cx) } else { self.fail(Closed.into()) }
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

impl<T> Drop for Send<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let SendStep::Wait(ticket) = self.step {
            let unsent = self.sender.shared.senders.leave(ticket);
            drop(unsent); // foreign code
        }
    }
}

/// The future of [`Receiver::recv`].
#[must_use = "futures do nothing unless awaited"]
pub struct Recv<'a, T> {
    receiver: &'a Receiver<T>,
    step: RecvStep,
    held: Held<T>,
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
    Received(Option<Numbered<T>>),
}

// The message is moved, never pinned.
impl<T> Unpin for Recv<'_, T> {}

impl<T> Future for Recv<'_, T> {
    type Output = Result<Option<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match this.step {
            RecvStep::Start => this.start(cx),
            RecvStep::Wait(ticket) => this.look(ticket, cx),
            _ => this.let_go(cx),
        }
    }
}

impl<T> Recv<'_, T> {
    #[inline(always)]
    fn start(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        let shared = &*self.receiver.shared;
        if let Err(error) = coop::check() {
            return self.begin_failing(error, cx);
        }
        let received = shared.take();
        if received.is_none() && !shared.closed.get() {
            self.step = RecvStep::Wait(shared.receivers.join(cx, "Receiver::recv"));
            return Poll::Pending;
        }
        if coop::spend() {
            return self.hold(received, cx);
        }
        self.end(Ok(received))
    }

    #[inline(always)]
    fn look(&mut self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        match self.receiver.shared.receivers.look(ticket, cx) {
            Outcome::Waiting => Poll::Pending,
            Outcome::Served(received) => self.end(Ok(received)),
            Outcome::Cancelled(_, error) => self.end(Err(error)),
            Outcome::PassedOver(_) => self.begin_again(cx),
        }
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

    #[cold]
    fn begin_again(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        self.step = RecvStep::Start;
        Pin::new(self).poll(cx)
    }

    #[cold]
    fn hold(&mut self, received: Option<Numbered<T>>, cx: &Context<'_>) -> Poll<Result<Option<T>>> {
        self.step = RecvStep::Holding;
        self.held = Held::Received(received);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Goes on when others have run.
    #[cold]
    fn let_go(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        let outcome = match (self.step, &mut self.held) {
            (RecvStep::Holding, Held::Failure(failing)) => {
                Err(ready!(Pin::new(failing).poll(cx)).expect_err("it fails"))
            }
            (RecvStep::Holding, Held::Received(received)) => Ok(received.take()),
            _ => panic!("`Receiver::recv` was polled after it was ready"),
        };
        self.end(outcome)
    }
}

impl<T> Drop for Recv<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let unread = match (self.step, &mut self.held) {
            (RecvStep::Wait(ticket), _) => self.receiver.shared.receivers.leave(ticket).0,
            (RecvStep::Holding, Held::Received(received)) => received.take(),
            _ => return,
        };
        if let Some(message) = unread {
            self.receiver.shared.put_back(message);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.shared.buffer.borrow().len();
        f.debug_struct("Receiver").field("buffered", &waiting).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Send<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").finish_non_exhaustive()
    }
}
