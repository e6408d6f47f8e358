//! A request.
//!
//! | file | concept |
//! |---|---|
//! | `service` | the service that hyper calls, and the future that it polls for the answer |
//! | `job` | the tasks of a request: its handler, and the one that makes the answer's body |
//! | `failures` | what becomes of failures in these tasks: the report, and the answer 500 |
//! | `peer` | where a request comes from |

pub(crate) mod failures;
mod job;
pub(crate) mod peer;
pub(crate) mod service;
