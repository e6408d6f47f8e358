//! Means for testing programs that run on this crate.

pub use crate::time::clock::VirtualClock;
