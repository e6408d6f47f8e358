//! What a task can wait for, and what every such operation is made of.
//!
//! | file | concept |
//! |---|---|
//! | `skeleton` | what every operation is made of, apart from its work; how to write a new one |
//! | `queued` | one that waits in a queue |
//! | `checkpoint` | the operation that does nothing else |
//! | `waiters` | the queue of operations that wait for the same thing |
//! | `handed` | what was handed to an operation and not fetched yet |
//! | `cancellable` | a future of another library as an operation |
//! | `until_stopped` | waiting until a graceful stop begins |
//! | `sync/` | events, channels, limiters |
//! | `time/` | sleeping |

pub(crate) mod cancellable;
pub(crate) mod checkpoint;
pub(crate) mod handed;
pub(crate) mod queued;
pub(crate) mod skeleton;
pub(crate) mod sync;
pub(crate) mod time;
pub(crate) mod until_stopped;
pub(crate) mod waiters;

pub use cancellable::{Cancellable, cancellable};
pub use until_stopped::until_stopped;
