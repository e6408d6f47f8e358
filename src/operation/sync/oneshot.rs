//! A channel for one message.
//!
//! Each end learns when the other is gone: the sender can [wait](Sender::closed) for that, to end
//! work whose result nobody wants, and the receiver gets the error [`SenderGone`], which says
//! whether the sender's task was cancelled.
//!
//! ```
//! use seedbed::{nursery, sync::oneshot};
//!
//! seedbed::run(async {
//!     let (sender, receiver) = oneshot::channel();
//!     nursery(async |n| {
//!         n.spawn(async move {
//!             sender.send("an answer")?;
//!             Ok(())
//!         });
//!         assert_eq!(receiver.await?, "an answer");
//!         Ok(())
//!     })
//!     .await
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```

use std::cell::{Cell, OnceCell};
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::{Cancelled, Error, Result};
use crate::operation::skeleton::Doing;
use crate::operation::sync::channel::{SendError, TryRecvError};
use crate::operation::sync::until::{Awaited, Until, until};
use crate::operation::waiters::{Told, Waiters};
use crate::schedule::budget;
use crate::scope;

/// Makes a channel for one message.
#[inline]
#[track_caller]
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        made: Location::caller(),
        message: Cell::new(None),
        sender: Cell::new(End::Open),
        receiver: Cell::new(End::Open),
        rest: OnceCell::new(),
    });
    (Sender { shared: shared.clone() }, Receiver { shared })
}

struct Shared<T> {
    made: &'static Location<'static>,
    /// The message, from when it is sent until the receiver returns with it.
    message: Cell<Option<T>>,
    /// Closed when the sender is gone, whether or not it has sent the message.
    sender: Cell<End>,
    /// Closed when the receiver takes no message any more.
    receiver: Cell<End>,
    rest: OnceCell<Box<Rest>>,
}

/// What a message that is there before it is asked for has no use for.
struct Rest {
    /// Why the sender has sent nothing, if its task was cancelled.
    cancelled: OnceCell<Cancelled>,
    /// Whichever end waits until something becomes of the other one. Both may wait, but then the
    /// one of which something becomes has given up waiting before that.
    other: Waiters<Told>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Open,
    Closed,
}

impl<T> Shared<T> {
    /// The sender is gone. This runs foreign code.
    #[inline]
    fn end(&self) {
        self.sender.set(End::Closed);
        self.tell();
    }

    /// The sender is gone and has sent nothing. This runs foreign code.
    #[cold]
    fn abandon(&self) {
        if let Err(error) = scope::check()
            && let Some(cancelled) = error.downcast_ref::<Cancelled>()
        {
            drop(self.rest().cancelled.set(cancelled.clone())); // there is one sender
        }
        self.end();
    }

    /// The receiver takes no message any more. This runs foreign code.
    #[inline]
    fn close(&self) {
        self.receiver.set(End::Closed);
        self.tell();
    }

    #[inline]
    fn tell(&self) {
        if let Some(rest) = self.rest.get() {
            rest.other.serve_all(); // foreign code
        }
    }

    #[inline]
    fn rest(&self) -> &Rest {
        let new = || Box::new(Rest { cancelled: OnceCell::new(), other: Waiters::new() });
        self.rest.get_or_init(new)
    }
}

/// The sending end of a [`channel`].
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Sends the message. This is not a checkpoint.
    ///
    /// If the receiver is dropped before it has received the message, the message is dropped.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the message, if the receiver is gone. `?` turns it into an
    /// [`Error`](crate::Error).
    #[inline]
    pub fn send(self, message: T) -> Result<(), SendError<T>> {
        budget::count();
        if self.is_closed() {
            return Err(SendError::closed(message));
        }
        self.shared.message.set(Some(message));
        self.shared.end(); // foreign code
        Ok(())
    }

    /// Whether the receiver is gone or has [closed](Receiver::close) the channel.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.receiver.get() == End::Closed
    }

    /// Waits until the receiver is gone or has [closed](Receiver::close) the channel.
    ///
    /// It is a checkpoint.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn closed(&mut self) -> impl Future<Output = Result<()>> + Unpin {
        until(ReceiverGone(&*self.shared), Location::caller())
    }
}

impl<T> Drop for Sender<T> {
    #[inline]
    fn drop(&mut self) {
        if self.shared.sender.get() == End::Open {
            self.shared.abandon(); // foreign code
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("oneshot::Sender").field("is_closed", &self.is_closed()).finish()
    }
}

/// The receiving end of a [`channel`]. `receiver.await` is [`recv`](Self::recv) for one that is not
/// needed any more.
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Receiver<T> {
    /// Waits for the message.
    ///
    /// It is a checkpoint. If this is cancelled or dropped, the message is not lost: the next call
    /// gets it.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled), or [`SenderGone`] if there is no message and none will come.
    #[track_caller]
    pub fn recv(&mut self) -> impl Future<Output = Result<T>> + Unpin {
        Receiving(until(SenderDone(&*self.shared), Location::caller()))
    }

    /// Takes the message, if it is there. This is not a checkpoint.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        budget::count();
        match self.shared.message.take() {
            Some(message) => Ok(message),
            None if self.shared.sender.get() == End::Closed => Err(TryRecvError::Ended),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Closes the channel: from now on sending fails. A message that was sent before can still be
    /// received.
    pub fn close(&mut self) {
        self.shared.close();
    }
}

impl<T> Drop for Receiver<T> {
    #[inline]
    fn drop(&mut self) {
        // Otherwise there is nobody to tell, and nothing else that keeps the message.
        if self.shared.sender.get() == End::Open {
            self.shared.close(); // foreign code
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("oneshot::Receiver").finish_non_exhaustive()
    }
}

impl<T> IntoFuture for Receiver<T> {
    type Output = Result<T>;
    type IntoFuture = Recv<T>;

    #[inline]
    #[track_caller]
    fn into_future(self) -> Recv<T> {
        Recv(Receiving(until(SenderDone(self), Location::caller())))
    }
}

/// The future of a [`Receiver`].
#[must_use = "futures do nothing unless awaited"]
pub struct Recv<T>(Receiving<Receiver<T>>);

impl<T> Future for Recv<T> {
    type Output = Result<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        Pin::new(&mut self.get_mut().0).poll(cx)
    }
}

impl<T> fmt::Debug for Recv<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("oneshot::Recv").finish_non_exhaustive()
    }
}

/// A future that receives.
#[must_use = "futures do nothing unless awaited"]
struct Receiving<S: Holder>(Doing<Until<SenderDone<S>>>);

/// The receiver, or what one that is lent shares with the sender.
trait Holder {
    type Message;

    fn shared(&self) -> &Shared<Self::Message>;
}

impl<T> Holder for &Shared<T> {
    type Message = T;

    #[inline(always)]
    fn shared(&self) -> &Shared<T> {
        self
    }
}

impl<T> Holder for Receiver<T> {
    type Message = T;

    #[inline(always)]
    fn shared(&self) -> &Shared<T> {
        &self.shared
    }
}

impl<S: Holder> Future for Receiving<S> {
    type Output = Result<S::Message>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let doing = &mut self.get_mut().0;
        let polled = Pin::new(&mut *doing).poll(cx);
        polled.map(|outcome| {
            outcome?;
            let Until { awaited: SenderDone(shared), place } = &doing.work;
            shared.shared().message.take().ok_or_else(|| gone(shared.shared(), place))
        })
    }
}

#[cold]
fn gone<T>(shared: &Shared<T>, place: &'static Location<'static>) -> Error {
    let (made, cancelled) = (shared.made, shared.rest().cancelled.get().cloned());
    Error::from(SenderGone { made, cancelled }).at(place)
}

/// That the sender is gone, with or without having sent.
struct SenderDone<S>(S);

impl<S: Holder> Awaited for SenderDone<S> {
    const NAME: &'static str = "oneshot::Receiver::recv";

    // The message stays where it is until the receiver returns with it.
    fn queue(&self) -> &Waiters<Told> {
        &self.0.shared().rest().other
    }

    #[inline(always)]
    fn is_so(&self) -> bool {
        self.0.shared().sender.get() == End::Closed
    }
}

struct ReceiverGone<'a, T>(&'a Shared<T>);

impl<T> Awaited for ReceiverGone<'_, T> {
    const NAME: &'static str = "oneshot::Sender::closed";

    fn queue(&self) -> &Waiters<Told> {
        &self.0.rest().other
    }

    fn is_so(&self) -> bool {
        self.0.receiver.get() == End::Closed
    }
}

/// There is no message and none will come: the sender is gone. Either it has not sent one, or the
/// message has already been received.
#[derive(Clone, Debug)]
pub struct SenderGone {
    made: &'static Location<'static>,
    cancelled: Option<Cancelled>,
}

impl SenderGone {
    /// Where the channel was made.
    #[must_use]
    pub fn made(&self) -> &'static Location<'static> {
        self.made
    }

    /// The cancellation in which the sender was dropped, if there was one.
    ///
    /// It was the sender's, not the receiver's, so it is not a
    /// [source](std::error::Error::source) of this error, which no scope absorbs.
    #[must_use]
    pub fn cancelled(&self) -> Option<&Cancelled> {
        self.cancelled.as_ref()
    }
}

impl fmt::Display for SenderGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made = self.made;
        write!(
            f,
            "no message will come: the sender of the oneshot channel made at {made} is gone"
        )?;
        match &self.cancelled {
            Some(cancelled) => write!(f, "; its task was cancelled ({cancelled})"),
            None => Ok(()),
        }
    }
}

impl StdError for SenderGone {}
