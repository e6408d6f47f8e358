//! Time: sleeping and clocks, and what a run waits for outside itself (C2, C3, R6, R9).

#[path = "../support/mod.rs"]
mod support;

mod intervals;
#[cfg(unix)]
mod outside;
mod sleeping;
