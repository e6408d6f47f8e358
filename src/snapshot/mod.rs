//! Taking a picture of a run: reading what it consists of, without polling anything.
//!
//! It reads through the parts that each room below lends, and does not know the run.
//!
//! | file or folder | concept |
//! |---|---|
//! | `dump` | a dump, as a list |
//! | `take` | taking it: reading what a run consists of |
//! | `scopes` | the scopes of a run, by what they are in |
//! | `wakes` | what will wake each unit |
//! | `text/` | a dump as text, in which what is alike is folded |
//! | `part` | a part of a dump |
//! | `json` | a dump as JSON |
//! | `changes` | what has changed from one dump to the next, as JSON |
//! | `remote` | asking a run from another thread: a dump |
//! | `on_signal` | a dump when a signal comes |
//! | `console` | what `tokio-console` is told of a task, and when it begins to listen |

pub(crate) mod changes;
#[cfg(feature = "console")]
pub(crate) mod console;
pub(crate) mod dump;
pub(crate) mod json;
#[cfg(all(unix, not(loom), feature = "signal"))]
pub(crate) mod on_signal;
mod part;
pub(crate) mod remote;
mod scopes;
mod take;
mod text;
mod wakes;
