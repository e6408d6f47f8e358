//! Calls and wakes that other threads leave for a run.
//!
//! | file | concept |
//! |---|---|
//! | `calls` | functions that other threads want called, and the gate that lets them in |
//! | `inbox` | calls and wakes together, and the run's sleep, which they interrupt |
//! | `registry` | the runs of the process, by their slots |
//! | `wakes` | the units that other threads have woken, each once |

pub(crate) mod calls;
pub(crate) mod inbox;
pub(crate) mod registry;
pub(crate) mod wakes;
