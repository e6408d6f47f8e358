//! The world outside the program: the network and TLS, pipes and other descriptors, signals,
//! processes, standard input and output, the reactor that waits for them, and files.
//!
//! | file or folder | concept |
//! |---|---|
//! | `reactor/` | the poll, and the sources registered with it |
//! | `net/` | TCP, UDP and Unix sockets, names |
//! | `fd/` | any other descriptor that can be polled |
//! | `pipe/` | pipes, with a path and without |
//! | `signal/` | signals of the operating system |
//! | `fs/` | files and directories |
//! | `process/` | child processes |
//! | `seen` | what there is to see of the sources of a run |
//! | `stdio/` | standard input and output |
//! | `tls/` | TLS over any stream |
//! | `by_reference` | the I/O traits of `futures`, for those whose `&` has them |
//! | `tokio_io` | tokio's I/O traits for all of these |

#[cfg(all(unix, not(loom), any(feature = "net", feature = "process")))]
mod by_reference;
#[cfg(all(unix, not(loom), feature = "net"))]
pub mod fd;
#[cfg(all(unix, not(loom), feature = "fs"))]
pub mod fs;
#[cfg(all(unix, not(loom), feature = "net"))]
pub mod net;
#[cfg(all(unix, not(loom), any(feature = "net", feature = "process")))]
pub mod pipe;
#[cfg(all(unix, not(loom), feature = "process"))]
pub mod process;
#[cfg(not(loom))]
pub(crate) mod reactor;
#[cfg(loom)]
pub(crate) use crate::platform::reactor;
pub(crate) mod seen;
pub mod signal;
#[cfg(all(unix, not(loom), feature = "stdio"))]
pub mod stdio;
#[cfg(all(unix, not(loom), feature = "tls"))]
pub mod tls;
#[cfg(all(unix, not(loom), feature = "tokio-io"))]
mod tokio_io;
