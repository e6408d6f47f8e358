//! hyper's runtime traits (its `rt`), and the types that implement them.
//!
//! | file | concept |
//! |---|---|
//! | `io` | reading and writing a stream |
//! | `on_thread` | a stream that stays on its thread, though hyper wants it to be `Send` |
//! | `shared` | a stream that hyper shares with whoever drives the connection |
//! | `timer` | sleeping |
//! | `executor` | spawning |

pub(crate) mod executor;
pub(crate) mod io;
mod on_thread;
pub(crate) mod shared;
pub(crate) mod timer;
