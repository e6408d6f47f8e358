//! Libraries that need tokio's runtime: its sockets, its timers, or its `spawn`. With the feature
//! `tokio`.
//!
//! A [`Companion`] is a tokio runtime that belongs to a run. Its context is entered wherever code of
//! the run is polled, so that such libraries work there as they are, and each use of one is a
//! [`call`]:
//!
//! ```
//! use std::time::Duration;
//! use seedbed::tokio::{Companion, call};
//! use seedbed::{Builder, fail_after};
//! use tokio::net::TcpStream;
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let address = listener.local_addr()?;
//!
//! Builder::new().tokio(Companion::new()).run(async {
//!     let stream = fail_after(Duration::from_secs(5), call(TcpStream::connect(address))).await?;
//!     assert_eq!(stream.peer_addr()?, address);
//!     Ok(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The guide [says more](crate::guide::any_crate).
//!
//! | file | concept |
//! |---|---|
//! | `companion` | the runtime: it begins and ends with a run, and surrounds its code |
//! | `call` | a future that waits for such a runtime |
//! | `on_cancel` | undoing a call that was cancelled |
//! | `host` | a tokio runtime as the host of a guest, a run inside a program of tokio's |
//! | `contents` | what is inside a call: any output, polled in the context of any runtime |

mod call;
mod companion;
mod contents;
#[cfg(unix)]
mod host;
mod on_cancel;

pub use call::{Call, call};
pub use companion::Companion;
pub use contents::{Output, Within};
