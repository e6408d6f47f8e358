//! Tools for testing programs that use this crate: [`explore`] runs a program under every schedule,
//! and [`VirtualClock`] jumps ahead when there is nothing to do. The [guide](crate::guide::testing)
//! shows how to use them.
//!
//! | file | concept |
//! |---|---|
//! | `explore` | running a program under one schedule after another |
//! | `schedule` | a schedule as a string |
//! | `decisions` | the decisions that one run makes, and is told to make |
//! | `search` | which schedules there are, and in which order they are tried |
//! | `shorten` | a simpler schedule that fails too |
//! | `failure` | a schedule under which the program fails, and its text |
//! | `panic_reports` | keeping expected panics off the screen |
//! | `statistics` | counting what a run contains |

pub(crate) mod decisions;
mod explore;
mod failure;
mod panic_reports;
mod schedule;
mod search;
mod shorten;
mod statistics;

pub use explore::{Explore, Report, explore};
pub use failure::{Failure, FailureKind};
pub use schedule::{NotASchedule, Schedule};
pub use statistics::{Statistics, statistics};

pub use crate::platform::virtual_clock::VirtualClock;
