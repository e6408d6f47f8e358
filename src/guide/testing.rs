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
//! # Other threads: loom
//!
//! What tasks and threads do to each other may go wrong in an order that no test happens to see.
//! [loom](https://docs.rs/loom) runs a test in every order, and with every value that a relaxed
//! load may see. Compiled with `--cfg loom`, this crate's locks, atomics and threads and the
//! reactor's sleep are loom's, so that a model may have a [`run`](crate::run()) in it:
//!
//! ```toml
//! [target.'cfg(loom)'.dependencies]
//! loom = "0.7"
//!
//! [lints.rust]
//! unexpected_cfgs = { level = "warn", check-cfg = ["cfg(loom)"] }
//! ```
//!
//! ```
//! # #[cfg(loom)] // loom is not there otherwise
//! loom::model(|| {
//!     let answer = std::sync::Arc::new(Answer::new()); // of yours, made of loom's parts
//!     let giver = answer.clone();
//!     let giver = loom::thread::spawn(move || giver.give(42));
//!     let got = seedbed::run(async { Ok(answer.wait().await) });
//!     assert_eq!(got.unwrap(), 42);
//!     giver.join().unwrap();
//! });
//! ```
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release --test models
//! ```
//!
//! A wake that is lost is a deadlock, which loom reports. In this crate's repository
//! `loom-tests/tests/user_program.rs` is a whole example, with a bug that loom finds, and
//! `loom-tests/README.md` tells what has been gone through for this crate itself.
//!
//! In a model
//!
//! * your own code has to use loom's types and threads, too, and to make them in the model: what
//!   loom does not see it does not go through. [`to_thread`](crate::to_thread()), tokens and
//!   cancel handles are seen;
//! * time is that of a [`VirtualClock`](crate::testing::VirtualClock);
//! * there is no network, no signals, no serving, and no features `hyper` and `tokio-io`: what the
//!   kernel does cannot be gone through;
//! * there are five threads at most, those of `to_thread` included. One that calls `run` must be
//!   joined before the model ends, others need not be;
//! * the time that it takes multiplies with every lock that is taken. Two threads that do one thing
//!   each are enough for most bugs; with more, set the `preemption_bound` of `loom::model::Builder`,
//!   to 3 for instance.
