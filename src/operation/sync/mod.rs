//! Synchronization between tasks: locks, notifications, and further channels.
//!
//! | for | see |
//! |---|---|
//! | one task at a time, across an await | [`Mutex`] |
//! | several readers or one writer | [`RwLock`] |
//! | a change of a mutex's value | [`Condition`] |
//! | a limit on how much happens at once | [`CapacityLimiter`](crate::CapacityLimiter) |
//! | several permits at once | [`Semaphore`] |
//! | something that happens once | [`Event`](crate::Event) |
//! | telling one task, or all that wait, to go on | [`Notify`] |
//! | waiting until enough tasks are there | [`Barrier`] |
//! | a value that the first task to need it makes | [`OnceCell`] |
//! | the latest of a value that changes | [`watch`] |
//! | one message | [`oneshot`] |
//! | messages, each to all receivers | [`broadcast`] |
//! | the latest of messages, or any number of them, each to one receiver | [`conflated_channel`], [`unbounded_channel`] |
//! | messages, each to one receiver | [`channel`](fn@crate::channel) |
//!
//! All are for tasks of one thread. What passes between threads goes through a
//! [`thread_channel`](crate::thread_channel) or a [`Token`](crate::Token).
//!
//! # What they have in common
//!
//! * Each function that returns a future is a [checkpoint](crate::checkpoint()).
//! * First come, first served: who has waited longest is next, and nobody who comes later gets
//!   ahead.
//! * Once a task was given what it waits for, it has it, even if it is cancelled before it runs.
//!   If the future is dropped instead, what it was given goes to the next task.
//! * Nothing is lost or doubled by a cancellation, a dropped future, or a panic.
//! * If a task was given a lock, a permit or a message and does not poll the future that it was
//!   given to, this [is reported](crate::guide::scheduling#a-stuck-task-says-so).

// | file | concept |
// |---|---|
// | `event` | something that happens once |
// | `channel` | bounded and rendezvous channels |
// | `limiter` | a limit on how much goes on at once |
// | `permits` | what locks and semaphores are made of |
// | `lock` | a value for one task at a time, or for several readers; conditions |
// | `semaphore` | permits for several things at once |
// | `notify` | telling tasks to go on: one, or all that wait |
// | `barrier` | a place where tasks wait until enough of them are there |
// | `once_cell` | a value that is made by the first task that needs it |
// | `broadcast` | a channel whose messages go to all receivers |
// | `oneshot` | a channel for one message |
// | `watch` | a value that is watched |
// | `until` | waiting until something is so, where those that wait are given nothing |

mod barrier;
pub mod broadcast;
pub(crate) mod channel;
pub(crate) mod event;
pub(crate) mod limiter;
mod lock;
mod notify;
mod once_cell;
pub mod oneshot;
mod permits;
mod semaphore;
mod until;
pub mod watch;

pub use barrier::{Barrier, BarrierWaitResult};
pub use channel::{conflated_channel, unbounded_channel};
pub use lock::{
    Condition, MappedMutexGuard, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
pub use notify::Notify;
pub use once_cell::OnceCell;
pub use semaphore::{
    OwnedSemaphorePermit, PermitOf, Semaphore, SemaphoreClosed, SemaphorePermit, TryAcquireError,
};
