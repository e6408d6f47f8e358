//! Who runs when.
//!
//! # One thread
//!
//! Between two `.await`s a task has the thread to itself. It needs no locks and no atomics, and no
//! other task sees its state half-changed. The price is that a task that computes for a long time,
//! or that calls a blocking function, holds up all the others. Such work belongs [on another
//! thread](#blocking-work).
//!
//! # Checkpoints
//!
//! A checkpoint is a point where a task finds out whether it was cancelled, and where it may let
//! others run. The asynchronous operations of this crate are checkpoints, even when they can finish
//! at once. [`checkpoint()`](crate::checkpoint()) is a checkpoint and nothing else, for use in long
//! computations.
//!
//! These are not checkpoints. Most of them only run other code, whose own `await`s are:
//!
//! * driving a generator: [`anext`](crate::Generator::anext), [`asend`](crate::Generator::asend),
//!   [`athrow`](crate::Generator::athrow), [`aclose`](crate::Generator::aclose),
//!   [`aclosing`](crate::aclosing()), and [`iterate`](crate::iterate()); and in its body,
//!   [`yield_`](crate::Yielder::yield_);
//! * entering and leaving a scope: [`cancel_scope`](crate::cancel_scope),
//!   [`fail_after`](crate::fail_after) and its relatives, [`finishing`](crate::finishing()),
//!   [`idle`](crate::idle), and a [`with`](crate::with());
//! * opening a nursery, leaving one whose children have ended, and the return of
//!   [`start`](crate::Nursery::start).
//!
//! Nor are functions that are not `async`, such as [`try_send`](crate::Sender::try_send).
//!
//! # The budget
//!
//! An operation that can finish at once usually does, without a detour through the scheduler. Each
//! such operation counts against the task's budget. After [128](crate::Builder::budget) of them in
//! a row, or after a millisecond, the task lets the others run. So a loop over a channel that is
//! never empty costs next to nothing, and a task that is always ready starves nobody, as long as
//! its loop reaches an `await` of this crate. Things that are not checkpoints count too, such as an
//! item of a generator or a [`fail_after`](crate::fail_after) around something that is ready: when
//! the budget is spent they let others run, but they do not check for cancellation. A function that
//! is not `async` only counts, and the next `await` pays for it.
//!
//! The network, the timers, other threads and Ctrl-C are checked after 128 operations across all
//! tasks, or after 5 ms, however many tasks are ready. Whatever has happened there is handled by
//! the time each ready task has used up its budget a few times. If those tasks compute for long
//! stretches, it waits for about 5 ms plus a few of the longest stretches between two checkpoints;
//! so one checkpoint a millisecond in a computation keeps timers accurate to a few milliseconds.
//! Time plays no part in any of this on a [virtual clock](crate::testing::VirtualClock), with a
//! [seed](crate::Builder::seed), in [`explore`](crate::testing::explore()) or with a budget of 1,
//! so that a run can be repeated.
//!
//! With a [budget](crate::Builder::budget) of 1 every operation lets others run. That is what Trio
//! does, and it is useful in tests of what can happen in between.
//!
//! [`yield_now`](crate::yield_now) lets every ready task run, whatever the budget.
//!
//! Since something that is not a checkpoint does not check for cancellation even when it lets
//! others run, a loop made of nothing else would never learn that it was cancelled. So there is a
//! limit: when a cancelled task lets others run in this way for the 1024th time, that operation
//! fails with [`Cancelled`](crate::Cancelled). That is after about 131,000 items of a generator, or
//! after 50 milliseconds if the items are slow. A loop that ends sooner, as clean-up does, is not
//! interrupted.
//!
//! # The order
//!
//! Ready tasks run in rounds. A task that becomes ready during one round, because it was woken or
//! spawned, runs in the next. Within a nursery, tasks run in the order in which they became ready.
//! [`Builder::seed`](crate::Builder::seed) picks a random order instead, and
//! [`testing::explore`](crate::testing::explore()) tries every order, to find out what depends on
//! it.
//!
//! # A stuck task says so
//!
//! A nursery is polled by the task that awaits it. If that task polls it once and then waits for
//! something else, the nursery is *parked*: its children are ready, but nobody polls them. Rust
//! programmers call this a *futurelock* when the parked future holds the very thing that the task
//! is waiting for. It happens with a `select!` that keeps the loser, and with `buffered` streams
//! and `FuturesUnordered` whose consumer awaits something between two items:
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
//! The remedy is to give the work that must go on a task of its own, as the operators of
//! [flows](crate::guide::flows) do, with a [channel](crate::channel) for its results; or to drop
//! the loser of a `select!` before the next `await`.
//!
//! When there is nothing left to run, the scheduler looks for the following, and reports each
//! through `tracing` as a warning that says where it was opened:
//!
//! * a nursery with work ready, although the task around it has run;
//! * a scope, such as that of a [`fail_after`](crate::fail_after), in which an operation has been
//!   given a message, an event or news of a socket, and which has not been polled since;
//! * a cancelled scope that is still open because what it awaits does not respond to cancellation:
//!   a future of another crate without [`cancellable`](crate::cancellable), or one that is parked.
//!   This warning also says who cancelled the scope, and why;
//! * clean-up under a shield in a cancelled scope that waits although no timer is set, no input is
//!   awaited and no other thread is at work, so that only a wake from another thread could end it.
//!
//! Such a state is reported once, when it has lasted a second (ten seconds for clean-up); on a
//! virtual clock, it is reported at once. With
//! [`Builder::fail_when_stuck`](crate::Builder::fail_when_stuck), which is meant for tests, it is
//! the error [`Stuck`](crate::Stuck). Either has what a [dump](crate::inspect) says: the warning,
//! in its field `dump`, of the nursery or scope in question, and the error, in
//! [`Stuck::dump`](crate::Stuck::dump), of the whole run.
//!
//! A single operation may also be parked, as when a `select!` in a loop keeps the same
//! [`recv`](crate::Receiver::recv). That is ordinary. But if the operation is given something that
//! only one can have, a message or a permit of a [limiter](crate::CapacityLimiter), it withholds it
//! from everyone else, and others may wait for it in vain. If its task has run and still has not
//! fetched it after a second, that is reported even while other tasks are busy: one warning for
//! each place in the program, with the line of the call. It is never an error, since the loop may
//! come back to it.
//!
//! Not everything is found. An operation is not reported when it was given something that others
//! can have too, such as an [`Event`](crate::Event); nor is a parked scope in which nothing but a
//! timer is ready; nor are nurseries and scopes while the thread never runs out of work.
//!
//! # A blocked thread says so
//!
//! A task that blocks the thread, or computes for long without an `await`, holds up everything else
//! in its run. In a build with debug assertions, a warning names a task that has done so for a
//! second, and the place where it was spawned, while it still does; another one says how long it
//! took when it goes on. [`Builder::warn_when_blocked`](crate::Builder::warn_when_blocked) sets
//! another limit, also for release builds:
//!
//! ```text
//! WARN blocked: the task "thumbnails" spawned at src/main.rs:41:15 has held the thread of the run at
//! src/main.rs:12:14 for 1 s so far, and nothing else in the run goes on meanwhile; give what blocks
//! to `to_thread`, and have what computes `yield_now` now and then
//! ```
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
//!     let lines = to_thread(move || source.lines().count()).await?; // also for long computations
//!     assert!(lines > 0);
//!     Ok(())
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! * **It cannot borrow,** because a future can be leaked while the thread goes on. Move in what
//!   the function needs, and return it with the value.
//! * **Once begun, it runs to the end and the caller waits,** cancelled or not, because a thread
//!   cannot be stopped. A [`fail_after`](crate::fail_after) around it lasts as long as the function
//!   does. If it does no harm for the function to go on, as with looking up a name, say
//!   [`abandon_on_cancel(true)`](crate::ToThread::abandon_on_cancel).
//! * **Its panic becomes the caller's,** as a child's panic becomes its nursery's.
//! * **There is a limit** of 40 functions at a time in each run; the rest wait their turn in order.
//!   For a resource with a limit of its own, such as a database, pass a
//!   [`CapacityLimiter`](crate::CapacityLimiter) of that size. If such functions wait for each
//!   other, the limit must be high enough for all of them. An abandoned function no longer counts,
//!   since it may hang forever. Name look-ups do not count either.
//! * **It can call back:** inside the function, [`Token::current`](crate::Token::current) is the
//!   token of the run it works for.
//!
//! The threads are shared by all runs of the process, and end after ten idle seconds. A forked
//! process starts with none of them; fork outside `run`.
//!
//! A function that hangs keeps its run from ending. When a run has waited for five seconds, or for
//! as long as [`Builder::warn_when_blocked`](crate::Builder::warn_when_blocked) says, for a
//! function whose scope is cancelled, or for one that delays the end of the run, a warning says
//! where it was called, and which scope it holds up.
//!
//! # Other threads
//!
//! A [`Token`](crate::Token) lets any thread run functions and tasks on a run's own thread, and a
//! [`CancelHandle`](crate::CancelHandle) cancels a scope from anywhere. Neither keeps the run from
//! ending. A call that comes too late fails and returns the function; a cancellation that comes too
//! late has no effect.
//!
//! Wakers may be sent to other threads and used there at any time, even after the run has ended. A
//! wake from another thread interrupts the reactor's sleep. This is how channels of other crates,
//! and futures completed by another thread, work here.
//!
//! A [`thread_channel`](crate::thread_channel) feeds a task from a thread, or a thread from a task.
//! Its ends block on a thread and are awaited in a task. On a thread with a `run` to do, blocking
//! is an error; otherwise it would be a hang.
//!
//! ```
//! use seedbed::thread_channel;
//! use std::thread;
//!
//! seedbed::run(async {
//!     let (sensor, readings) = thread_channel(16);
//!     thread::spawn(move || (1..=3).try_for_each(|reading| sensor.blocking_send(reading)));
//!     let mut sum = 0;
//!     while let Some(reading) = readings.recv().await? {
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
//! [`run_on_cores`](crate::run_on_cores()) starts a `run` on each of several threads. They share
//! what they borrow, but no tasks: each connection, timer and child stays on the core that made it,
//! so everything above is true on each core. It is a nursery made of threads: a failure or a panic
//! on one core cancels the others, and it returns when all have ended.
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
//! The kernel distributes connections by their addresses, not by which core is free. With many
//! short connections that comes to the same thing; with a few long ones it may not. Anything the
//! cores count or collect together has to be `Sync`. It is better for each core to keep its own and
//! to add them up at the end, since `run_on_cores` returns the closure's value from each core.
