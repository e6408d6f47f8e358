//! Who runs when.
//!
//! # One thread
//!
//! Between two `.await`s a task has the thread to itself: no locks, no atomics, and no other task
//! sees a state half changed. The other side is that a task that computes for long, or calls what
//! blocks, holds up all the others. There is no pool of threads yet for such work; until there is,
//! use a thread of your own and a waker-based channel from any crate to hear of its end (see
//! [below](#other-threads)).
//!
//! # Checkpoints
//!
//! A checkpoint is a point where a task looks whether it was cancelled, and where it may let
//! others run. Every asynchronous operation of this crate is one, also when it could finish at
//! once. [`checkpoint()`](crate::checkpoint()) is one and nothing else, for long computations.
//! Not checkpoints are: leaving a nursery whose children have ended, the return of
//! [`start`](crate::Nursery::start), and the functions without `async`, such as
//! [`try_send`](crate::Sender::try_send).
//!
//! # The budget
//!
//! An operation that can finish at once mostly does, without going through the scheduler. Each
//! counts, and after [128](crate::Builder::budget) of them in one go a task lets the others run.
//! So a task that is always ready starves neither its siblings nor the timers nor the network, and
//! yet a loop over a channel that is never empty costs next to nothing.
//!
//! With a [budget](crate::Builder::budget) of 1 every operation lets others run. That is what Trio
//! does, and good for tests of what may happen in between.
//!
//! [`yield_now`](crate::yield_now) lets every task run that is ready, whatever the budget.
//!
//! # The order
//!
//! Tasks that are ready run in rounds: what becomes ready in one round, by a wake or by being
//! spawned, runs in the next, in the order in which it became ready within its nursery.
//! [`Builder::seed`](crate::Builder::seed) draws the order instead, to find out what depends on it.
//!
//! # Other threads
//!
//! Wakers may be sent to other threads, used there at any time, also after the run, and outlive
//! everything. A wake from another thread interrupts the sleep of the reactor. That is how
//! channels of other crates, and futures that are completed by a thread, work here:
//!
//! ```
//! use seedbed::cancellable;
//! use std::thread;
//!
//! seedbed::run(async {
//!     let (sender, answer) = futures::channel::oneshot::channel();
//!     thread::spawn(move || sender.send(6 * 7));
//!     assert_eq!(cancellable(answer).await??, 42);
//!     Ok(())
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! (The first `?` is for the cancellation, the second for a sender that was dropped.)
//!
//! # Several cores
//!
//! [`run_on_cores`](crate::run_on_cores()) has a `run` on each of several threads. They share what
//! they borrow, and no task: each connection, timer and child stays on the core that made it, so
//! all of the above is true on each. It is a nursery made of threads: a failure or a panic on one
//! core cancels the others, and it returns when all have ended.
//!
//! ```
//! use seedbed::net::{TcpListener, TcpSocket};
//! use seedbed::serve;
//!
//! let reserved = TcpSocket::v4()?;
//! reserved.bind("127.0.0.1:0")?;
//! reserved.set_reuse_port(true)?; // the listeners of all cores share the port
//! let address = reserved.local_addr()?;
//! let greeting = String::from("hello\n"); // borrowed by all cores
//! # let stop = std::time::Duration::from_millis(5);
//! seedbed::run_on_cores(2, async |_core| {
//!     let listener = TcpListener::bind_reuse_port(address).await?;
//!     let server = serve(listener, async |stream, _| stream.write_all(greeting.as_bytes()).await);
//!     # let server = async { seedbed::move_on_after(stop, server).await.map(drop) };
//!     server.await
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! The kernel deals connections out by their addresses, not by who has time: with many short ones
//! that comes to the same, with a few long ones it may not. What the cores count or keep together
//! has to be `Sync`: better each keeps its own, and they are summed up in the end, as `main` returns
//! a value for each core.
