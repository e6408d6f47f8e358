//! Child processes, in the shape of [`std::process`]. This needs the feature `process`.
//!
//! ```
//! use seedbed::process::Command;
//! use seedbed::{Result, fail_after};
//! use std::time::Duration;
//!
//! async fn sorted(text: &str) -> Result<String> {
//!     let mut sort = Command::new("sort");
//!     let limit = Duration::from_secs(10);
//!     let output = fail_after(limit, sort.arg("-u").input(text).run()).await?;
//!     Ok(String::from_utf8_lossy(&output.stdout).into_owned())
//! }
//! # seedbed::run(async {
//! #     assert_eq!(sorted("b\na\nb\n").await?, "a\nb\n");
//! #     Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! A process belongs to a scope: that in which [`Command::run`], [`output`](Command::output) or
//! [`status`](Command::status) is awaited, or that of the nursery in which it was
//! [spawned](Command::spawn). When the scope is left, the process has ended and has been reaped, so
//! no `run` leaves a process or a zombie behind.
//!
//! # Cancellation
//!
//! When the scope is cancelled, the process is put to an end, and that is waited for:
//!
//! 1. It is sent `SIGTERM`, and `SIGCONT`, in case it is stopped.
//! 2. If it has not ended after a [grace](Command::grace), 5 seconds unless that is set, it is sent
//!    `SIGKILL`. Its outputs are read until it has ended, so that it does not hang in writing its
//!    last words.
//! 3. It is reaped. If it does not end even then, as in a system call that cannot be interrupted,
//!    it is waited for all the same, and after 5 seconds a warning says so through `tracing`. So it
//!    is with one that has ended and that a debugger holds, from which nobody else learns how.
//!
//! The [`Cancelled`](crate::Cancelled) then has [`Stopped`] inside, which says how the process has
//! ended. With [`own_group`](Command::own_group) all this is done to the process's group.
//! On Linux, what the leader leaves behind in it has the rest of the grace; elsewhere it is killed as
//! soon as the leader has ended.
//!
//! A [graceful cancellation](crate::CancelScope::cancel_gracefully) is one of these, except in a
//! section that is [`finishing`](crate::finishing): no process is signalled there before the grace
//! of the scope is over.
//!
//! If a future is dropped instead, by somebody else's `select!` for example, nothing can wait: the
//! process, or its group, is killed at once, and a thread reaps it, for which the `run` waits before
//! it returns.
//!
//! On a [virtual clock](crate::testing::VirtualClock) the grace is virtual time too, and a process
//! takes none of it, like everything that comes from a descriptor.
//!
//! # What outlives the process
//!
//! A process may start others. They are not reaped here, but by the system, and unless they are in
//! its [own group](Command::own_group) they are not signalled. One of them may keep a pipe open
//! after the process itself has ended. Then `run` and `output` go on reading, until it closes the
//! pipe or their scope is cancelled.
//!
//! # Errors
//!
//! An error names the program, and the directory if one was set, and is raised where the operation
//! was [called](crate::Error::place):
//!
//! ```
//! use seedbed::process::Command;
//! use std::io;
//!
//! seedbed::run(async {
//!     let error = Command::new("no-such-program").status().await.unwrap_err();
//!     assert!(error.to_string().starts_with("starting `no-such-program`: "));
//!     let kind = error.downcast_ref().map(io::Error::kind);
//!     assert_eq!(kind, Some(io::ErrorKind::NotFound));
//!     Ok(())
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `command` | what to start, and how |
//! | `child` | a process in the background |
//! | `running` | a process that was started: waiting for its end, signals, reaping |
//! | `ending` | how a process that is not wanted any more is put to an end |
//! | `exit` | a descriptor that becomes readable when a process ends |
//! | `group` | who is left in a process group |
//! | `stdin` | the pipe that leads to a process |
//! | `exchange` | input and both outputs at the same time |
//! | `failure` | errors that name the program |

mod child;
mod command;
mod ending;
mod exchange;
mod exit;
mod failure;
mod group;
mod running;
mod stdin;

pub use std::process::{ExitStatus, Output, Stdio};

pub use child::Child;
pub use command::Command;
pub use failure::{Failed, NotStarted, Stopped};
pub use stdin::ChildStdin;
