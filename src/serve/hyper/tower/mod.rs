//! Services of the crate `tower`, such as axum's routers. This needs the feature `tower`.
//!
//! | file | concept |
//! |---|---|
//! | `serve` | a service that is served |
//! | `call` | the call of a service, for one request |
//! | `left` | futures of this crate that a service has dropped half-way |
//! | `on_thread` | what is `Send` because it stays on its thread |
//! | `local_answer` | an answer of this crate that goes through a service |

mod call;
mod left;
pub(super) mod local_answer;
pub(super) mod on_thread;
pub(super) mod serve;
