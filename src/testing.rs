//! Means for testing programs that run on this crate.

mod statistics;

pub use crate::time::clock::VirtualClock;
pub use statistics::{Statistics, statistics};
