//! What is it doing? Looking inside a program that is running.
//!
//! A program hangs, or is slow, or does not end. A [dump](crate::inspect) says what each of its
//! tasks is doing at that moment.
//!
//! ```text
//! the run at src/main.rs:12:5, 3 min 12 s after it began: 993 tasks, 1 running
//!   main future: running: polls the nursery below
//!     nursery opened at src/server.rs:30:9
//!       body: in `I/O` at src/server.rs:41:32, for 4 ms
//!       990 tasks spawned at src/server.rs:44:15: all in `Receiver::recv` at src/hub.rs:71:24, for 2 ms to 3 min 1 s
//!       task "reload" spawned at src/server.rs:36:19: in `Mutex::lock` at src/config.rs:18:27, for 2 min 58 s
//!         scope opened at src/config.rs:15:5: deadline in 1.4 s
//!       task "hub" spawned at src/server.rs:37:16: running
//! ```
//!
//! # Taking one
//!
//! | where | how |
//! |---|---|
//! | in a task | [`inspect::dump()`](crate::inspect::dump()) |
//! | on another thread | [`Token::dump`](crate::Token::dump) |
//! | in a panic hook | `inspect::dump()`, which never panics itself |
//! | from a shell | `kill -QUIT`, or Ctrl-\, if the run was begun with [`Builder::dump_on`](crate::Builder::dump_on) |
//! | in a test that hangs | [`Deadlock::dump`](crate::Deadlock::dump) |
//!
//! `{}` writes it as above, `{:#}` each task by itself, and [`to_json`](crate::inspect::Dump::to_json)
//! is for programs.
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
//! A line stands for a task, for the body of a nursery, or for a scope; what is further in is inside
//! of it. [The table](crate::inspect#what-it-says-of-a-task) has what it says of a task.
//!
//! * **Begin with what has waited for too long.** A task that has waited in `Mutex::lock` for
//!   minutes waits for whoever has the lock; look for the place where that is taken.
//! * **"in a future of another crate"** is all that can be known of what is not this crate's. If its
//!   scope is cancelled and it goes on waiting, it does not respond to cancellation: see
//!   [`cancellable`](crate::cancellable()).
//! * **"ready, for 3 s"** is a task that does not get its turn: its nursery is not polled, or
//!   something else holds the thread.
//! * **A dump that does not come** ([`CallRefused`](crate::CallRefused)) means the latter.
//! * **Names help.** Give those to tasks that would otherwise differ only in what they work on:
//!   [`Nursery::named`](crate::Nursery::named).
//!
//! What is stuck is also [found by itself](crate::guide::scheduling#a-stuck-task-says-so).
