//! Drives a browser without a window, for the tests of whatever has a page.
//!
//! [`Chromium`] is the process, [`DevTools`] says what to do and hears what happens, and
//! [`Program`] is the server that is tested, as a process of its own.

mod chromium;
mod devtools;
mod program;

pub use chromium::Chromium;
pub use devtools::{DevTools, Page};
pub use program::Program;
