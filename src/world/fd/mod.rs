//! Any descriptor that can be polled: what other crates build on. This needs the feature `net`,
//! which is on by default.
//!
//! [`AsyncFd`] waits for a descriptor that this crate knows nothing about. This is a timer of Linux
//! as an operation like those of this crate: it is a checkpoint, it can be cancelled, and a
//! cancelled one has taken nothing away.
//!
//! ```
//! # #[cfg(target_os = "linux")]
//! # {
//! use rustix::time::{
//!     Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
//!     timerfd_settime,
//! };
//! use seedbed::Result;
//! use seedbed::fd::AsyncFd;
//! use std::io;
//! use std::os::fd::OwnedFd;
//! use std::time::Duration;
//!
//! struct Timer {
//!     fd: AsyncFd<OwnedFd>,
//! }
//!
//! impl Timer {
//!     /// The first time after one period, which must not be zero: that would stop the timer.
//!     fn every(period: Duration) -> Result<Timer> {
//!         let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
//!         let timer = timerfd_create(TimerfdClockId::Monotonic, flags).map_err(io::Error::from)?;
//!         let period = Timespec::try_from(period).map_err(io::Error::other)?;
//!         let times = Itimerspec { it_interval: period, it_value: period };
//!         timerfd_settime(&timer, TimerfdTimerFlags::empty(), &times).map_err(io::Error::from)?;
//!         Ok(Timer { fd: AsyncFd::new(timer)? })
//!     }
//!
//!     /// Waits until the timer has expired, and returns how often it has since the last call.
//!     async fn expired(&self) -> Result<u64> {
//!         let mut count = [0; 8];
//!         self.fd.read(&mut count).await?;
//!         Ok(u64::from_ne_bytes(count))
//!     }
//! }
//!
//! seedbed::run(async {
//!     let timer = Timer::every(Duration::from_millis(1))?;
//!     let mut count = 0;
//!     while count < 3 {
//!         count += timer.expired().await?;
//!     }
//!     Ok(())
//! })?;
//! # }
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # Building on it
//!
//! * **Make the system call inside [`read_with`](AsyncFd::read_with) or
//!   [`write_with`](AsyncFd::write_with)**, once, and return its value. Then your operation keeps
//!   the crate's promise: it has happened, or it was cancelled. Two calls with an await between them
//!   do not.
//! * **Return its [`WouldBlock`](std::io::ErrorKind::WouldBlock)**, if there is one, and only then:
//!   the descriptor counts as ready until then, so that nothing has to be drained, and is not looked
//!   at before the kernel has news.
//! * **If the owner wants `&mut`**, or its functions block, wait with
//!   [`readable`](AsyncFd::readable) and make the call afterwards, one for each wait.
//! * **For traits with `poll` functions** there are
//!   [`poll_read_with`](AsyncFd::poll_read_with) and its sibling. If `&T` reads and writes in the
//!   standard library's way, `AsyncFd<T>` implements those of `futures_io` already.
//! * **Take `T: AsFd` by value or by reference.** An `AsyncFd<&T>` borrows, and deregisters when it
//!   is dropped.
//! * **Files** are refused with an error that says what to do instead, because the system reports
//!   them as ready even while they would block. Pipes have [types of their own](crate::pipe), and so
//!   have [sockets](crate::net).
//!
//! | file | concept |
//! |---|---|
//! | `async_fd` | waiting for a descriptor |
//! | `pollable` | which descriptors can be waited for |
//! | `foreign` | the traits of other libraries |

mod async_fd;
mod foreign;
mod pollable;

pub use async_fd::AsyncFd;
