//! Serving: a handler for each connection, in a nursery.
//!
//! | file or folder | concept |
//! |---|---|
//! | `server` | a server: its settings, how it runs and how it ends |
//! | `listener` | the source of connections |
//! | `accept` | accepting connections, including the last of them |
//! | `accept_error` | what happens when accepting fails |
//! | `connection` | one connection: its handler, and what becomes of the handler's outcome |
//! | `connections` | how many there are, and may be |
//! | `shutdown` | the shutdown |
//! | `ending_signal` | a signal that ends the shutdown's grace |
//! | `until_ending` | what stops at once when the server is ending |
//! | `parting` | a connection that is over for its handler, but not yet for its client |
//! | `panicked` | handlers that panic |
//! | `reports` | reports about failing connections, and a limit on their number |
//! | `hyper/` | HTTP |

mod accept;
mod accept_error;
mod connection;
mod connections;
#[cfg(feature = "signal")]
mod ending_signal;
#[cfg(feature = "hyper")]
pub mod hyper;
mod listener;
pub(crate) mod panicked;
mod parting;
pub(crate) mod reports;
mod server;
mod shutdown;
pub(crate) mod until_ending;

pub use listener::Listener;
pub use panicked::HandlerPanicked;
pub use server::{Server, serve};
