//! What is stuck is reported.

#[path = "../support/mod.rs"]
mod support;

mod dumps;
mod futurelock;
mod stuck_tasks;
