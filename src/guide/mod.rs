//! How to use this crate, in chapters. There is no code in here.

pub mod cancellation;
pub mod errors;
pub mod generators;
pub mod nurseries;
pub mod other_runtimes;
pub mod scheduling;
pub mod testing;
