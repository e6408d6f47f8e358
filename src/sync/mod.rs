//! Synchronization between tasks of one thread.
//!
//! | file | concept |
//! |---|---|
//! | `waiters` | a fair queue of waiting operations, under all the rest |
//! | `event` | something that happens once |
//! | `channel` | bounded and rendezvous channels |

mod channel;
mod event;
mod waiters;

pub use channel::{
    Closed, Receiver, Recv, Send, SendError, Sender, TryRecvError, TrySendError, channel,
};
pub use event::{Event, EventWait};
