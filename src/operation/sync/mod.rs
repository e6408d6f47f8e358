//! Synchronization between tasks of one thread.
//!
//! | file | concept |
//! |---|---|
//! | `waiters` | a fair queue of waiting operations, under all the rest |
//! | `handed` | what was handed to a waiter and not fetched yet, where only one can have it |
//! | `event` | something that happens once |
//! | `channel` | bounded and rendezvous channels |
//! | `limiter` | a limit on how much goes on at once |

mod channel;
mod event;
mod limiter;

pub use channel::{
    Closed, Receiver, Recv, SendError, Sender, Sending, TryRecvError, TrySendError, channel,
};
pub use event::{Event, EventWait};
pub use limiter::{Acquire, CapacityLimiter, Permit};
