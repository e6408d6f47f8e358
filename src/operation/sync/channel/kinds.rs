//! Channels whose senders never wait.

use crate::operation::sync::channel::{Receiver, Sender, WhenFull, with_capacity};

/// Makes a channel that stores any number of messages, so that sending never waits.
///
/// `send` is a checkpoint nevertheless, and [`try_send`](Sender::try_send) is not. If messages come
/// faster than they are received, they take up more and more memory. A [`channel`](fn@crate::channel)
/// that makes the sender wait is nearly always the better choice.
///
/// ```
/// use seedbed::sync::unbounded_channel;
///
/// seedbed::run(async {
///     let (sender, receiver) = unbounded_channel();
///     for i in 0..1000 {
///         sender.send(i).await?;
///     }
///     assert_eq!(receiver.len(), 1000);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[must_use]
pub fn unbounded_channel<T>() -> (Sender<T>, Receiver<T>) {
    with_capacity(usize::MAX, WhenFull::Wait)
}

/// Makes a channel that stores the latest message only: a message that was not received is dropped
/// when the next one is sent. So sending never waits. This is Kotlin's `CONFLATED` channel.
///
/// Each message is received by one receiver at most. For a value that all receivers look at, there
/// is [`watch`](mod@crate::sync::watch).
///
/// A message is conflated only while it is stored: one that was given to a receiver is received.
/// If that receiver is dropped before it has returned with the message, the message comes back, and
/// is dropped if there is a later one.
///
/// ```
/// use seedbed::sync::conflated_channel;
///
/// seedbed::run(async {
///     let (sender, receiver) = conflated_channel();
///     for progress in 0..=100 {
///         sender.send(progress).await?;
///     }
///     assert_eq!(receiver.recv().await?, Some(100));
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
#[must_use]
pub fn conflated_channel<T>() -> (Sender<T>, Receiver<T>) {
    with_capacity(1, WhenFull::DropOldest)
}
