//! A request.
//!
//! | file | concept |
//! |---|---|
//! | `service` | what hyper calls, and what it polls for the answer |
//! | `job` | the tasks of a request: its handler, and what makes the answer's body |
//! | `failures` | what becomes of what goes wrong in them: the report, and the answer 500 |
//! | `peer` | where a request comes from |

pub(crate) mod failures;
mod job;
pub(crate) mod peer;
pub(crate) mod service;
