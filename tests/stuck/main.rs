//! What is stuck is reported.

#[path = "../support/mod.rs"]
mod support;

mod futurelock;
mod stuck_tasks;
