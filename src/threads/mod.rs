//! Other threads: blocking work that is done there, and the way back to a run.
//!
//! | file | concept |
//! |---|---|
//! | `to_thread` | the future that waits for such work |
//! | `stop` | asking such work to stop between two steps |
//! | `job` | the work on its way to a thread, and its outcome on the way back |
//! | `pool` | the threads of the process |
//! | `affinity` | the cores these run on |
//! | `surroundings` | what surrounds a run's code there |
//! | `elsewhere` | what other runtimes do for a run, on threads of theirs |
//! | `token` | the way back to a run from any thread |
//! | `channel` | messages from any thread to a task, and back |

#[cfg(not(loom))]
pub(crate) mod affinity;
mod channel;
pub(crate) mod elsewhere;
pub(crate) mod job;
mod pool;
pub(crate) mod stop;
pub(crate) mod surroundings;
mod to_thread;
mod token;

pub use channel::{ThreadReceiver, ThreadSender, ThreadSink, ThreadStream, thread_channel};
pub(crate) use to_thread::{DEFAULT_LIMITER, DefaultLimiter};
pub use to_thread::{ToThread, current_default_thread_limiter, to_thread};
pub use token::Token;
