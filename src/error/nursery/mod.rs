//! What nurseries and their tasks fail with, other than a [`Group`](super::Group).
//!
//! | file | concept |
//! |---|---|
//! | `spawned` | which task: where it was spawned, and its name |
//! | `task_cancelled` | [`TaskCancelled`]: a task was cancelled by its handle |
//! | `no_value` | [`NoValue`]: a body was interrupted before it had its value |
//! | `empty_race` | [`EmptyRace`]: there was nothing to race |

mod empty_race;
mod no_value;
mod spawned;
mod task_cancelled;

pub use empty_race::EmptyRace;
pub use no_value::NoValue;
pub(crate) use spawned::{Named, Spawned};
pub use task_cancelled::TaskCancelled;
