//! Who runs when.
//!
//! # One thread
//!
//! Between two `.await`s a task has the thread to itself: no locks, no atomics, and no other task
//! sees a state half changed. The other side is that a task that computes for long, or calls what
//! blocks, holds up all the others. Such work goes [to another thread](#blocking-work).
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
//! counts, and after [128](crate::Builder::budget) of them in one go, or after a millisecond, a task
//! lets the others run. So a loop over a channel that is never empty costs next to nothing, and a task
//! that is always ready starves nobody, if only its loop comes to an `await` of this crate. What is no
//! checkpoint counts as well, such as an item of a generator or a [`fail_after`](crate::fail_after)
//! around what is ready: it lets others run when the budget is spent, and does not look for
//! cancellation. A function without `async` only counts, and the next `await` pays for it.
//!
//! The network, the timers, other threads and Ctrl-C are looked at after 128 operations, or 5 ms,
//! of all tasks together, however many are ready and wherever they are. What has happened there waits
//! for a few budgets of each task that is ready, and where these compute for long, for some 5 ms and a
//! few of the longest stretches between two checkpoints: so a checkpoint every millisecond in a
//! computation keeps timers good to a few milliseconds. On a [virtual
//! clock](crate::testing::VirtualClock), with a [seed](crate::Builder::seed), in
//! [`explore`](crate::testing::explore()) and with a budget of 1 time makes no difference, so that a
//! run can be repeated.
//!
//! With a [budget](crate::Builder::budget) of 1 every operation lets others run. That is what Trio
//! does, and good for tests of what may happen in between.
//!
//! [`yield_now`](crate::yield_now) lets every task run that is ready, whatever the budget.
//!
//! What is no checkpoint does not look for cancellation, even when it lets others run. A loop of
//! nothing else would never learn that it was cancelled. So a task that has let others run a thousand
//! times in this way since it was cancelled (after some hundred thousand items of a generator, or 50
//! milliseconds if they are slow) gets the [`Cancelled`](crate::Cancelled) from the next of them. A
//! loop that ends before, as clean-up does, is not interrupted.
//!
//! # The order
//!
//! Tasks that are ready run in rounds: what becomes ready in one round, by a wake or by being
//! spawned, runs in the next, in the order in which it became ready within its nursery.
//! [`Builder::seed`](crate::Builder::seed) draws the order instead, and
//! [`testing::explore`](crate::testing::explore()) tries every one, to find out what depends on it.
//!
//! # A stuck task says so
//!
//! A nursery is polled by the task that awaits it. A task that polls it once and then waits for
//! something else has *parked* it: its children are ready, and nobody comes. Rust calls that a
//! *futurelock*, as what is parked may hold what the task waits for. A `select!` does it that keeps
//! the loser, and so do `buffered` streams and `FuturesUnordered` whose consumer awaits something
//! between two items:
//!
//! ```
//! use futures::{StreamExt, stream};
//! use seedbed::{Builder, Stuck, nursery, sleep, testing::VirtualClock};
//! use std::{pin::pin, time::Duration};
//!
//! let builder = Builder::new().clock(&VirtualClock::new()).fail_when_stuck(true);
//! let error = builder.run(async {
//!     let fetch = |i| nursery(async move |n| n.spawn(sleep(Duration::from_secs(i))).await);
//!     let mut pages = pin!(stream::iter(1..4).map(fetch).buffered(3));
//!     while let Some(page) = pages.next().await {
//!         page?;
//!         sleep(Duration::from_secs(60)).await?; // the other pages stand still
//!     }
//!     Ok(())
//! });
//! assert!(error.unwrap_err().is::<Stuck>());
//! ```
//!
//! The remedy is a task of its own for what has to go on, with a [channel](crate::channel) for
//! what comes of it; or to drop the loser of a `select!` before the next `await`.
//!
//! When there is nothing left to run, these are found, and reported through `tracing` as a warning
//! that says where they were opened:
//!
//! * a nursery that has work ready, although the task around it has run;
//! * a scope, such as that of a [`fail_after`](crate::fail_after), in which an operation has been
//!   handed a message, an event or news of a socket, and which was not polled since;
//! * a cancelled scope that is still open, as what it awaits does not heed that: a future of another
//!   crate without [`cancellable`](crate::cancellable), or one that is parked. The warning also says
//!   who cancelled it, and why;
//! * the clean-up in a cancelled scope, under a shield, if it waits though no timer is set, no input is
//!   waited for and no thread is at work, so that only a wake from another thread could end it.
//!
//! It has to last for a second (a clean-up for ten), and is reported once. On a virtual clock it is reported at once, and
//! with [`Builder::fail_when_stuck`](crate::Builder::fail_when_stuck) it is the error
//! [`Stuck`](crate::Stuck), for tests.
//!
//! An operation may also be parked by itself, as where a `select!` in a loop keeps the same
//! [`recv`](crate::Receiver::recv). That is ordinary. But if it is given what only one can have, a
//! message or the permit of a [limiter](crate::CapacityLimiter), it keeps that from all others, who
//! may wait for it in vain. After a second in which its task has run and has not fetched it that is
//! reported, though other tasks stay busy: one warning for each place in the program, with the line
//! of the call. It is never an error, as the loop may come back to it.
//!
//! What is not found: an operation that was given what others can have as well, such as an
//! [`Event`](crate::Event); a parked scope in which there is nothing ready but a timer; and nurseries
//! and scopes while the thread is never without something to run.
//!
//! # Blocking work
//!
//! [`to_thread`](crate::to_thread()) runs a function on another thread and waits for its value:
//!
//! ```
//! use seedbed::to_thread;
//!
//! seedbed::run(async {
//!     let source = to_thread(|| std::fs::read_to_string("src/lib.rs")).await??;
//!     let lines = to_thread(move || source.lines().count()).await?; // or what computes for long
//!     assert!(lines > 0);
//!     Ok(())
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! * **It borrows nothing,** as a future may be leaked, and its thread would go on. Move in what it
//!   needs, and return it with the value.
//! * **Once it has begun it is waited for,** cancelled or not: a thread cannot be stopped. A
//!   [`fail_after`](crate::fail_after) around it lasts for as long as it does. For what does no harm
//!   if it goes on, such as looking up a name, say
//!   [`abandon_on_cancel(true)`](crate::ToThread::abandon_on_cancel).
//! * **Its panic is the caller's,** as a child's is its nursery's.
//! * **There is a limit:** 40 at once in each run, in the order in which they came. For what has a
//!   limit of its own, say a database, give a [`CapacityLimiter`](crate::CapacityLimiter) of that
//!   size. If such functions wait for each other, the limit has to be high enough for all of them.
//!   One that is abandoned does not count any more: it may hang for ever. Look-ups of names do not
//!   count either.
//! * **It can call back:** [`Token::current`](crate::Token::current) in the function is the token of
//!   its run.
//!
//! The threads are shared by all the runs of the process, and end when they have been idle for ten
//! seconds. A process that is forked begins with none of them; fork outside of `run`.
//!
//! A function that hangs keeps a run from ending. After five seconds in which it is waited for though
//! its scope is cancelled, or the run is ending, a warning says where it was begun.
//!
//! # Other threads
//!
//! A [`Token`](crate::Token) lets any thread run functions and tasks on a run's own thread, and a
//! [`CancelHandle`](crate::CancelHandle) cancels a scope from anywhere. Neither keeps the run from
//! ending. A call that comes too late is an error, which gives the function back; a cancellation that
//! does has no effect.
//!
//! Wakers may be sent to other threads, used there at any time, also after the run, and outlive
//! everything. A wake from another thread interrupts the sleep of the reactor. That is how
//! channels of other crates, and futures that are completed by a thread, work here. What feeds a
//! task from a thread is best such a channel, as those of this crate stay on their thread:
//!
//! ```
//! use futures::StreamExt;
//! use seedbed::cancellable;
//! use std::thread;
//!
//! seedbed::run(async {
//!     let (sensor, mut readings) = futures::channel::mpsc::unbounded();
//!     thread::spawn(move || (1..=3).try_for_each(|reading| sensor.unbounded_send(reading)));
//!     let mut sum = 0;
//!     while let Some(reading) = cancellable(readings.next()).await? {
//!         sum += reading;
//!     }
//!     assert_eq!(sum, 6);
//!     Ok(())
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
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
