//! How to stop things: scopes, shields, deadlines, clean-up.
//!
//! # Cancellation is a value
//!
//! Inside a cancelled scope every [checkpoint](crate::guide::scheduling#checkpoints), which nearly
//! every operation of this crate is, fails with [`Cancelled`](crate::Cancelled). `?` carries the
//! error out to the scope, which absorbs it.
//! Nothing is dropped half-way: the cancelled code runs on to wherever it handles the error or
//! passes it on, and its destructors run in their usual order.
//!
//! ```
//! use seedbed::{cancel_scope, sleep};
//! use std::time::Duration;
//!
//! # let clock = seedbed::testing::VirtualClock::new();
//! # seedbed::Builder::new().clock(&clock).run(async {
//! let value = cancel_scope(async |scope| {
//!     scope.set_timeout(Duration::from_secs(1));
//!     sleep(Duration::from_secs(60)).await?; // fails after one second
//!     Ok("slept")
//! })
//! .await?;
//! assert_eq!(value, None); // interrupted, so there is no value
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! Cancellation is *level-triggered*: the next checkpoint fails too, and so does the one after it,
//! until the scope is left. Code that catches the error and tries again does not escape.
//!
//! That gives two rules for code that handles errors. Let a `Cancelled` pass
//! ([`is_cancelled`](crate::Error::is_cancelled)), even after cleaning up. And never loop over an
//! operation without looking at its result.
//!
//! # Scopes
//!
//! [`cancel_scope`](crate::cancel_scope) gives its body a [`CancelScope`](crate::CancelScope).
//! [`CancelScope::new`](crate::CancelScope::new) makes one in advance. It can be cloned and given
//! away, and cancelled before it is entered or while it is open; once it has been left, cancelling
//! it has no effect. Every nursery has a scope, and so do [`fail_after`](crate::fail_after) and its
//! relatives.
//!
//! Scopes nest. A cancellation of an outer scope passes through to that scope; a cancellation of
//! this one ends here. A scope absorbs a `Cancelled` only if it was cancelled itself and no
//! cancellation from outside is visible. From a [`Group`](crate::Group) it removes the
//! cancellations and lets the failures pass.
//! [`cancelled_caught`](crate::CancelScope::cancelled_caught) says whether the scope absorbed
//! anything, [`cancel_called`](crate::CancelScope::cancel_called) whether it was cancelled at all;
//! the two differ when the work finishes in time, because finished work is not undone.
//!
//! # Deadlines
//!
//! | | when time is up |
//! |---|---|
//! | [`fail_after`](crate::fail_after), [`fail_at`](crate::fail_at) | the error is [`TooSlow`](crate::TooSlow) |
//! | [`move_on_after`](crate::move_on_after), [`move_on_at`](crate::move_on_at) | the value is `Ok(None)` |
//! | [`CancelScope::set_deadline`](crate::CancelScope::set_deadline) | the scope is cancelled; the deadline can be moved while it is open |
//!
//! The caller of a function sets its time limit; the function needs no parameter for it. Limits
//! nest, and the earliest wins. [`TooSlow`](crate::TooSlow) comes only from the limit that was
//! exceeded. [`current_effective_deadline`](crate::current_effective_deadline) gives the time at
//! which the present code will be cancelled.
//!
//! # Clean-up
//!
//! Code that has been cancelled can still await, under a *shield*, which hides cancellations from
//! outside. Give the shield a deadline, because nothing else can stop what runs under it.
//!
//! ```
//! use seedbed::{CancelScope, Result, fail_after, sleep, sleep_forever};
//! use std::time::Duration;
//!
//! async fn work() -> Result<()> {
//!     let outcome = sleep_forever().await; // until it is cancelled
//!     // On every way out, but for at most two seconds:
//!     CancelScope::new()
//!         .with_shield()
//!         .with_timeout(Duration::from_secs(2))
//!         .enter(async |_| say_goodbye().await)
//!         .await?;
//!     outcome
//! }
//!
//! async fn say_goodbye() -> Result<()> {
//!     sleep(Duration::from_secs(1)).await
//! }
//!
//! # let clock = seedbed::testing::VirtualClock::new();
//! # seedbed::Builder::new().clock(&clock).run(async {
//! let error = fail_after(Duration::from_secs(10), work()).await.unwrap_err();
//! assert!(error.is::<seedbed::TooSlow>());
//! # assert_eq!(clock.elapsed(), Duration::from_secs(11));
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! Keep the outcome in a variable, clean up, then return the outcome. In between, do not use `?` on
//! anything that may be cancelled. Clean-up that does not need to await belongs in a destructor, as
//! everywhere in Rust.
//!
//! # Why
//!
//! A [`Cancelled`](crate::Cancelled) says where its scope was opened, who cancelled it, and why.
//! Its [`Reason`](crate::Reason) may be a deadline, a failing sibling, a text given to
//! [`cancel_with`](crate::CancelScope::cancel_with), or Ctrl-C, among others.
//!
//! # It has happened, or it was cancelled
//!
//! An operation of this crate that fails with `Cancelled` has not happened: no message was sent or
//! received, no connection accepted, no byte moved. And an operation that did happen says so, even
//! if the cancellation came in the same instant. A [`send`](crate::Sender::send) that is cancelled
//! gives the message back. A function made of several operations, such as `write_all`, cannot
//! promise this.
//!
//! # Graceful stops
//!
//! [`cancel_gracefully(grace)`](crate::CancelScope::cancel_gracefully) cancels everything at once,
//! except sections marked as [`finishing`](crate::finishing) their work; these have until the grace
//! is over. A server might mark the code that answers a request but not the code that waits for the
//! next one. Or it marks the whole connection, and uses [`idle`](crate::idle) to exempt the waiting
//! inside.
//!
//! A user who is not prepared to wait for the grace sends the signal again: in a
//! [server](crate::Server#shutdown) the second signal ends the grace, and the third ends the
//! process.
//!
//! Sometimes there is work left to do after the waiting, such as messages that a reader has put
//! into a writer's queue. Then the stop should not be an error, which would cancel the writer too.
//! Nor should the reader catch a `Cancelled` that is meant for a scope further out. Use
//! [`until_stopped`](crate::until_stopped), which gives `None` when the stop comes: the loop ends,
//! and the code after it continues with whatever grace it has. Any other cancellation is an error
//! there, as everywhere.
//!
//! ```
//! use seedbed::{Result, channel, nursery, until_stopped};
//! # use seedbed::net::TcpStream;
//!
//! /// A handler for `serve`: all of it is a `finishing` section.
//! async fn connection(stream: &TcpStream) -> Result<()> {
//!     let (queue, frames) = channel::<Vec<u8>>(100);
//!     nursery(async |n| {
//!         n.spawn(async move {
//!             while let Some(frame) = frames.recv().await? {
//!                 stream.write_all(&frame).await?;
//!             }
//!             Ok(())
//!         });
//!         while let Some(frame) = until_stopped(read_frame(stream)).await? {
//!             queue.send(frame).await?;
//!         }
//!         drop(queue); // the writer ends once the queue is empty
//!         Ok(())
//!     })
//!     .await
//! }
//! # async fn read_frame(_: &TcpStream) -> Result<Vec<u8>> { Ok(Vec::new()) }
//! ```
//!
//! `examples/reader_and_writer.rs` is a server that does this.
//!
//! # Futures of other crates
//!
//! Combinators such as `join_all`, `FuturesUnordered` and `select` may contain operations of this
//! crate: a cancellation reaches them. A future that contains no operation of this crate knows
//! nothing about scopes. [`cancellable`](crate::cancellable) drops such a future when the scope is
//! cancelled, and fails with `Cancelled` in its place. If a cancelled scope stays open because of
//! such a future, [a warning says so](crate::guide::scheduling#a-stuck-task-says-so).
//! [`cancellable_stream`](crate::cancellable_stream) is for streams and sinks of other crates, such as
//! [WebSockets](crate::guide::websockets): each item is a checkpoint, and after a cancellation they go
//! on where they were.
//!
//! ```
//! use seedbed::{move_on_after, sleep, sleep_forever};
//! use std::time::Duration;
//!
//! # let clock = seedbed::testing::VirtualClock::new();
//! # seedbed::Builder::new().clock(&clock).run(async {
//! let both = async {
//!     let (a, b) = futures::future::join(sleep_forever(), sleep(Duration::from_secs(60))).await;
//!     a.and(b)
//! };
//! assert_eq!(move_on_after(Duration::from_secs(1), both).await?, None);
//! # assert_eq!(clock.elapsed(), Duration::from_secs(1));
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # Dropping futures
//!
//! Dropping a future is legal and safe, here as everywhere. A dropped operation has not happened:
//! if a message had already been given to a dropped [`recv`](crate::Receiver::recv), it goes back
//! into the channel. But code that is dropped cannot await, so its clean-up is cut short, and it
//! does not learn why. A dropped nursery drops its children and warns about it. Prefer cancelling a
//! scope and letting the code end. For a race, run two children and cancel the nursery when the
//! first one is done.
//!
//! ```
//! use seedbed::{Result, nursery, sleep};
//! use std::{cell::Cell, time::Duration};
//!
//! /// The value of whichever ends first. The other is cancelled and has cleaned up by then.
//! async fn race<T>(
//!     a: impl Future<Output = Result<T>>,
//!     b: impl Future<Output = Result<T>>,
//! ) -> Result<T> {
//!     let first = Cell::new(None);
//!     nursery(async |n| {
//!         let win = |value| {
//!             let earlier = first.take();
//!             first.set(earlier.or(Some(value)));
//!             n.cancel();
//!         };
//!         n.spawn(async move { Ok(win(a.await?)) });
//!         n.spawn(async move { Ok(win(b.await?)) });
//!         Ok(())
//!     })
//!     .await?;
//!     Ok(first.take().expect("one of them has ended"))
//! }
//!
//! # let clock = seedbed::testing::VirtualClock::new();
//! # seedbed::Builder::new().clock(&clock).run(async {
//! let slow = async { sleep(Duration::from_secs(9)).await.map(|()| "slow") };
//! let fast = async { sleep(Duration::from_secs(1)).await.map(|()| "fast") };
//! assert_eq!(race(slow, fast).await?, "fast");
//! # assert_eq!(clock.elapsed(), Duration::from_secs(1));
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
