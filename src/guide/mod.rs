//! How to use this crate, chapter by chapter. This module contains only text.

pub mod any_crate;
pub mod cancellation;
pub mod errors;
pub mod flows;
pub mod generators;
pub mod https;
pub mod inside_tokio;
pub mod nurseries;
pub mod other_runtimes;
pub mod scheduling;
pub mod testing;
pub mod websockets;
pub mod what_is_it_doing;
