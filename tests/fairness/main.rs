//! R7: whatever a task does, others have their turn, and it learns of its cancellation.

mod no_checkpoint;
mod starving;
