//! How to test programs that wait.
//!
//! # Every schedule
//!
//! A test that runs a program once sees one order of its tasks. [`explore`] runs it under every
//! possible order, or under as many as there is time for, on a clock on which waiting costs no
//! time. It is the way to test code written with this crate. The code below checks a condition, and
//! acts on the answer when it may be out of date:
//!
//! ```should_panic
//! use seedbed::testing::explore;
//! use seedbed::{Result, checkpoint, nursery};
//! use std::cell::Cell;
//!
//! async fn withdraw(balance: &Cell<i32>, amount: i32) -> Result<()> {
//!     if balance.get() >= amount {
//!         checkpoint().await?; // such as writing a journal entry
//!         balance.set(balance.get() - amount);
//!     }
//!     Ok(())
//! }
//!
//! explore(|| async {
//!     let balance = Cell::new(100);
//!     nursery(async |n| {
//!         n.spawn(withdraw(&balance, 70));
//!         n.spawn(withdraw(&balance, 70));
//!         Ok(())
//!     })
//!     .await?;
//!     assert!(balance.get() >= 0, "overdrawn: {}", balance.get());
//!     Ok(())
//! });
//! ```
//!
//! In an ordinary run the first task is done before the second begins, and the test passes.
//! `explore` panics with this message:
//!
//! ```text
//! under schedule 1.1 (run number 3), the program panics:
//!     overdrawn: -40
//! To replay this schedule alone:
//!     SEEDBED_SCHEDULE=1.1 cargo test no_account_is_overdrawn
//!     Explore::new().replay("1.1").check(…)
//! ```
//!
//! At decision 1, counting from 0, the scheduler took way 1 instead of way 0, and it went first in,
//! first out everywhere else: the first task, at its checkpoint, let the other one in. Whatever the
//! program prints is printed under every schedule; replay the one that fails to see only that one,
//! in a debugger if need be. A schedule keeps its meaning as long as neither the program nor this
//! crate changes. (Move the check after the checkpoint, next to the update, and `explore` passes.)
//!
//! ## What is varied
//!
//! * **Which ready task runs next.** The [rounds](super::scheduling#the-order) stay: what becomes
//!   ready in one runs in the next.
//! * **Whether an operation that could finish at once lets the others run.** In an ordinary run
//!   only every [128th](super::scheduling#the-budget) does, so it is rarely where you think.
//! * **Which of several timers due at the same time fires,** and whether whatever it sets off runs
//!   for a few rounds, or to its end, before the others fire. A message that arrives at the same
//!   instant as a deadline is in time under one schedule and late under another.
//!
//! Tasks that wait for a channel or an event are [served in the order](crate::channel()) in which
//! they came; that is promised. Which of them comes first is not promised, so partners meet in
//! every combination.
//!
//! Not varied are the effect of `yield_now` and the order of timers due at different times. Nor is
//! the order in which `join!` and the like poll their futures: they are one task. To explore two
//! things against each other, make them children.
//!
//! ## What is a failure
//!
//! A failure is an error that the program returns, a panic, a deadlock (every task waits, and no
//! timer is set), a task that is [stuck](super::scheduling#a-stuck-task-says-so), or a livelock (no
//! end after [many rounds](crate::testing::Explore::max_rounds)). A schedule that fails is
//! simplified for as long as the program still fails in the same way, until none of its deviations
//! from first in, first out can be left out.
//!
//! ## How far it goes
//!
//! Schedules are tried in the order of how many deviations they have: none, then one anywhere, then
//! two. Most bugs need one or two, so the first failure is a simple one and comes early. There are
//! soon too many schedules to try them all.
//! [`Report::is_complete`](crate::testing::Report::is_complete) says whether all were tried, and
//! the report's text says how far the search got. The limits are
//! [settings](crate::testing::Explore), as is the seed for the random schedules tried beyond them.
//! Ten thousand runs of a small program take a second. For certainty, keep the program small: two
//! or three tasks with one or two steps each.
//!
//! ```
//! use seedbed::testing::Explore;
//! use seedbed::{Event, nursery};
//!
//! let report = Explore::new().max_schedules(50_000).check(|| async {
//!     let ready = Event::new();
//!     nursery(async |n| {
//!         n.spawn(ready.wait());
//!         n.spawn(ready.wait());
//!         ready.set();
//!         Ok(())
//!     })
//!     .await
//! });
//! assert!(report.is_complete(), "{report}");
//! ```
//!
//! ## What it asks of the program
//!
//! The same decisions must lead to the same run. So the program creates everything it works on
//! inside the closure, and depends on no clock except [`now`](crate::now()), on no `HashMap` order,
//! and on nothing outside: no network, no other threads. A program that keeps state from one call
//! to the next is reported as not deterministic if that is noticed. Replace whatever a program gets
//! from outside by a [channel](crate::channel()), and let the test have the other end.
//!
//! # A clock that jumps
//!
//! On a [`VirtualClock`](crate::testing::VirtualClock), which `explore` brings with it, time stands
//! still while anything can run, and jumps to the next deadline when nothing can. A test of a
//! one-hour timeout takes no time, and its times are exact:
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
//! [`now`](crate::now()) gives the time of that clock; [`std::time::Instant::now`] does not.
//!
//! While a thread is at work in [`to_thread`](crate::to_thread()) the clock stands still, because
//! the thread takes real time: otherwise every timeout around it would expire at once. To test such
//! a timeout, [`advance`](crate::testing::VirtualClock::advance) the clock.
//!
//! Input takes real time too, if a thread or another process is at the other end of a connection.
//! The clock [waits for it](crate::testing::VirtualClock::wait_for_io) if it is told how long to
//! wait at most.
//!
//! # One run, with a seed
//!
//! On the virtual clock, and without input from outside, a run is the same every time.
//! [`Builder::seed`](crate::Builder::seed) makes the order of the ready tasks random. It is meant
//! for programs too large to explore: the same seed gives the same run.
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
//! When every task waits, `run` waits too, since a wake may come from another thread. For a test of
//! a program that keeps to its own thread (apart from [`to_thread`](crate::to_thread())),
//! [`Builder::detect_deadlock`](crate::Builder::detect_deadlock) turns that into the error
//! [`Deadlock`](crate::Deadlock).
//!
//! [`Builder::fail_when_stuck`](crate::Builder::fail_when_stuck) also makes it an error if a task
//! could go on and is not polled: see [scheduling](crate::guide::scheduling#a-stuck-task-says-so).
//!
//! In `explore` both are always failures.
//!
//! # What is left behind
//!
//! [`statistics`](crate::testing::statistics()) counts what the run contains: tasks, scopes,
//! timers, sources, generators. A test that calls it before and after some code finds out whether
//! that code left anything behind.
//!
//! [`explore`]: crate::testing::explore()
//!
//! # Other threads: loom
//!
//! What tasks and threads do to each other can go wrong in an order that no test happens to see.
//! [loom](https://docs.rs/loom) runs a test in every order, and with every value that a relaxed
//! load may see. When this crate is compiled with `--cfg loom`, its locks, atomics, threads and the
//! reactor's sleep are loom's, so a model can contain a [`run`](crate::run()):
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
//! # #[cfg(loom)] // there is no loom otherwise
//! loom::model(|| {
//!     let answer = std::sync::Arc::new(Answer::new()); // your own, made of loom's types
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
//! A lost wake is a deadlock, which loom reports. In this crate's repository,
//! `loom-tests/tests/user_program.rs` is a complete example with a bug that loom finds, and
//! `loom-tests/README.md` says what has been checked for this crate itself.
//!
//! In a model
//!
//! * your own code must also use loom's types and threads, and create them inside the model: what
//!   loom does not see, it does not explore. It does see [`to_thread`](crate::to_thread()), tokens
//!   and cancel handles;
//! * time is that of a [`VirtualClock`](crate::testing::VirtualClock);
//! * the features add nothing (networking, serving, signals, files and so on), because loom cannot
//!   explore what the kernel does;
//! * there are at most five threads, including those of `to_thread`. A thread that calls `run` must
//!   be joined before the model ends; others need not be;
//! * the time a model takes multiplies with every lock that is taken. Two threads that do one thing
//!   each are enough for most bugs. With more, set the `preemption_bound` of
//!   `loom::model::Builder`, for instance to 3.
