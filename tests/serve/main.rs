//! Serving connections: S1, S2 and S7. (HTTP is in `tests/http`.)
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod parting;
mod serving;
