//! Other threads: what they may do to a runtime, and how it learns of it.
//!
//! Each runtime has an inbox. Another thread finds it by number, puts in a wake or a call, and
//! interrupts the reactor's sleep. Nothing else is shared.
//!
//! | file | concept |
//! |---|---|
//! | `inbox` | wakes and calls on their way to a runtime, and its sleep |
//! | `registry` | the inboxes of the process, by number |
//! | `token` | calls and tasks for a runtime |
//! | `cancel_handle` | cancels a scope |

pub(crate) mod cancel_handle;
pub(crate) mod inbox;
pub(crate) mod registry;
mod token;

pub use cancel_handle::CancelHandle;
pub use token::Token;
