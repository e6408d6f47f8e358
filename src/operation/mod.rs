//! The operations that a task can wait for, and the parts that they share.
//!
//! | file | concept |
//! |---|---|
//! | `skeleton` | the steps of every operation, and the one place where all of them wait |
//! | `queued` | an operation that waits in a queue |
//! | `streaming` | an operation that is polled as a stream or a sink |
//! | `waiters` | the queue of operations that wait for the same thing |
//! | `handed` | exclusive things delivered to operations that have not fetched them yet |
//! | `checkpoint` | the operation that does nothing else |
//! | `paid` | an operation through a trait of another library |
//! | `cancellable` | a future from another library as an operation |
//! | `cancellable_stream` | a stream or a sink from another library, each of whose items is one |
//! | `until_stopped` | waiting until a graceful stop begins |
//! | `sync/` | events, channels, limiters, locks and the like |
//! | `time/` | sleeping |
//!
//! # A new primitive
//!
//! A primitive has a [queue](waiters) and defines only what is specific to it; [`queued`] and the
//! [`skeleton`] do the rest. This would be a mutex (the real ones are made of
//! `sync/permits`, which can also be several):
//!
//! ```text
//! pub fn lock(&self) -> impl Future<Output = Result<MutexGuard<'_, T>>> {
//!     Doing::new(Locking { mutex: self, place: Location::caller() })
//! }
//!
//! impl<'a, T> Queued for Locking<'a, T> {
//!     const NAME: &'static str = "Mutex::lock";
//!     const COUNTS_WHEN_CANCELLED: u8 = 2;               // the first look fails
//!     // Only one can have it: if it is handed and never fetched, that is reported.
//!     const ALONE: Option<Exclusive> = Some(Exclusive::Permit);
//!     type Value = ();
//!     type Got = MutexGuard<'a, T>;
//!
//!     fn queue(&self) -> &Waiters<()> { &self.mutex.waiters }
//!     fn attempt(&mut self, _: When) -> Tried<Self::Got> {
//!         if self.mutex.locked.replace(true) { Tried::Waits } else { Tried::Done(self.guard()) }
//!     }
//!     fn receive(&mut self, (): ()) -> Self::Got { self.guard() }  // handed it while it waited
//!     fn pass_on(&mut self, (): ()) { self.mutex.unlock() }        // dropped before it knew
//! }
//!
//! fn unlock(&self) {
//!     match self.waiters.next() {
//!         Some(next) => next.serve_alone(Exclusive::Permit).wake(), // foreign code
//!         None => self.locked.set(false),
//!     }
//! }
//! ```

pub(crate) mod cancellable;
pub(crate) mod cancellable_stream;
pub(crate) mod checkpoint;
pub(crate) mod handed;
pub(crate) mod paid;
pub(crate) mod queued;
pub(crate) mod skeleton;
pub(crate) mod streaming;
pub mod sync;
pub(crate) mod time;
pub(crate) mod until_stopped;
pub(crate) mod waiters;

pub use cancellable::{Cancellable, cancellable};
pub use cancellable_stream::{CancellableStream, cancellable_stream};
pub use until_stopped::until_stopped;
