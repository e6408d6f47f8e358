//! What is it doing? Looking inside a program that is running.
//!
//! A program hangs, or is slow, or does not end. A [dump](crate::inspect) says what each of its
//! tasks is doing at that moment.
//!
//! ```text
//! the run at src/main.rs:12:5, 3 min 12 s after it began: 993 tasks, 1 running
//!   main future: running: polls the nursery below
//!     nursery opened at src/server.rs:30:9
//!       body: in `accept` at src/server.rs:41:32 on socket 5 at 10.0.0.1:80, for 4 ms
//!       990 tasks spawned at src/server.rs:44:15: all in `Receiver::recv` at src/hub.rs:71:24, for 2 ms to 3 min 1 s
//!       task "reload" spawned at src/server.rs:36:19: in `Mutex::lock` at src/config.rs:18:27, for 2 min 58 s
//!         scope opened at src/config.rs:15:5: deadline in 1.4 s
//!       task "hub" spawned at src/server.rs:37:16: running
//! socket 5 at 10.0.0.1:80, which listens: `accept` by the body of the nursery opened at src/server.rs:30:9
//! ```
//!
//! # Taking one
//!
//! | where | how |
//! |---|---|
//! | in a task | [`inspect::dump()`](crate::inspect::dump()) |
//! | on another thread | [`Token::dump`](crate::Token::dump) |
//! | in a panic hook | `inspect::dump()`, which never panics itself |
//! | from a shell | `kill -QUIT`, or Ctrl-\\, if the run was begun with [`Builder::dump_on`](crate::Builder::dump_on) |
//! | in a test that hangs | [`Deadlock::dump`](crate::Deadlock::dump), [`Stuck::dump`](crate::Stuck::dump) |
//! | over HTTP | `/dump.txt` beside [the page][of-page] |
//!
//! `{}` writes it as above, `{:#}` writes each task by itself, and
//! [`to_json`](crate::inspect::Dump::to_json) is for programs.
//!
//! ```
//! use seedbed::{Token, nursery, sleep};
//! use std::time::Duration;
//!
//! /// Says every minute what the run is doing, even if one of its tasks is in the way.
//! fn report(token: Token) {
//!     std::thread::spawn(move || {
//!         loop {
//!             std::thread::sleep(Duration::from_secs(60));
//!             match token.dump() {
//!                 Ok(dump) => eprintln!("{dump}"),
//!                 Err(error) => return eprintln!("{error}"),
//!             }
//!         }
//!     });
//! }
//!
//! seedbed::run(async {
//!     report(Token::current()?);
//!     sleep(Duration::from_millis(1)).await
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # Reading it
//!
//! A line stands for a task, for the body of a nursery, or for a scope. What is indented below it
//! is inside of it. Sockets, generators, context managers and functions on other threads come last.
//! [The table](crate::inspect#what-a-dump-says-of-a-task) has what it says of a task.
//!
//! * **Begin with what has waited for too long.** A task that has waited in `Mutex::lock` for
//!   minutes waits for whoever has the lock; look for the place where that is taken.
//! * **"in a future of another crate"** is all that can be known of what is not this crate's. If
//!   its scope is cancelled and it goes on waiting, it does not respond to cancellation: see
//!   [`cancellable`](crate::cancellable()).
//! * **"ready, for 3 s"** is a task that does not get its turn: its nursery is not polled, or
//!   something else holds the thread.
//! * **A dump that does not come** ([`CallRefused`](crate::CallRefused)) means the latter.
//! * **Names help.** Give those to tasks that would otherwise differ only in what they work on:
//!   [`Nursery::named`](crate::Nursery::named).
//!
//! What is stuck is also [found by itself](crate::guide::scheduling#a-stuck-task-says-so), and
//! reported through [`tracing`](https://docs.rs/tracing). Where the program has a subscriber for
//! that, begin with what it wrote.
//!
//! The rest of this chapter is practice. `examples/hangs` has a program for each of four hangs, as
//! they happen in earnest. Start one, and look at it before you read on:
//!
//! ```text
//! cargo run -p hangs -- futurelock                 # then Ctrl-\, for a dump
//! cargo run -p hangs -- futurelock --inspect 6680  # then http://localhost:6680
//! ```
//!
//! The second way serves [the page][of-page], which shows the tasks, nurseries and scopes of a
//! dump, live. `examples/hangs/README.md` has pictures of it, one for each of the four.
//!
//! # A futurelock
//!
//! *A few customers of a shop get no price, and from then on nobody does. The process takes no
//! processor time.* Ctrl-\\ has the dump written:
//!
//! ```text
//! the run at examples/hangs/src/main.rs:37:25, 8.0 s after it began: 4 tasks
//!   main future: in the nursery below
//!     nursery opened at examples/hangs/src/futurelock.rs:25:5, whose body has ended
//!       3 tasks spawned at examples/hangs/src/futurelock.rs:29:53 ("customer 1", "customer 2", "customer 3"): all in `Mutex::lock` at examples/hangs/src/futurelock.rs:60:23, for 7.7 s to 7.9 s
//! ```
//!
//! Everybody waits for the lock, and nobody is left who could have it: that would be a task that
//! runs, or waits for something else. So it was given to a future that is no longer polled. Such a
//! future belongs to one of the tasks that wait, since no other task could poll it. Line 60 is in
//! `quote`, which has another future in hand there that locks the prices: `_fresh`.
//!
//! A second after that had begun, the log said so, with the line in `refresh` where the lock was
//! asked for:
//!
//! ```text
//! stuck: nobody polls the operation at examples/hangs/src/futurelock.rs:66:29, which was given a lock that nobody else can have until it goes on; it is parked in a `select!`, a buffered stream or a variable while the task around it waits for something else: run it in a task of its own, or drop it first
//! ```
//!
//! On the page the customers are red, and above the tree is a line that says for how long they have
//! waited for the mutex.
//!
//! The remedy is [`move_on_after`](crate::move_on_after) in place of the `select`: when time is up,
//! `refresh` is cancelled, and is no longer in line for the lock. If it is to go on, it needs a
//! task of its own. [Flows](crate::guide::flows#futurelock) has the same with `buffered`.
//!
//! # A task that ignores its cancellation
//!
//! *A program is told to end, and says that it does, but the process stays.* Ctrl-C, and Ctrl-\\
//! some seconds later:
//!
//! ```text
//! the run at examples/hangs/src/main.rs:37:25, 6.4 s after it began: 2 tasks
//!   main future: in the nursery below
//!     nursery opened at examples/hangs/src/ignored.rs:25:5, whose body has ended: cancelled by examples/hangs/src/ignored.rs:30:19: SIGINT
//!       task "commands" spawned at examples/hangs/src/ignored.rs:27:29: in a future of another crate, last polled 4.8 s ago
//! socket 5 of a pair: nothing waits for it
//! ```
//!
//! Look for what is cancelled, and see what is left in it. The nursery says by which line it was
//! cancelled, and why. One task is left. It was polled when that happened, as all in the scope are,
//! and goes on waiting for something that knows nothing of scopes. Line 27 spawns `obey`, which has
//! a single `await`, on a channel of the crate `futures`. (The socket is what signals come
//! through.) The log has all of that in one line:
//!
//! ```text
//! stuck: the scope opened at examples/hangs/src/ignored.rs:25:5 is still open, though cancelled by examples/hangs/src/ignored.rs:30:19: SIGINT; what it awaits in the task spawned at examples/hangs/src/ignored.rs:27:29 ("commands") does not respond to that: wrap a future of another crate in `seedbed::cancellable`, or in `seedbed::tokio::call` if it needs tokio, and do not keep a future of this one unpolled
//! ```
//!
//! On the page the nursery is red; choose it, and the details have the same.
//!
//! The remedy is [`cancellable`](crate::cancellable()) around `commands.next()`, or a channel of
//! this crate: a [`thread_channel`](crate::thread_channel) has one end on a thread. For streams in
//! general there is [`cancellable_stream`](crate::cancellable_stream).
//!
//! There are two more ways to ignore a cancellation. A task in a scope that is *shielded* does so
//! on purpose: see in which operation it waits, and give the shield a deadline. A task that is
//! `running` or `ready` whenever one looks throws its `Cancelled` away and tries again: look at its
//! loop.
//!
//! # A blocked thread
//!
//! *All clients wait, no timer fires, and Ctrl-C does nothing. The process takes no processor time,
//! or all of it.* The log says which task is to blame, while it still blocks:
//!
//! ```text
//! blocked: the task "log" spawned at examples/hangs/src/blocked.rs:12:24 has held the thread of the run at examples/hangs/src/main.rs:37:25 for 1 s so far, and nothing else in the run goes on meanwhile; give what blocks to `to_thread`, and have what computes `yield_now` now and then
//! ```
//!
//! It does so in debug builds, and in others if one asks for it, as this program does
//! ([`Builder::warn_when_blocked`](crate::Builder::warn_when_blocked)). No dump comes, since a run
//! takes its own, between two tasks:
//!
//! ```text
//! no dump: the call at src/snapshot/on_signal.rs:60:28 was not answered: the thread of the run is held up by a task that computes or blocks, and nothing else runs there meanwhile
//! ```
//!
//! The page is served by another thread, and says so as well; it still shows what every task did
//! last. Line 12 spawns `write`. If that is long, a debugger knows where in it the thread is: what
//! `gdb -p PID -batch -ex bt` prints begins in the system's `write`, and the first of the program's
//! own functions in it is `hangs::blocked::write`, which prints something. Whoever should read that
//! has stopped doing so.
//!
//! The remedy is [`to_thread`](crate::to_thread()), with a queue in front of it, or for standard
//! output in particular [`stdio`][of-stdio], which waits without blocking.
//!
//! # A leak of tasks
//!
//! *Nothing hangs, but memory grows, until something does.* Only the number of tasks is remarkable,
//! and one line of a dump stands for nearly all of them:
//!
//! ```text
//!       381 tasks spawned at examples/hangs/src/leak.rs:36:7: all in `sleep` at examples/hangs/src/leak.rs:46:9, for 10 ms to 4.0 s, 11.0 s to 14.9 s to go
//! ```
//!
//! A second dump, a minute later, has more of them: they come, and none goes. Line 36 spawns one
//! for each visitor, into the nursery of all visitors. A task ends with its nursery, not with the
//! task that has spawned it. On the page, the table of places has that line first, with how many
//! tasks came since the page was opened, and after ten seconds of growth a line above the tree says
//! so.
//!
//! The remedy is to give each visitor a nursery of its own, and to make `keep_alive` a
//! [service](crate::Nursery::service) there: it is cancelled when the visitor leaves.
//!
//! # How is it doing?
//!
//! A dump is for what is wrong just now. For what goes on over hours there are [`Metrics`]:
//! numbers, which cost nothing until they are read, or, if they have to be counted, until
//! [`enable`](crate::inspect::enable) is called.
//!
//! ```
//! use seedbed::{inspect, nursery, sleep};
//! use std::time::Duration;
//!
//! seedbed::run(async {
//!     inspect::enable()?; // from here on polls, wakes and the like are counted
//!     nursery(async |n| {
//!         n.spawn(sleep(Duration::from_millis(1)));
//!         Ok(())
//!     })
//!     .await?;
//!     let metrics = inspect::metrics()?;
//!     println!("{}", metrics.to_prometheus()); // what a handler for `/metrics` returns
//!     assert_eq!(metrics.counted.unwrap().spawned, 1);
//!     Ok(())
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! | what one sees | what it means |
//! |---|---|
//! | `tasks` grows, and so does `spawned` less `ended` | a leak: the next dump says where they were spawned |
//! | `busy` grows by nearly as much as `elapsed` | the thread is the bottleneck: more cores, or less work |
//! | `slow_polls`, `longest_poll` | tasks that compute or block for 5 ms and more |
//! | `longest_scheduled` is long, `longest_poll` is not | too many tasks are ready at the same time |
//! | `futile_parks` grows as `parks` does | something wakes the run for nothing |
//! | `jobs_abandoned`, `graces_exceeded` | what was cancelled and did not end in time |
//!
//! What users of `tokio-metrics` know as a mean is a quotient here: `polling` by `polls`,
//! `scheduled` by `wakes`, `idle` by `idles`. Two readings are compared to learn of the time
//! between them. [`Token::metrics`](crate::Token::metrics) reads those of another core.
//!
//! An [`Instrument`](crate::inspect::Instrument) is called at each spawn, step, end and sleep, for
//! numbers that are not among these.
//!
//! [`Metrics`]: crate::inspect::Metrics
//!
//! # tokio-console
//!
//! With the feature `console`, a run is shown in [`tokio-console`], a program for the terminal:
//! each task with its name and its place, how often it was polled and woken, for how long it was
//! busy, ready and idle, live and for a while after its end. It is the one that tokio's users know.
//! Your program need not use tokio: `console-subscriber` brings it along, for a thread of its own.
//!
//! ```toml
//! seedbed = { version = "0.1", features = ["console"] }
//! console-subscriber = "0.5"
//! ```
//!
//! ```ignore
//! fn main() -> seedbed::Result<()> {
//!     console_subscriber::init(); // a thread of its own answers on port 6669
//!     seedbed::run(async { /* … */ })
//! }
//! ```
//!
//! `console-subscriber` wants a flag that tells it not to expect tokio's own instrumentation:
//!
//! ```sh
//! RUSTFLAGS='--cfg console_without_tokio_unstable' cargo run
//! cargo install tokio-console && tokio-console   # in another terminal
//! ```
//!
//! The example `http_server` of this repository has it built in if it is compiled with that flag.
//! After a few requests, some columns left out, this is what one sees of it:
//!
//! ```text
//! ID      State Name Total▿ Busy   Sched  Idle   Polls Kind     Location
//! 1       ⏸     main 12m24s    2ms    6ms 12m24s 17    block_on examples/http_server/src/main.rs:74:16
//! 264676  ⏸          12m24s   36µs    0ns 12m24s 1     task     examples/http_server/src/main.rs:94:22
//! 1836709 ⏸              9s    7ms  904µs     9s 22    task     examples/http_server/src/main.rs:94:22
//! 1048948 ⏸              9s    2ms    2ms     9s 18    task     examples/http_server/src/main.rs:94:22
//! 1310856 ⏹            97ms    8ms  183µs   88ms 4     task     examples/http_server/src/main.rs:94:22
//! 1065328 ⏹            83ms   54µs  149µs   83ms 2     task     examples/http_server/src/main.rs:208:53
//! ```
//!
//! * **The time of a task is its own**, not that of its children, which it polls. A task that only
//!   waits for a nursery is idle, and what the console calls a poll is a stretch of its own code.
//!   The body of a nursery is part of the task that has opened it.
//! * **What a server spawns** has the place at which the server was made: here, what ends it when a
//!   signal comes, two connections, and what makes the body of an answer.
//! * **Names** are those of [`Nursery::named`](crate::Nursery::named); the main future is called
//!   "main". The field `nursery` says where the nursery of a task was opened, and a task has the
//!   number that it has in a dump's JSON.
//! * **Functions of [`to_thread`](crate::to_thread())** are of the kind "blocking".
//! * **Resources** are not shown. A [dump](crate::inspect) says what each task waits for.
//! * **Your own spans** stay as they are: one that is set around a nursery holds for all that runs
//!   in it. Each time a task goes on inside of it, it is left and entered once more.
//! * **"A large amount of stack space"** is what the console says of a future of 1 kB and more.
//!   Here it is in memory of the run's. With `tokio-console --allow large-future` it does not.
//! * **It costs** a few microseconds a poll while somebody listens, as in any runtime, and nothing
//!   otherwise. Somebody listens if a subscriber of `tracing` enables spans at the level `TRACE`.
//!   It may be installed before the run or while it goes on, for all threads.
//!
//! [`tokio-console`]: https://docs.rs/tokio-console
#![cfg_attr(all(unix, not(loom), feature = "inspect"), doc = "[of-page]: crate::inspect::Server")]
#![cfg_attr(
    not(all(unix, not(loom), feature = "inspect")),
    doc = "[of-page]: https://docs.rs/seedbed/latest/seedbed/inspect/struct.Server.html"
)]
#![cfg_attr(all(unix, not(loom), feature = "stdio"), doc = "[of-stdio]: mod@crate::stdio")]
#![cfg_attr(
    not(all(unix, not(loom), feature = "stdio")),
    doc = "[of-stdio]: https://docs.rs/seedbed/latest/seedbed/stdio/"
)]
