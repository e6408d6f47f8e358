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
use std::task::{Context, Poll};

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
    /// Each with its message; served with `None` when that was taken, with the message when the
    /// channel was closed.
    senders: Waiters<Option<T>>,
    /// Served with a message, or with `None` at the end.
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
        while let Some(((), waker)) = self.senders.serve(|message| (message, ())) {
            waker.wake();
        }
        if self.buffer.borrow().is_empty() {
            while let Some(((), waker)) = self.receivers.serve(|_| (None, ())) {
                waker.wake();
            }
        }
    }

    fn accept(&self, message: T) -> Numbered<T> {
        let number = self.accepted.get();
        self.accepted.set(number + 1);
        Numbered { number, message }
    }

    /// Hands a message to a receiver or to the buffer, or gives it back.
    fn put(&self, message: T) -> Result<(), T> {
        let mut message = Some(message);
        let served = self.receivers.serve(|_| (message.take().map(|m| self.accept(m)), ()));
        if let Some(((), waker)) = served {
            waker.wake();
        }
        match message {
            Some(message) if self.buffer.borrow().len() < self.capacity => {
                self.buffer.borrow_mut().push_back(self.accept(message));
                Ok(())
            }
            Some(message) => Err(message),
            None => Ok(()),
        }
    }

    /// The next message, from the buffer or from a sender that waits.
    fn take(&self) -> Option<Numbered<T>> {
        let mut message = self.buffer.borrow_mut().pop_front();
        // There may be more in the buffer than there is room for, if some was put back.
        if message.is_none() || self.buffer.borrow().len() < self.capacity {
            let sent = self.senders.serve(|message| (None, message.map(|m| self.accept(m))));
            if let Some((sent, waker)) = sent {
                match message {
                    Some(_) => self.buffer.borrow_mut().extend(sent),
                    None => message = sent,
                }
                waker.wake();
            }
        }
        message
    }

    /// Puts a message back that was taken and will not be received after all.
    fn put_back(&self, message: Numbered<T>) {
        let mut message = Some(message);
        if let Some(((), waker)) = self.receivers.serve(|_| (message.take(), ())) {
            waker.wake();
        }
        if let Some(message) = message {
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
        Send { sender: self, message: Some(message), step: SendStep::Start }
    }

    /// Sends a message if there is room, or a receiver waiting, now. Not a checkpoint.
    ///
    /// # Errors
    ///
    /// [`TrySendError`], with the message.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
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
        Recv { receiver: self, step: RecvStep::Start }
    }

    /// Receives a message if there is one now. Not a checkpoint.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`].
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
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
}

enum SendStep {
    Start,
    /// It failed before it began.
    Fail(Checkpoint),
    Wait(Ticket),
    /// The message is sent; others run before the task goes on.
    Sent,
    /// It cannot be sent; others run before the task goes on.
    Closed,
    End,
}

// The message is moved, never pinned.
impl<T> Unpin for Send<'_, T> {}

impl<T> Send<'_, T> {
    fn fail(&mut self, why: Error) -> Poll<Result<(), SendError<T>>> {
        self.step = SendStep::End;
        let message = self.message.take().expect("the message was not sent");
        Poll::Ready(Err(SendError { message, why }))
    }
}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let shared = &this.sender.shared;
        loop {
            match &mut this.step {
                SendStep::Start => {
                    if let Err(error) = coop::check() {
                        this.step = SendStep::Fail(Checkpoint::failing(error, 2));
                        continue;
                    }
                    if shared.closed.get() {
                        if coop::spend() {
                            this.step = SendStep::Closed;
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                        return this.fail(Closed.into());
                    }
                    let message = this.message.take().expect("it was not sent yet");
                    let Err(message) = shared.put(message) else {
                        if coop::spend() {
                            this.step = SendStep::Sent;
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                        this.step = SendStep::End;
                        return Poll::Ready(Ok(()));
                    };
                    this.step =
                        SendStep::Wait(shared.senders.join(Some(message), cx, "Sender::send"));
                    return Poll::Pending;
                }
                SendStep::Fail(failing) => {
                    let Poll::Ready(outcome) = Pin::new(failing).poll(cx) else {
                        return Poll::Pending;
                    };
                    return this.fail(outcome.expect_err("it fails"));
                }
                SendStep::Wait(ticket) => match shared.senders.look(*ticket, cx) {
                    Outcome::Waiting => return Poll::Pending,
                    Outcome::Served(None) => {
                        this.step = SendStep::End;
                        return Poll::Ready(Ok(()));
                    }
                    Outcome::Served(message) => {
                        this.message = message;
                        return this.fail(Closed.into());
                    }
                    Outcome::Cancelled(message, error) => {
                        this.message = message;
                        return this.fail(error);
                    }
                    Outcome::PassedOver(message) => {
                        this.message = message;
                        this.step = SendStep::Start;
                    }
                },
                SendStep::Sent => {
                    this.step = SendStep::End;
                    return Poll::Ready(Ok(()));
                }
                SendStep::Closed => return this.fail(Closed.into()),
                SendStep::End => panic!("`Sender::send` was polled after it was ready"),
            }
        }
    }
}

impl<T> Drop for Send<'_, T> {
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
    step: RecvStep<T>,
}

enum RecvStep<T> {
    Start,
    /// It was cancelled before it began.
    Fail(Checkpoint),
    Wait(Ticket),
    /// There is a message; others run before the task goes on with it.
    Received(Numbered<T>),
    /// The channel has ended; others run before the task is told.
    Ended,
    End,
}

// The message is moved, never pinned.
impl<T> Unpin for Recv<'_, T> {}

impl<T> Future for Recv<'_, T> {
    type Output = Result<Option<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let shared = &this.receiver.shared;
        loop {
            match &mut this.step {
                RecvStep::Start => {
                    if let Err(error) = coop::check() {
                        this.step = RecvStep::Fail(Checkpoint::failing(error, 2));
                        continue;
                    }
                    let message = shared.take();
                    if message.is_none() && !shared.closed.get() {
                        this.step =
                            RecvStep::Wait(shared.receivers.join(None, cx, "Receiver::recv"));
                        return Poll::Pending;
                    }
                    if coop::spend() {
                        this.step = message.map_or(RecvStep::Ended, RecvStep::Received);
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    this.step = RecvStep::End;
                    return Poll::Ready(Ok(message.map(|taken| taken.message)));
                }
                RecvStep::Fail(failing) => {
                    return Pin::new(failing).poll(cx).map(|outcome| outcome.map(|()| None));
                }
                RecvStep::Wait(ticket) => {
                    let outcome = match shared.receivers.look(*ticket, cx) {
                        Outcome::Waiting => return Poll::Pending,
                        Outcome::Served(message) => Ok(message.map(|taken| taken.message)),
                        Outcome::Cancelled(_, error) => Err(error),
                        Outcome::PassedOver(_) => {
                            this.step = RecvStep::Start;
                            continue;
                        }
                    };
                    this.step = RecvStep::End;
                    return Poll::Ready(outcome);
                }
                RecvStep::Received(_) => {
                    let RecvStep::Received(Numbered { message, .. }) =
                        std::mem::replace(&mut this.step, RecvStep::End)
                    else {
                        unreachable!("it was just looked at")
                    };
                    return Poll::Ready(Ok(Some(message)));
                }
                RecvStep::Ended => {
                    this.step = RecvStep::End;
                    return Poll::Ready(Ok(None));
                }
                RecvStep::End => panic!("`Receiver::recv` was polled after it was ready"),
            }
        }
    }
}

impl<T> Drop for Recv<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if matches!(self.step, RecvStep::End) {
            return;
        }
        let shared = &self.receiver.shared;
        match std::mem::replace(&mut self.step, RecvStep::End) {
            RecvStep::Wait(ticket) => {
                if let (Some(message), _) = shared.receivers.leave(ticket) {
                    shared.put_back(message);
                }
            }
            RecvStep::Received(message) => shared.put_back(message),
            RecvStep::Start | RecvStep::Fail(_) | RecvStep::Ended | RecvStep::End => {}
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
