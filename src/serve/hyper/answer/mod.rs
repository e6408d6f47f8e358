//! The answer to a request.
//!
//! | file | concept |
//! |---|---|
//! | `body` | the body that a handler gives its answer |
//! | `frames` | the frames of a body, from the task that makes them to hyper |
//! | `outgoing` | a body on its way through hyper |
//! | `cut_off` | what hyper is told when an answer fails |
//! | `upgrade` | answers after which the connection goes on with another protocol |
//! | `websocket` | the answer to a client that asks for a WebSocket |

pub(crate) mod body;
pub(crate) mod cut_off;
pub(crate) mod frames;
pub(crate) mod outgoing;
pub(crate) mod upgrade;
mod websocket;
