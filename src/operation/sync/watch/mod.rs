//! A value that is watched: receivers see the latest, and wait for it to change.
//!
//! ```
//! use seedbed::{nursery, sync::watch};
//!
//! seedbed::run(async {
//!     let (sender, mut receiver) = watch::channel("starting");
//!     nursery(async |n| {
//!         n.spawn(async move {
//!             while let Some(()) = receiver.changed().await? {
//!                 if *receiver.borrow_and_update() == "ready" {
//!                     return Ok(());
//!                 }
//!             }
//!             unreachable!("the sender is not dropped before")
//!         });
//!         sender.send("loading")?;
//!         sender.send("ready")?; // a receiver need not see every value, but sees the last one
//!         Ok(())
//!     })
//!     .await
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! A value that was [borrowed](Receiver::borrow) is a snapshot. It can be kept across an await, and
//! never makes a sender wait or fail: when a new value is sent meanwhile, the old one stays alive
//! for as long as it is looked at. (tokio's borrows are locks, and can deadlock.)

// | file | concept |
// |---|---|
// | `sender` | changing the value, and what is known of the receivers |
// | `receiver` | looking at the value, and waiting for it to change |
// | `stream` | a receiver as a stream |

mod receiver;
mod sender;
mod stream;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use crate::operation::waiters::{Told, Waiters};
pub use receiver::Receiver;
pub use sender::Sender;

/// Makes a channel whose value is `value` to begin with. The receiver has seen that one.
#[must_use]
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        value: RefCell::new(Rc::new(value)),
        version: Cell::new(0),
        senders: Cell::new(1),
        receivers: Cell::new(0),
        changes: Waiters::new(),
        no_receivers: Waiters::new(),
    });
    (Sender::new(shared.clone()), Receiver::new(shared))
}

struct Shared<T> {
    /// Borrowed only for as long as it takes to replace it, or a user's function to change it.
    value: RefCell<Rc<T>>,
    /// How often the value was changed.
    version: Cell<u64>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    /// Receivers that wait for a change.
    changes: Waiters<Told>,
    /// Senders that wait until there are no receivers.
    no_receivers: Waiters<Told>,
}

impl<T> Shared<T> {
    #[track_caller]
    fn snapshot(&self) -> Ref<T> {
        match self.value.try_borrow() {
            Ok(value) => Ref(value.clone()),
            Err(_) => panic!("a function that modifies a watched value must not borrow it"),
        }
    }

    /// The value has changed. This runs foreign code.
    fn tell(&self) {
        self.version.set(self.version.get() + 1);
        self.changes.serve_present(|_| {});
    }
}

/// A value that is, or was, the latest. It stays as it is, whatever is sent meanwhile.
pub struct Ref<T>(Rc<T>);

impl<T> Deref for Ref<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Clone for Ref<T> {
    fn clone(&self) -> Self {
        Ref(self.0.clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
