//! Tasks: where they run, what they may borrow, what becomes of their values and failures.
//!
//! # A nursery
//!
//! [`nursery`](crate::nursery()) runs an async closure, the *body*, with a
//! [`Nursery`](crate::Nursery) in which the body may spawn *children*. It returns when the body
//! and all children have ended.
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
//! [`spawn`](crate::Nursery::spawn) returns a [`Task`](crate::Task). Awaiting it gives the
//! child's value. Dropping it changes nothing: the child goes on, and if it fails the nursery says so. So
//! a task whose value nobody needs is simply ignored, as a
//! [`JoinHandle`](std::thread::ScopedJoinHandle) is.
//!
//! A child runs for the first time when its spawner next waits for something.
//!
//! # Values
//!
//! A nursery returns its body's value. So results are gathered in the body, or in a variable
//! outside of the nursery:
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
//! let total = Cell::new(0); // a Cell, as many children borrow it
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
//! [`Group`](crate::Group) of all that failed, in the order in which it happened. A group comes
//! also where there is only one failure, so that code which handles one need not change when there
//! are two. Being cancelled because a sibling failed is no failure. See
//! [errors](crate::guide::errors).
//!
//! A failure is reported by the nursery, once. Awaiting the task of a child that failed gives the
//! [`Cancelled`](crate::Cancelled) that the failure caused, which says what it was.
//!
//! A child that must not take its siblings with it handles its own errors:
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
//! A panic in a child cancels the others as a failure does, and goes on in the parent, with its
//! own payload, when they have ended.
//!
//! # Cancelling a nursery
//!
//! A nursery has a cancel scope of its own: [`n.cancel()`](crate::Nursery::cancel),
//! [`n.scope()`](crate::Nursery::scope). A nursery that was cancelled through it has done what it
//! was told, and is `Ok`. If the body had ended, its value is what comes out. If it was
//! interrupted, there is none; where the value is `()` that makes no difference, and otherwise it
//! is the error [`NoValue`](crate::NoValue). A body that is a loop without an end has no value
//! either, so it says that its type is `()`:
//! [`nursery::<_, ()>(…)`](crate::nursery()#a-body-that-is-a-loop-without-an-end). The compiler reminds
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
//!     n.cancel(); // the others are not needed any more
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
//! Whatever lives outside of the nursery, as with [`std::thread::scope`]; neither `'static` nor
//! `Send` is asked for. Not what the body owns: the body may end before its children.
//!
//! These are the complaints of the compiler that one meets, and what to do about them.
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
//! Declare `name` before the nursery, or give it to the child with `async move`, as the compiler
//! proposes.
//!
//! **The child borrows a loop's variable.** The same message, and `async move` is right. But it
//! moves everything that the block uses, so the next round of the loop may find something gone:
//! E0382, “use of moved value”. Take a reference first, and that is what moves:
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
//! **Two children change one variable.** E0499, “cannot borrow `total` as mutable more than once
//! at a time”. All is on one thread: a [`Cell`](std::cell::Cell) or a
//! [`RefCell`](std::cell::RefCell) will do (let no `RefCell` borrow live across an `.await`). Or
//! let the children return values.
//!
//! **A child spawns siblings.** It may: `n` is a shared reference. Write `async move`, which is
//! right whatever else the child uses; without it one meets the first complaint as soon as
//! something of the body is used beside `n`.
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
//! **A function that spawns into a nursery it is given.** “lifetime may not live long enough”: the
//! reference has to be as long as the nursery's first lifetime. What children borrow through other
//! arguments has the second:
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
//! `Result<_, Error>`”: end the block with `Ok(())`. For an error type that does not implement
//! [`std::error::Error`], E0277, `map_err` to one that does, or to
//! [`Error::msg`](crate::Error::msg).
//!
//! **The body is a closure in a variable.** E0282, “type annotations needed”, or lifetimes that
//! do not fit. Write the closure where `nursery` is called, or make it an `async fn` as above.
//!
//! # A child that says when it is up
//!
//! [`start`](crate::Nursery::start) runs a child until it calls
//! [`started.ready(value)`](crate::Started::ready), returns the value, and leaves the child
//! running: a server that listens before its clients are started. Until then the child belongs to
//! the caller: its failure comes out of `start`, and cancelling the caller cancels it.
//!
//! # From elsewhere
//!
//! [`n.handle()`](crate::Nursery::handle) can be kept anywhere on the thread and spawns `'static`
//! futures. Once the nursery has closed this fails and gives the future back.
//!
//! # Memory
//!
//! A child is one heap node, which is freed when it has ended and its task is dropped. A nursery
//! does not remember children that have ended, so one may run for the life of a server.
//!
//! # If the nursery's future is dropped
//!
//! Its children are dropped with it, without clean-up, and `tracing` is told. Leaking it, with
//! [`std::mem::forget`], leaks the children; they never run again. Both are memory-safe, and neither is
//! how to stop a nursery. See [cancellation](crate::guide::cancellation#dropping-futures).
