//! Means for testing programs that run on this crate: [`explore`] runs one under every schedule,
//! [`VirtualClock`] jumps where there is nothing to do. The [guide](crate::guide::testing) shows
//! how.
//!
//! | file | concept |
//! |---|---|
//! | `explore` | runs a program under one schedule after the other |
//! | `schedule` | a schedule as a string |
//! | `decisions` | what one run decides, and is told to |
//! | `search` | which schedules there are, and in which order they are tried |
//! | `shorten` | a simpler schedule that fails as well |
//! | `failure` | what was found |
//! | `quiet` | panics that are not reported |
//! | `statistics` | what a run holds |

pub(crate) mod decisions;
mod explore;
mod failure;
mod quiet;
mod schedule;
mod search;
mod shorten;
mod statistics;

pub use explore::{Explore, Report, explore};
pub use failure::{Failure, FailureKind};
pub use schedule::{NotASchedule, Schedule};
pub use statistics::{Statistics, statistics};

pub use crate::platform::clock::VirtualClock;
