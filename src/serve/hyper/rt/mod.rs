//! hyper's runtime traits (its `rt`), and the types that implement them.
//!
//! | file | concept |
//! |---|---|
//! | `io` | reading and writing a stream |
//! | `thread_bound` | what stays on its thread, inside a type that others require to be `Send` |
//! | `shared` | a stream that hyper shares with whoever drives the connection |
//! | `timer` | sleeping |
//! | `executor` | spawning |

pub(crate) mod executor;
pub(crate) mod io;
pub(crate) mod shared;
pub(crate) mod thread_bound;
pub(crate) mod timer;
