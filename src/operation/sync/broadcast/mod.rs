//! A channel whose messages go to all receivers.
//!
//! ```
//! use seedbed::{nursery, sync::broadcast::{self, WhenFull}};
//!
//! seedbed::run(async {
//!     let (sender, receiver) = broadcast::channel(16, WhenFull::DropOldest);
//!     nursery(async |n| {
//!         for _ in 0..2 {
//!             let mut receiver = receiver.clone();
//!             n.spawn(async move {
//!                 assert_eq!(receiver.recv().await?, Some("hello"));
//!                 assert_eq!(receiver.recv().await?, Some("all"));
//!                 assert_eq!(receiver.recv().await?, None);
//!                 Ok(())
//!             });
//!         }
//!         sender.send("hello").await?;
//!         sender.send("all").await?;
//!         drop((sender, receiver));
//!         Ok(())
//!     })
//!     .await
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! A message is stored until all have received it who were receivers when it was sent. When as many
//! are stored as the channel has room for, the slowest receiver lags behind; [`WhenFull`] says who
//! suffers for that.
//!
//! A receiver counts as long as it exists: one that is kept and not used lags, too. Each receiver
//! gets a clone of the message, except the last, which gets the message itself. What is expensive
//! to clone is sent in an [`Rc`].

// | file | concept |
// |---|---|
// | `sender` | sending to all, and what is known of the receivers |
// | `receiver` | receiving, from where this receiver is |
// | `stream` | a receiver as a stream |
// | `stored` | the messages that some have yet to receive |

mod receiver;
mod sender;
mod stored;
mod stream;

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;

use crate::error::panic::FirstPanic;
use crate::operation::sync::broadcast::stored::Stored;
use crate::operation::sync::channel::Offered;
use crate::operation::waiters::{Told, Waiters};
pub use receiver::{Lagged, Receiver, TryRecvError};
pub use sender::Sender;

/// What happens to a message for which there is no room, because a receiver lags behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhenFull {
    /// The oldest message is dropped. Those who have yet to receive it miss it: their next
    /// [`recv`](Receiver::recv) fails with [`Lagged`]. Nobody is slowed down, and whoever lags
    /// behind can be cut off, by letting that error end its task.
    DropOldest,
    /// The sender waits until the slowest receiver has received the oldest message. Nobody misses
    /// anything, and one slow receiver slows all down.
    Wait,
}

/// Makes a channel that stores up to `capacity` messages.
///
/// # Panics
///
/// If the capacity is 0: there is nobody in particular to hand a message to.
#[track_caller]
#[must_use]
pub fn channel<T: Clone>(capacity: usize, when_full: WhenFull) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a broadcast channel needs room for at least one message");
    let shared = Rc::new(Shared {
        made: Location::caller(),
        capacity,
        when_full,
        stored: RefCell::new(Stored::new()),
        senders: Cell::new(1),
        receivers: Cell::new(0),
        reading: Waiters::new(),
        writing: Waiters::new(),
        no_receivers: Waiters::new(),
    });
    (Sender::new(shared.clone()), Receiver::new(shared))
}

struct Shared<T> {
    made: &'static Location<'static>,
    capacity: usize,
    when_full: WhenFull,
    stored: RefCell<Stored<T>>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    /// Receivers that have received all there is. They are only told that there is more, or no
    /// more: a message stays where it is until the receiver returns with it.
    reading: Waiters<Told>,
    /// Senders that wait for room, each with its message.
    writing: Waiters<Offered<T>>,
    /// Senders that wait until there are no receivers.
    no_receivers: Waiters<Told>,
}

impl<T> Shared<T> {
    /// Stores a message for all that receive, or gives it back if there is no room. This runs
    /// foreign code, when the message is stored.
    #[inline]
    fn put(&self, message: T) -> Result<(), T> {
        if self.when_full == WhenFull::Wait && (self.is_full() || self.writing.is_anybody()) {
            return Err(message);
        }
        self.store(message);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.stored.borrow().len() >= self.capacity
    }

    /// Stores a message, in place of the oldest if there is no room. This runs foreign code.
    #[inline]
    fn store(&self, message: T) {
        let oldest = if self.is_full() { self.stored.borrow_mut().drop_oldest() } else { None };
        self.stored.borrow_mut().push(message, self.receivers.get());
        let mut panic = FirstPanic::new();
        panic.catch(|| self.reading.serve_present(|_| {}));
        panic.catch(|| drop(oldest)); // foreign code
        panic.resume();
    }

    /// Whether a sender waits for room.
    #[inline]
    fn has_writers(&self) -> bool {
        self.when_full == WhenFull::Wait && self.writing.is_anybody()
    }

    /// There may be room: those that have waited longest send their messages. This runs foreign
    /// code.
    fn serve_writers(&self) {
        let mut panic = FirstPanic::new();
        while !self.is_full()
            && let Some(mut sender) = self.writing.next()
        {
            // Without receivers it keeps its message, which comes back.
            let message = if self.receivers.get() > 0 { sender.value().take() } else { None };
            let waker = sender.serve();
            if let Some(message) = message {
                panic.catch(|| self.store(message));
            }
            panic.catch(|| waker.wake()); // foreign code
        }
        panic.resume();
    }
}
