//! Tasks: where they run, what they may borrow, and what becomes of their values and failures.
//!
//! # A nursery
//!
//! [`nursery`](crate::nursery()) runs an async closure, the *body*, and passes it a
//! [`Nursery`](crate::Nursery) in which it can spawn *children*. It returns when the body and all
//! the children have ended.
//!
//! ```
//! use seedbed::{nursery, sleep};
//! use std::time::Duration;
//!
//! # let clock = seedbed::testing::VirtualClock::new();
//! # seedbed::Builder::new().clock(&clock).run(async {
//! nursery(async |n| {
//!     n.spawn(sleep(Duration::from_secs(2)));
//!     n.spawn(sleep(Duration::from_secs(3)));
//!     sleep(Duration::from_secs(1)).await
//! })
//! .await?; // three seconds later
//! # assert_eq!(clock.elapsed(), Duration::from_secs(3));
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! [`spawn`](crate::Nursery::spawn) returns a [`Task`](crate::Task). Awaiting the task gives the
//! child's value. Dropping it changes nothing: the child goes on, and if it fails, the nursery
//! reports it. So a task whose value nobody needs can simply be ignored, like a
//! [`ScopedJoinHandle`](std::thread::ScopedJoinHandle).
//!
//! A child runs for the first time when its spawner next waits for something.
//!
//! # Values
//!
//! A nursery returns its body's value. Collect results in the body, or in a variable outside the
//! nursery:
//!
//! ```
//! use seedbed::nursery;
//! use std::cell::Cell;
//!
//! # seedbed::run(async {
//! let sum = nursery(async |n| {
//!     let one = n.spawn(async { Ok(1) });
//!     let two = n.spawn(async { Ok(2) });
//!     Ok(one.await? + two.await?)
//! })
//! .await?;
//!
//! let total = Cell::new(0); // a Cell, because several children borrow it
//! nursery(async |n| {
//!     for i in 0..3 {
//!         let total = &total;
//!         n.spawn(async move {
//!             total.set(total.get() + i);
//!             Ok(())
//!         });
//!     }
//!     Ok(())
//! })
//! .await?;
//! assert_eq!((sum, total.get()), (3, 3));
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # Failures
//!
//! When the body or a child fails, the nursery cancels the rest, waits for them, and fails with a
//! [`Group`](crate::Group) of all the failures, in the order in which they happened. Even a single
//! failure comes in a group, so that code written for one does not have to change when there are
//! two. A child that was only cancelled because a sibling failed does not count as a failure. See
//! [errors](crate::guide::errors).
//!
//! The nursery reports each failure once. Awaiting the task of a child that failed gives the
//! [`Cancelled`](crate::Cancelled) that the failure caused; its reason says what the failure was.
//!
//! A child that must not take its siblings down with it handles its own errors:
//!
//! ```
//! use seedbed::{Error, Result, nursery};
//!
//! async fn work(i: u32) -> Result<()> {
//!     if i == 1 { Err(Error::msg("out of paper")) } else { Ok(()) }
//! }
//!
//! # seedbed::run(async {
//! nursery(async |n| {
//!     for i in 0..3 {
//!         n.spawn(async move {
//!             match work(i).await {
//!                 Err(error) if !error.is_cancelled() => Ok(eprintln!("{i}: {error}")),
//!                 other => other, // let a cancellation pass
//!             }
//!         });
//!     }
//!     Ok(())
//! })
//! .await
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! A panic in a child cancels the others, as a failure does. When they have ended, it continues in
//! the parent with its original payload.
//!
//! # Cancelling a nursery
//!
//! A nursery has a cancel scope of its own, reached by [`n.cancel()`](crate::Nursery::cancel) and
//! [`n.scope()`](crate::Nursery::scope). A nursery cancelled through that scope has done what it
//! was told, so its outcome is `Ok`. If the body had already ended, the nursery returns the body's
//! value. If the body was interrupted, there is no value: for `()` that makes no difference, and
//! for any other type it is the error [`NoValue`](crate::NoValue). A body that loops forever never
//! has a value either, so it has to declare that its type is `()`, as in
//! [`nursery::<_, ()>(…)`](crate::nursery()#a-body-that-loops-forever). The compiler will remind
//! you.
//!
//! ```
//! use seedbed::{nursery, sleep, sleep_forever};
//! use std::time::Duration;
//!
//! # let clock = seedbed::testing::VirtualClock::new();
//! # seedbed::Builder::new().clock(&clock).run(async {
//! let winner = nursery(async |n| {
//!     n.spawn(sleep_forever());
//!     sleep(Duration::from_secs(1)).await?;
//!     n.cancel(); // the others are no longer needed
//!     Ok("the body")
//! })
//! .await?;
//! assert_eq!(winner, "the body");
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # What a child may borrow
//!
//! A child may borrow anything that lives outside the nursery, as with [`std::thread::scope`]; it
//! needs to be neither `'static` nor `Send`. It may not borrow what the body owns, because the body
//! may end first.
//!
//! These are the compiler errors you are likely to meet, and what to do about them.
//!
//! **The child borrows from the body.** E0373, “async block may outlive the current function, but
//! it borrows `name`”:
//!
//! ```compile_fail,E0373
//! # use seedbed::nursery;
//! # seedbed::run(async {
//! nursery(async |n| {
//!     let name = String::from("ada");
//!     n.spawn(async { Ok(println!("{name}")) });
//!     Ok(())
//! })
//! .await
//! # });
//! ```
//!
//! If this compiled, the body would drop `name` when it ended, and the child, which runs later,
//! would print freed memory. Declare `name` before the nursery, or give it to the child with
//! `async move`, as the compiler suggests.
//!
//! **The child borrows a loop variable.** The message is the same, and `async move` is the right
//! answer. But it moves everything the block uses, so the next iteration may find something gone:
//! E0382, “use of moved value”. Take a reference first, so that only the reference moves:
//!
//! ```
//! # use seedbed::nursery;
//! # seedbed::run(async {
//! let greeting = String::from("hello");
//! nursery(async |n| {
//!     for i in 0..3 {
//!         let greeting = &greeting;
//!         n.spawn(async move { Ok(println!("{greeting} {i}")) });
//!     }
//!     Ok(())
//! })
//! .await
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! **Two children change one variable.** E0499, “cannot borrow `total` as mutable more than once at
//! a time”. Everything is on one thread, so a [`Cell`](std::cell::Cell) or a
//! [`RefCell`](std::cell::RefCell) will do (do not hold a borrow of a `RefCell` across an
//! `.await`). Or have the children return values.
//!
//! **A child spawns siblings.** It may, since `n` is a shared reference. Write `async move`, which
//! is right whatever else the child uses. Without it, you meet the first error in this list as soon
//! as the child uses anything of the body's besides `n`.
//!
//! ```
//! # use seedbed::nursery;
//! # seedbed::run(async {
//! nursery(async |n| {
//!     for i in 0..3 {
//!         n.spawn(async move {
//!             n.spawn(async move { Ok(println!("grandchild {i}")) });
//!             Ok(())
//!         });
//!     }
//!     Ok(())
//! })
//! .await
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! **A function spawns into a nursery that it is given.** “lifetime may not live long enough”: the
//! reference must live as long as the nursery's first lifetime. Anything the children borrow
//! through other arguments has the second lifetime:
//!
//! ```
//! use seedbed::{Nursery, Result, nursery};
//!
//! async fn greet_all<'scope, 'env>(
//!     n: &'scope Nursery<'scope, 'env>,
//!     names: &'env [String],
//! ) -> Result<()> {
//!     for name in names {
//!         n.spawn(async move { Ok(println!("hello {name}")) });
//!     }
//!     Ok(())
//! }
//!
//! # seedbed::run(async {
//! let names = [String::from("ada"), String::from("grace")];
//! nursery(async |n| greet_all(n, &names).await).await
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! **The child's value is not a `Result`.** E0271, “expected … to be a future that resolves to
//! `Result<_, Error>`”: end the block with `Ok(())`. If the error type does not implement
//! [`std::error::Error`] (E0277), use `map_err` to turn it into one that does, or into
//! [`Error::msg`](crate::Error::msg).
//!
//! **The body is a closure in a variable.** E0282, “type annotations needed”, or lifetimes that do
//! not fit. Write the closure where `nursery` is called, or make it an `async fn` as above.
//!
//! # A child that says when it is up
//!
//! [`start`](crate::Nursery::start) runs a child until it calls
//! [`started.ready(value)`](crate::Started::ready), then returns that value and leaves the child
//! running. An example is a server that must be listening before its clients start. Until then the
//! child belongs to the caller: its failure comes out of `start`, and cancelling the caller cancels
//! the child.
//!
//! # A child that serves the others
//!
//! [`service`](crate::Nursery::service) spawns a child that the others need until they have ended,
//! such as a connection that they share. It does not keep the nursery open: when the body and all
//! others have ended, it is cancelled. Graceful cancellations come to it last.
//!
//! # Names
//!
//! [`n.named("worker 3").spawn(…)`](crate::Nursery::named) gives a task a name, which stands in
//! errors and reports beside the place where the task was spawned. It tells apart what was spawned
//! in a loop.
//!
//! # One child alone
//!
//! [`Task::cancel`](crate::Task::cancel) cancels a child and nothing else. The child cleans up, and
//! awaiting its task gives the error [`TaskCancelled`](crate::TaskCancelled).
//!
//! # The first, or all
//!
//! [`gather`](crate::gather()) runs several futures and gives all their values.
//! [`race`](crate::race()) gives the first value, cancels the others, waits for them, and hands over
//! what they still end with; [`race_ok`](crate::race_ok()) is the same for the first that succeeds.
//! Each is a nursery with a few lines in it, so what holds for nurseries holds for them.
//!
//! # From elsewhere
//!
//! [`n.handle()`](crate::Nursery::handle) returns a handle that can be kept anywhere on the thread
//! and spawns `'static` futures. Once the nursery has closed, spawning fails and gives the future
//! back.
//!
//! # What is set around a nursery
//!
//! A child is polled by its nursery. So whatever is set around the nursery, and holds while
//! something is being polled, holds for the child as well, for its clean-up and for its destructors:
//! a [`Local`](crate::Local) of this crate, a span of `tracing` (`.instrument(…)`), a `task_local!`
//! of tokio's. Nothing has to be handed on, nor cloned for each child.
//!
//! ```
//! use seedbed::{Local, nursery};
//!
//! static REQUEST: Local<u64> = Local::new();
//!
//! # seedbed::run(async {
//! let handler = async {
//!     nursery(async |n| {
//!         n.spawn(async { Ok(assert_eq!(REQUEST.get(), Some(7))) });
//!         Ok(())
//!     })
//!     .await
//! };
//! REQUEST.scope(7, handler).await
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! What is set around the *spawner* is not inherited, if that is further in than the nursery, or
//! elsewhere: the child may outlast it. It is the same with scopes. A child of
//! [`start`](#a-child-that-says-when-it-is-up) is an exception for as long as it belongs to its
//! caller; when it has said that it is up, it has what is around the nursery. Whatever a child
//! should keep from its spawner, it takes along and sets around itself:
//! `n.spawn(work().instrument(Span::current()))`.
//!
//! [`Local`](crate::Local#who-has-which-value) has a table of what has which value. Two things are
//! worth knowing about other libraries. A function given to
//! [`Token::run_sync_soon`](crate::Token::run_sync_soon) has no value of a `Local`, but may find the
//! span or the `task_local!` of whatever task was running just then; it should set its own. And a
//! guard such as `span.enter()` must not be held across an `.await`, here as anywhere.
//!
//! # Memory
//!
//! A child takes one node in the run's table, which is free for the next child when this one has
//! ended and its task is dropped. A nursery does not remember children that have ended, so it can
//! run for the life of a server.
//!
//! # If the nursery's future is dropped
//!
//! Dropping it drops the children too, without clean-up, and a warning goes to `tracing`. Leaking
//! it with [`std::mem::forget`] leaks the children, which never run again. Both are memory-safe,
//! but neither is the way to stop a nursery. See
//! [cancellation](crate::guide::cancellation#dropping-futures).
