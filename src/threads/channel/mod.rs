//! A channel from any thread to a task, and back.
//!
//! | file | concept |
//! |---|---|
//! | `shared` | the messages, and what may be done with them, behind one lock |
//! | `queue` | those that wait at one end: tasks and threads |
//! | `send`, `recv` | the two ends, each for tasks and for threads |
//! | `sink`, `stream` | the two ends as a sink and a stream, for tasks |

mod queue;
mod recv;
mod send;
mod shared;
mod sink;
mod stream;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::task::Context;

use crate::error::panic::quietly;
use crate::error::{CallRefused, Error, Refusal, Result};
use crate::operation::checkpoint::checkpoint;
use crate::operation::sync::channel::{SendError, TryRecvError, TrySendError};
use crate::platform::Arc;
use crate::schedule::budget;
use crate::schedule::remote::away;
use crate::scope::watch::Watch;
use shared::Shared;
pub use sink::ThreadSink;
pub use stream::ThreadStream;

/// Makes a channel between tasks and other threads that stores up to `capacity` messages. With a
/// capacity of 0 it is a rendezvous: sending waits until a receiver takes the message.
///
/// Both ends can be cloned and sent to any thread, and both can be used in two ways: tasks
/// [`send`](ThreadSender::send) and [`recv`](ThreadReceiver::recv), which are awaited and can be
/// cancelled; threads without a `run` of their own [`blocking_send`](ThreadSender::blocking_send)
/// and [`blocking_recv`](ThreadReceiver::blocking_recv), which block. In a task they can also be a
/// [sink](ThreadSender::into_sink) and a [stream](ThreadReceiver::into_stream). So the same channel leads from
/// a thread to a task, from a task to a thread, or from one `run` to another.
///
/// Messages are received in the order in which they were sent, and whoever has waited longest is
/// served first, task or thread. As between tasks, nothing is lost by a cancellation or a dropped
/// future, and `None` comes only when no message is stored or can come back. A task that waits is
/// woken once for all messages that come before it runs;
/// [`recv_many`](ThreadReceiver::recv_many) receives them together.
///
/// Between tasks of one thread a [`channel`](fn@crate::channel) does the same without a lock.
///
/// A function in [`to_thread`](crate::to_thread()) that blocks here is waited for when the run
/// ends, so something has to end the channel: drop the other end before. While it blocks, a
/// [virtual clock](crate::testing::VirtualClock) does not jump, because the function counts as
/// going on. A run with [`detect_deadlock`](crate::Builder::detect_deadlock) does not know that a
/// thread of another origin has an end of a channel.
///
/// ```
/// use seedbed::{nursery, thread_channel, to_thread};
///
/// seedbed::run(async {
///     nursery(async |n| {
///         // They belong to the body: if it fails they are dropped, and the thread does not hang.
///         let (numbers, to_square) = thread_channel(8);
///         let (squared, squares) = thread_channel(8);
///         let square = to_thread(move || {
///             // on another thread
///             while let Some(number) = to_square.blocking_recv()? {
///                 squared.blocking_send(number * number)?;
///             }
///             Ok(()) // `squared` is dropped, which ends the loop below
///         });
///         n.spawn(async { square.await? });
///         n.spawn(async move {
///             for number in 1..=3 {
///                 numbers.send(number).await?;
///             }
///             Ok(()) // `numbers` is dropped, which ends the loop above
///         });
///         let mut sum = 0;
///         while let Some(square) = squares.recv().await? {
///             sum += square;
///         }
///         assert_eq!(sum, 14);
///         Ok(())
///     })
///     .await
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[must_use]
pub fn thread_channel<T>(capacity: usize) -> (ThreadSender<T>, ThreadReceiver<T>) {
    let shared = Arc::new(Shared::new(capacity));
    (ThreadSender { shared: shared.clone() }, ThreadReceiver { shared })
}

/// The wait of a task at one end.
struct Waits {
    /// The place in the queue.
    key: usize,
    watch: Watch,
}

impl Waits {
    /// If this was cancelled, the error. Foreign code runs.
    fn cancelled(&mut self, cx: &Context<'_>) -> Option<Error> {
        self.watch.arm(cx);
        self.watch.check().err()
    }

    /// The operation has its result, which must not be lost to a foreign waker that panics when it
    /// is dropped.
    fn end(&mut self) {
        quietly(|| self.watch.disarm());
    }
}

/// Fails on a thread that must not block, because it has a run to do.
fn refuse_on_a_run(place: &'static Location<'static>) -> Result<()> {
    if away::is_any_here() {
        return Err(Error::from(CallRefused::new(place, Refusal::WouldBlock)).at(place));
    }
    Ok(())
}

/// The sending end of a [`thread_channel`]. When the last one is dropped, the channel ends after
/// the messages in it.
pub struct ThreadSender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> ThreadSender<T> {
    /// Sends a message, in a task, once there is space for it.
    ///
    /// It is a checkpoint.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the message, if this was cancelled before the message was sent, or if
    /// the channel is closed or no longer has a receiver.
    #[track_caller]
    pub fn send(&self, message: T) -> impl Future<Output = Result<(), SendError<T>>> + Unpin {
        send::SendFuture::new(&self.shared, message, Location::caller())
    }

    /// Sends a message, on a thread without a run, and blocks until there is space for it.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the message, if the channel is closed or no longer has a receiver; or,
    /// with [`CallRefused`], if this thread has a [`run`](crate::run()) of its own, which would
    /// stand still.
    ///
    /// ```
    /// use seedbed::{CallRefused, thread_channel};
    ///
    /// let (sender, receiver) = thread_channel(1);
    /// sender.blocking_send(1)?; // in `main`, before `run`
    /// seedbed::run(async {
    ///     let error = sender.blocking_send(2).unwrap_err();
    ///     assert!(error.error().is::<CallRefused>());
    ///     assert_eq!(receiver.recv().await?, Some(1));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn blocking_send(&self, message: T) -> Result<(), SendError<T>> {
        send::block(&self.shared, message, Location::caller())
    }

    /// Sends a message if there is space, or a receiver that waits, now. It never blocks, and is
    /// not a checkpoint.
    ///
    /// # Errors
    ///
    /// [`TrySendError`], with the message.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        budget::count();
        self.shared.with(|state, wakes| state.put(message, wakes))
    }

    /// Ends the channel for all its senders. Messages in it can still be received. Whoever waits to
    /// send gets the message back.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Whether sending must fail, because the channel was closed or no receiver is left.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }

    /// How many messages are stored.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.lock().buffer.len()
    }

    /// Whether no message is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages the channel has room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }
}

/// The receiving end of a [`thread_channel`]. When the last one is dropped, sending fails, and the
/// messages in the channel are dropped.
pub struct ThreadReceiver<T> {
    shared: Arc<Shared<T>>,
}

impl<T> ThreadReceiver<T> {
    /// Receives the next message, in a task, once there is one; `None` when the channel has ended.
    ///
    /// It is a checkpoint. No message is lost if this is cancelled or dropped: the next `recv` gets
    /// it.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
    #[track_caller]
    pub fn recv(&self) -> impl Future<Output = Result<Option<T>>> + Unpin {
        recv::RecvFuture::new(&self.shared, Location::caller())
    }

    /// Receives what messages there are, up to `limit`, in a task, once there is one, and adds them
    /// to `into`. Returns how many these were: 0 when the channel has ended.
    ///
    /// It is one checkpoint, however many messages come. If it is cancelled or dropped, none was
    /// received.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled).
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
            let Some(first) = recv::RecvFuture::new(&self.shared, place).await? else {
                return Ok(0);
            };
            into.push(first);
            // From here on nothing waits, so all of it happens or nothing has.
            Ok(1 + self.shared.with(|state, wakes| {
                let mut more = 0;
                while 1 + more < limit
                    && let Some(next) = state.take(wakes)
                {
                    budget::count();
                    into.push(next.message);
                    more += 1;
                }
                more
            }))
        }
    }

    /// Receives the next message, on a thread without a run, and blocks until there is one; `None`
    /// when the channel has ended.
    ///
    /// # Errors
    ///
    /// [`CallRefused`] if this thread has a [`run`](crate::run()) of its own, which would stand
    /// still.
    #[track_caller]
    pub fn blocking_recv(&self) -> Result<Option<T>> {
        recv::block(&self.shared, Location::caller())
    }

    /// Receives a message if there is one now. It never blocks, and is not a checkpoint.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`].
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        budget::count();
        self.shared.with(|state, wakes| match state.take(wakes) {
            Some(taken) => Ok(taken.message),
            None if state.has_ended() => Err(TryRecvError::Ended),
            None => Err(TryRecvError::Empty),
        })
    }

    /// Closes the channel: from now on sending fails, and whoever waits to send gets the message
    /// back. Messages in it can still be received.
    pub fn close(&self) {
        self.shared.close();
    }

    /// How many messages are stored.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.lock().buffer.len()
    }

    /// Whether no message is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages the channel has room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }
}

impl<T> Clone for ThreadSender<T> {
    fn clone(&self) -> Self {
        self.shared.add_sender();
        ThreadSender { shared: self.shared.clone() }
    }
}

impl<T> Drop for ThreadSender<T> {
    fn drop(&mut self) {
        self.shared.remove_sender();
    }
}

impl<T> Clone for ThreadReceiver<T> {
    fn clone(&self) -> Self {
        self.shared.add_receiver();
        ThreadReceiver { shared: self.shared.clone() }
    }
}

impl<T> Drop for ThreadReceiver<T> {
    fn drop(&mut self) {
        self.shared.remove_receiver();
    }
}

impl<T> fmt::Debug for ThreadSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadSender").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ThreadReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadReceiver").field("buffered", &self.len()).finish_non_exhaustive()
    }
}
