//! L2: what holds the thread of a run is named while it does, and so is a function on another thread
//! that a run has to wait for at its end.
//!
//! Nothing here measures time. What blocks does so until it has been warned of.

#[path = "../support/mod.rs"]
mod support;

mod hears;
mod holders;
mod jobs;
mod runs;

use std::panic::Location;

/// The text of a place in the same file, so many lines after the caller's.
#[track_caller]
fn place(lines_later: u32) -> String {
    let here = Location::caller();
    format!("{}:{}:", here.file(), here.line() + lines_later)
}
