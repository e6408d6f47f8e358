//! Structured concurrency on one thread.
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod checkpoint;
mod context;
mod context_manager;
mod coop;
mod error;
mod frame;
mod generator;
#[cfg(unix)]
pub mod net;
mod nursery;
mod run;
mod safe_channel;
mod scope;
#[cfg(unix)]
pub mod signal;
#[cfg(not(unix))]
mod signal;
mod sync;
pub mod testing;
mod time;
#[cfg(all(unix, feature = "tokio-io"))]
mod tokio_io;
mod wake;

pub use checkpoint::{Checkpoint, checkpoint, yield_now};
pub use context_manager::{
    BodyPanicked, ContextManager, ContextManagerMisused, context_manager, with,
};
pub use error::*;
pub use frame::{PreventYields, prevent_yields};
pub use generator::*;
pub use nursery::{Nursery, NurseryHandle, Started, Task, nursery};
pub use run::{Builder, run};
pub use safe_channel::{Feed, safe_channel};
pub use scope::{
    CancelScope, Cancellable, cancel_scope, cancellable, current_effective_deadline, fail_after,
    fail_at, finishing, move_on_after, move_on_at,
};
pub use sync::{
    Closed, Event, EventWait, Receiver, Recv, Send, SendError, Sender, TryRecvError, TrySendError,
    channel,
};
pub use time::{Interval, Sleep, interval, now, sleep, sleep_forever, sleep_until};
