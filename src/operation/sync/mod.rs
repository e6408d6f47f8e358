//! Synchronization between tasks of one thread.
//!
//! | file | concept |
//! |---|---|
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
