//! Locks: a value for one task at a time, or for several readers.
//!
//! | file | concept |
//! |---|---|
//! | `mutex` | a value that one task has at a time |
//! | `rwlock` | a value that several tasks read, or one writes |
//! | `condition` | waiting for something that others do to a mutex's value |

mod condition;
mod mutex;
mod rwlock;

pub use condition::Condition;
pub use mutex::{MappedMutexGuard, Mutex, MutexGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
