//! R7: whatever a task does, others have their turn, and it learns of its cancellation.

#[cfg(feature = "fs")]
mod files;
mod no_checkpoint;
mod starving;
