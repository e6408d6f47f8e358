//! Testing programs that wait.
//!
//! # Every schedule
//!
//! A test that runs a program once sees one order of its tasks. [`explore`] runs it under every
//! order that there is, or as many as there is time for, on a clock that costs no time. It is how
//! to test code on this crate. This code asks, and acts on the answer when that may be out of date:
//!
//! ```should_panic
//! use seedbed::testing::explore;
//! use seedbed::{Result, checkpoint, nursery};
//! use std::cell::Cell;
//!
//! async fn withdraw(balance: &Cell<i32>, amount: i32) -> Result<()> {
//!     if balance.get() >= amount {
//!         checkpoint().await?; // say, a line for the journal
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
//! `explore` panics, with this:
//!
//! ```text
//! under schedule 1.1, found as number 3, it panics:
//!     overdrawn: -40
//! To see this one again, and no other:
//!     SEEDBED_SCHEDULE=1.1 cargo test no_account_is_overdrawn
//!     Explore::new().replay("1.1").check(…)
//! ```
//!
//! At decision 1, counted from 0, the scheduler took the way 1 instead of 0, and first in, first
//! out everywhere else: the first task, at its checkpoint, let the other in. What a schedule
//! prints on its way is printed for each; replay the one that fails to see nothing but what
//! happens there, in a debugger if need be. A schedule keeps its meaning as long as the program and
//! this crate are the same. (Take the look and the act together, after the checkpoint, and
//! `explore` passes.)
//!
//! ## What is varied
//!
//! * **Which of the tasks that are ready runs next.** The [rounds](super::scheduling#the-order)
//!   stay: what becomes ready in one runs in the next.
//! * **Whether an operation that could finish at once lets the others run.** In an ordinary run
//!   every [128th](super::scheduling#the-budget) does, so it is not where one thinks.
//! * **Which of the timers that are due at the same time go off,** and whether what they set off
//!   runs a few rounds, or to its end, before the others do. A message that comes together with a
//!   deadline is in time under one schedule, and late under another.
//!
//! Who waits for a channel or an event is [served in the order](crate::channel()) in which it came:
//! that is promised. Who comes first is not, and so partners meet in every way.
//!
//! What `yield_now` does, and the order of timers for different times, is not varied. Nor is the
//! order in which `join!` and its like poll their futures: they are one task. To have two things
//! explored against each other make them children.
//!
//! ## What is a failure
//!
//! An error that the program returns, a panic, a deadlock (every task waits, and no timer is set),
//! a task that is [stuck](super::scheduling#a-stuck-task-says-so), and a livelock (no end after
//! [many rounds](crate::testing::Explore::max_rounds)). A schedule that fails is made simpler for as
//! long as it fails in the same way: of its deviations from first in, first out none can be left
//! out.
//!
//! ## How far it goes
//!
//! Schedules are tried by the number of their deviations: none, then one, anywhere, then two. Most
//! bugs need one or two, so the first failure is a simple one and comes early. There are soon too
//! many to try all. [`Report::is_complete`](crate::testing::Report::is_complete) says whether all
//! were, and its text how far it went; the numbers are [choices](crate::testing::Explore), as is the
//! seed for the random ones beyond. Ten thousand runs of a small program take a second. For
//! certainty keep the program small: two or three tasks, one or two steps each.
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
//! The same decisions must lead to the same run. So the program makes all it works on inside of
//! the closure, looks at no other clock than [`now`](crate::now()), at no order of a `HashMap`, and
//! at nothing outside: no network, no other threads. What keeps state from one call to the next is
//! told of as not deterministic where that is noticed. For what a program gets from outside, hand
//! it a [channel](crate::channel()) instead, and let the test have the other end.
//!
//! # A clock that jumps
//!
//! With a [`VirtualClock`](crate::testing::VirtualClock), which `explore` brings along, time stands
//! still while anything can run, and jumps to the next deadline when nothing can. A test of an
//! hour's timeout takes no time, and its times are exact:
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
//! While a thread is at work in [`to_thread`](crate::to_thread()) the clock stands still, as that
//! takes real time: otherwise every timeout around it would be over at once. To test such a timeout
//! [`advance`](crate::testing::VirtualClock::advance) the clock.
//!
//! Input takes real time as well, where a thread or another process is at the other end of a
//! connection. The clock [waits for it](crate::testing::VirtualClock::wait_for_io) if it is told for
//! how long at most.
//!
//! # One run, with a seed
//!
//! On the virtual clock, and with no input from outside, a run is the same every time.
//! [`Builder::seed`](crate::Builder::seed) draws the order of the tasks that are ready. That is for
//! programs too large to explore: the same seed gives the same run.
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
//! program that keeps to its thread, but for [`to_thread`](crate::to_thread()),
//! [`Builder::detect_deadlock`](crate::Builder::detect_deadlock) makes that the error
//! [`Deadlock`](crate::Deadlock).
//!
//! [`Builder::fail_when_stuck`](crate::Builder::fail_when_stuck) makes it an error as well if a
//! task could go on and is not polled: see
//! [there](crate::guide::scheduling#a-stuck-task-says-so).
//!
//! In `explore` both always are failures.
//!
//! # What is left behind
//!
//! [`statistics`](crate::testing::statistics()) counts what the run holds: tasks, scopes, timers,
//! sources, generators. A test that takes it before and after finds what something that should
//! have ended has left.
//!
//! [`explore`]: crate::testing::explore()
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
