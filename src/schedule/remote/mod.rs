//! Calls and wakes that other threads leave for a run, and runs that are not the present one of their
//! thread.
//!
//! | file | concept |
//! |---|---|
//! | `away` | runs that go on but are not the present one of their thread |
//! | `calls` | functions that other threads want called, and the gate that lets them in |
//! | `inbox` | calls and wakes together, and the run's sleep, which they interrupt |
//! | `registry` | the runs of the process, by their slots |
//! | `wakes` | the units that other threads have woken, each once |

pub(crate) mod away;
pub(crate) mod calls;
pub(crate) mod inbox;
pub(crate) mod registry;
pub(crate) mod wakes;
