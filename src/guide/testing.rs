//! Testing programs that wait.
//!
//! # A clock that jumps
//!
//! With a [`VirtualClock`](crate::testing::VirtualClock) time stands still while anything can
//! run, and jumps to the next deadline when nothing can. A test of an hour's timeout takes no
//! time, and its times are exact:
//!
//! ```
//! use seedbed::{Builder, TooSlow, fail_after, sleep_forever, testing::VirtualClock};
//! use std::time::Duration;
//!
//! let clock = VirtualClock::new();
//! let hour = Duration::from_secs(3600);
//! let error = Builder::new().clock(&clock).run(fail_after(hour, sleep_forever())).unwrap_err();
//! assert!(error.is::<TooSlow>());
//! assert_eq!(clock.elapsed(), hour);
//! ```
//!
//! [`now`](crate::now) gives the time of that clock; [`std::time::Instant::now`] does not.
//!
//! # The same run again
//!
//! On the virtual clock, and with no input from outside, a run is the same every time.
//! [`Builder::seed`](crate::Builder::seed) draws the order of the tasks that are ready: run a test
//! with many seeds to find an order in which it fails, and with that seed to see it again.
//!
//! ```
//! use seedbed::{Builder, nursery, testing::VirtualClock, yield_now};
//! use std::cell::RefCell;
//!
//! fn order(seed: u64) -> seedbed::Result<Vec<u32>> {
//!     let order = RefCell::new(Vec::new());
//!     Builder::new().clock(&VirtualClock::new()).seed(seed).run(nursery(async |n| {
//!         for i in 0..5 {
//!             let order = &order;
//!             n.spawn(async move {
//!                 yield_now().await?;
//!                 order.borrow_mut().push(i);
//!                 Ok(())
//!             });
//!         }
//!         Ok(())
//!     }))?;
//!     Ok(order.into_inner())
//! }
//!
//! assert_eq!(order(1)?, order(1)?);
//! assert!((0..100).any(|seed| order(seed).unwrap() != [0, 1, 2, 3, 4]));
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # Deadlocks
//!
//! When every task waits, `run` waits too: a wake may come from another thread. In a test of a
//! program that keeps to its thread [`Builder::detect_deadlock`](crate::Builder::detect_deadlock)
//! makes that the error [`Deadlock`](crate::Deadlock).
//!
//! # What is left behind
//!
//! [`statistics`](crate::testing::statistics) counts what the run holds: tasks, scopes, timers,
//! sources, generators. A test that takes it before and after finds what something that should
//! have ended has left.
