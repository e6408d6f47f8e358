//! Stopping things: scopes, shields, deadlines, clean-up.
//!
//! # Cancellation is a value
//!
//! Inside a cancelled scope every checkpoint (every operation of this crate) fails with
//! [`Cancelled`](crate::Cancelled). `?` carries it out to the scope, which absorbs it. Nothing is
//! dropped half-way: the code that was cancelled runs on, to where it handles the error or passes
//! it on, and its destructors run in their usual order.
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
//! It is *level-triggered*: the next checkpoint fails as well, and the next, until the scope is
//! left. Code that catches the error and tries again does not escape.
//!
//! So there are two rules for code that handles errors. Let a `Cancelled` pass
//! ([`is_cancelled`](crate::Error::is_cancelled)), also after clean-up. And do not loop over an
//! operation without looking at its result.
//!
//! # Scopes
//!
//! [`cancel_scope`](crate::cancel_scope) gives its body a [`CancelScope`](crate::CancelScope).
//! [`CancelScope::new`](crate::CancelScope::new) makes one ahead: clones of it may be given away
//! and cancelled before it is entered, while it is open, and after it was left, which has no
//! effect. Every nursery has one, and so have [`fail_after`](crate::fail_after) and its kin.
//!
//! Scopes nest. A cancellation from outside goes through to the outer scope; one of this scope
//! ends here. A scope absorbs only if it was cancelled itself and no cancellation from outside is
//! visible. From a [`Group`](crate::Group) it takes the cancellations and lets the failures
//! pass. [`cancelled_caught`](crate::CancelScope::cancelled_caught) says whether it absorbed
//! something, [`cancel_called`](crate::CancelScope::cancel_called) whether it was cancelled at all:
//! work that ends in time is not undone.
//!
//! # Deadlines
//!
//! | | when time is over |
//! |---|---|
//! | [`fail_after`](crate::fail_after), [`fail_at`](crate::fail_at) | the error [`TooSlow`](crate::TooSlow) |
//! | [`move_on_after`](crate::move_on_after), [`move_on_at`](crate::move_on_at) | `Ok(None)` |
//! | [`CancelScope::set_deadline`](crate::CancelScope::set_deadline) | the scope is cancelled; movable while it is open |
//!
//! The caller of a function sets its time limit, and the function needs no parameter for it.
//! Limits nest, and the earliest wins; [`TooSlow`](crate::TooSlow) comes only from the one that was over.
//! [`current_effective_deadline`](crate::current_effective_deadline) tells how much time is left.
//!
//! # Clean-up
//!
//! Code that has been cancelled can still await, under a *shield*, which hides cancellations from
//! outside. Give it a deadline: nobody else can stop it.
//!
//! ```
//! use seedbed::{CancelScope, Result, fail_after, sleep, sleep_forever};
//! use std::time::Duration;
//!
//! async fn work() -> Result<()> {
//!     let outcome = sleep_forever().await; // until it is cancelled
//!     // On every way out, and for two seconds at the most:
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
//! Keep the outcome in a variable, clean up, return the outcome. Do not use `?` in between on
//! what may be cancelled. What need not await belongs in a destructor, as everywhere in Rust.
//!
//! # Why
//!
//! A [`Cancelled`](crate::Cancelled) says where its scope was opened, who cancelled it, and for
//! what [`Reason`](crate::Reason): a deadline, a failing sibling, a text given to
//! [`cancel_with`](crate::CancelScope::cancel_with), Ctrl-C.
//!
//! # It has happened, or it was cancelled
//!
//! An operation of this crate that fails with `Cancelled` has not happened: no message was sent
//! or taken, no connection accepted, no byte moved. And what has happened is reported as such,
//! also if the cancellation came in the same instant. A
//! [`send`](crate::Sender::send) that is cancelled gives the message back. What is made of several
//! operations, as a `write_all`, cannot promise this.
//!
//! # Graceful stops
//!
//! [`cancel_gracefully(grace)`](crate::CancelScope::cancel_gracefully) cancels at once all but the
//! sections that are marked as [`finishing`](crate::finishing) their work; these have until the
//! grace is over. A server marks the answering of a request, and not the waiting for the next;
//! or all of it, and with [`idle`](crate::idle) the waiting inside.
//!
//! A user who does not want to wait for the grace sends the signal again: in a
//! [server](crate::Server#shutdown) the second ends the grace, and the third the process.
//!
//! Where something is left to do after the waiting, such as what a reader has put into the queue of
//! a writer, the stop should be no error, which would cancel the writer as well. Nor should the reader
//! catch a `Cancelled`, which is not its own. [`until_stopped`](crate::until_stopped) gives `None`
//! when the stop comes: the loop ends, and the code after it runs on with the grace it has. Any
//! other cancellation is an error there as everywhere.
//!
//! ```
//! use seedbed::{Result, channel, nursery, until_stopped};
//! # use seedbed::net::TcpStream;
//!
//! /// A handler of `serve`, which is finishing from its first line to its last.
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
//!         drop(queue); // which ends the writer, after what is in the queue
//!         Ok(())
//!     })
//!     .await
//! }
//! # async fn read_frame(_: &TcpStream) -> Result<Vec<u8>> { Ok(Vec::new()) }
//! ```
//!
//! `examples/reader_and_writer.rs` is such a server.
//!
//! # Futures of other crates
//!
//! Combinators such as `join_all`, `FuturesUnordered` and `select` may hold operations of this
//! crate: a cancellation reaches them. A future that contains no operation of this crate knows
//! nothing of scopes; [`cancellable`](crate::cancellable) drops it when it is cancelled, and fails
//! with `Cancelled` in its place. A cancelled scope that stays open because of one
//! [says so](crate::guide::scheduling#a-stuck-task-says-so).
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
//! To drop a future is legal, here as everywhere, and safe. A dropped operation has not happened:
//! a message that had been handed to a dropped [`recv`](crate::Receiver::recv) goes back into the
//! channel. But code that is dropped cannot await, so its clean-up is cut short, and it does not
//! learn why. A dropped nursery drops its children and warns about it. Prefer to cancel a scope and to let
//! the code end; where a race is wanted, let two children run and cancel the nursery when
//! the first is done.
//!
//! ```
//! use seedbed::{Result, nursery, sleep};
//! use std::{cell::Cell, time::Duration};
//!
//! /// The value of whichever ends first; the other is cancelled, and has cleaned up on return.
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
