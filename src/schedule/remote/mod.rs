//! What other threads leave for a run.
//!
//! | file | concept |
//! |---|---|
//! | `inbox` | wakes and calls from other threads, until the run takes them |
//! | `registry` | the runs of the process, by their slots |

pub(crate) mod inbox;
pub(crate) mod registry;
