//! Code that produces values one at a time, and the scopes in which it must not be suspended.
//!
//! # A body that yields
//!
//! A *generator* is a function that produces values one at a time and can wait in between. What
//! would otherwise be a struct with its state and a hand-written `poll_next` becomes a loop:
//!
//! ```
//! use seedbed::{Generator, Yielder, generator, sleep};
//! use std::time::Duration;
//!
//! fn ticker(pause: Duration, to: u32) -> Generator<'static, u32> {
//!     generator(async move |y: Yielder<u32>| {
//!         for i in 0..to {
//!             y.yield_(i).await?;
//!             sleep(pause).await?;
//!         }
//!         Ok(())
//!     })
//! }
//!
//! # let clock = seedbed::testing::VirtualClock::new();
//! # seedbed::Builder::new().clock(&clock).run(async {
//! let mut numbers = ticker(Duration::from_secs(1), 3);
//! let mut seen = Vec::new();
//! while let Some(i) = numbers.anext().await? {
//!     seen.push(i);
//! }
//! assert_eq!(seen, [0, 1, 2]);
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! A generator runs only while somebody waits for its next value, in the task of whoever waits. At
//! a yield it stands still. [`anext`](crate::Generator::anext) gives the next value, and `None`
//! after the end. An error in the body comes out of the `anext` that ran into it, and ends the
//! generator.
//!
//! Values that are there already, such as a page or a buffer, are yielded with one call,
//! [`yield_all`](crate::Yielder::yield_all). To the consumer this is the same as yielding each, but
//! it costs a fraction of that, because the body is not polled in between.
//!
//! A generator is also a [`Stream`](https://docs.rs/futures-core) of `Result`s, for use with the
//! combinators of `futures`, or better with the operators of [flows](crate::guide::flows), which
//! close it. It is a boxed future with space for one value: creating one allocates, a yield does
//! not.
//!
//! # Values in, errors in
//!
//! A yield can also take a value. [`asend`](crate::Generator::asend) answers the yield, which then
//! returns `Some(value)`; after a plain `anext` it returns `None`.
//! [`athrow`](crate::Generator::athrow) answers with an error, which the body may handle.
//!
//! ```
//! use seedbed::{Error, Yielder, generator};
//!
//! # seedbed::run(async {
//! let mut average = generator(async |y: Yielder<f64, f64>| {
//!     let (mut sum, mut count) = (0.0, 0.0);
//!     loop {
//!         match y.yield_(if count == 0.0 { 0.0 } else { sum / count }).await {
//!             Ok(Some(number)) => (sum, count) = (sum + number, count + 1.0),
//!             Ok(None) => {} // `anext`
//!             Err(error) if error.is::<std::num::ParseFloatError>() => {} // not a number
//!             Err(error) => return Err(error), // everything else, including `GeneratorExit`
//!         }
//!     }
//! });
//! average.anext().await?; // runs to the first yield, which can then be answered
//! average.asend(10.0).await?;
//! assert_eq!(average.asend(20.0).await?, Some(15.0));
//! assert_eq!(average.athrow("ten".parse::<f64>().unwrap_err()).await?, Some(15.0));
//! average.aclose().await
//! # })?;
//! # Ok::<(), Error>(())
//! ```
//!
//! A body that has not reached a yield yet cannot be answered. In that case `asend` gives the value
//! back, in [`AsendError::Refused`](crate::AsendError::Refused).
//!
//! # What goes wrong: a yield inside a scope
//!
//! Here is a generator that waits at most two seconds for each of another generator's items:
//!
//! ```
//! use seedbed::{Generator, Yielder, fail_after, generator};
//! use std::time::Duration;
//!
//! fn impatient(mut items: Generator<'static, u32>) -> Generator<'static, u32> {
//!     generator(async move |y: Yielder<u32>| {
//!         loop {
//!             let item = fail_after(Duration::from_secs(2), async {
//!                 let item = items.anext().await?;
//!                 if let Some(item) = item {
//!                     y.yield_(item).await?; // inside the time limit
//!                 }
//!                 Ok(item)
//!             });
//!             if item.await?.is_none() {
//!                 return Ok(());
//!             }
//!         }
//!     })
//! }
//! # seedbed::run(async {
//! # let items = generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop));
//! # let error = impatient(items).anext().await.unwrap_err();
//! # assert!(error.is::<seedbed::YieldInCancelScope>());
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! Suppose this were allowed. The item arrives at once and is yielded, so the generator stands
//! still, but its time limit keeps running. The consumer works on the item for three seconds. After
//! two of them the limit expires, although nothing was late. What is inside the limit at that
//! moment?
//!
//! * In Trio and asyncio a scope covers whatever the *task* does until the scope is left. That is
//!   the consumer's code. It is cancelled in the middle of its work by a limit that it knows
//!   nothing about, and the cancellation does not find the scope that should absorb it, because
//!   that scope is in the generator, which is not running.
//! * In a `Stream` from other Rust libraries the limit is checked when the stream is next polled.
//!   If the code inside it still has to wait for something, it is dropped: the stream has failed
//!   because its consumer was slow.
//!
//! A nursery is worse. While the generator stands still, nobody waits for its children. Either they
//! stand still too, and connections go unanswered, or they run, and a child that fails has nobody
//! to tell. Sometimes this goes well, for instance in a test, and so the mistake stays in programs.
//! [PEP 789](https://peps.python.org/pep-0789/), the proposal for Python that this design follows,
//! says more about it, and `examples/yield_in_scope.rs` contains its programs.
//!
//! # The rule
//!
//! *A generator must not yield inside a cancel scope, a time limit or a nursery that it has
//! opened.* Such a yield fails every time, even when nothing would have gone wrong. The generator
//! is not suspended. The error travels out through the scopes, which are left properly, and comes
//! out of `anext`:
//!
//! ```text
//! Error: the yield at src/main.rs:10:23 is inside a timeout, opened at src/main.rs:7:24, which would
//! stay open while the consumer runs; yield outside it, or make this a context manager, or run it
//! behind `safe_channel`
//! ```
//!
//! The error is [`YieldInCancelScope`](crate::YieldInCancelScope). The check also finds scopes that
//! cannot be seen from where the yield is, because they are in the function that called the
//! yielding code or in a context manager. It happens when the program runs, not when it compiles,
//! and costs each yield one comparison.
//!
//! Where the scope and the yield are in the same file, `seedbed-lint` finds the mistake without
//! running the program. It is a package of this crate's repository:
//! `cargo run -p seedbed-lint -- PATH…` prints each place with the same advice, and `--explain RULE`
//! has a page for each of its rules.
//!
//! A scope of the *consumer's*, around its loop or around a single `anext`, is no obstacle, since
//! the generator did not open it. A time limit there reaches whatever the generator waits for
//! inside, as it does with any other call.
//!
//! ```
//! use seedbed::{Yielder, generator, move_on_after, sleep};
//! use std::time::Duration;
//!
//! # let clock = seedbed::testing::VirtualClock::new();
//! # seedbed::Builder::new().clock(&clock).run(async {
//! let mut slower_and_slower = generator(async |y: Yielder<u64>| {
//!     for i in 1.. {
//!         sleep(Duration::from_secs(i)).await?;
//!         y.yield_(i).await?;
//!     }
//!     Ok(())
//! });
//! let mut last = 0;
//! move_on_after(Duration::from_secs(7), async {
//!     while let Some(i) = slower_and_slower.anext().await? {
//!         last = i;
//!     }
//!     Ok(())
//! })
//! .await?;
//! assert_eq!(last, 3); // after 1 + 2 + 3 seconds
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! If a type of your own must not stay open across a yield, such as a lock or a profiler's span,
//! have it say so with [`prevent_yields`](crate::prevent_yields).
//!
//! # The first way out: yield outside the scope
//!
//! Nearly always the scope is meant to enclose the work, not the yield. Take the value out of it:
//!
//! ```
//! use seedbed::{Generator, Yielder, fail_after, generator};
//! use std::time::Duration;
//!
//! fn impatient(mut items: Generator<'static, u32>) -> Generator<'static, u32> {
//!     generator(async move |y: Yielder<u32>| {
//!         let limit = Duration::from_secs(2);
//!         while let Some(item) = fail_after(limit, items.anext()).await? {
//!             y.yield_(item).await?;
//!         }
//!         Ok(())
//!     })
//! }
//! # let clock = seedbed::testing::VirtualClock::new();
//! # seedbed::Builder::new().clock(&clock).run(async {
//! # let items = generator(async |y: Yielder<u32>| y.yield_(1).await.map(drop));
//! # let mut items = impatient(items);
//! # assert_eq!(items.anext().await?, Some(1));
//! # seedbed::sleep(Duration::from_secs(10)).await?;
//! # assert_eq!(items.anext().await?, None);
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # The second way out: a context manager
//!
//! Sometimes the scope *is* meant to enclose the consumer's code, as with a connection whose
//! heartbeat continues for as long as somebody uses it. Then the consumer has to pass in its code,
//! so that the code really is inside the scope. A *context manager* is a body that sets something
//! up, yields it once, and cleans up; [`with`](crate::with) runs code at that yield.
//!
//! ```
//! use seedbed::{
//!     ContextManager, Generator, Receiver, Yielder, channel, context_manager, generator, nursery,
//!     sleep, with,
//! };
//! use std::time::Duration;
//!
//! /// Something that needs a task of its own for as long as it is open.
//! fn open() -> ContextManager<'static, Receiver<u32>> {
//!     context_manager(async |y: Yielder<Receiver<u32>>| {
//!         nursery(async |n| {
//!             let (sender, receiver) = channel(8);
//!             n.spawn(async move {
//!                 for i in 0.. {
//!                     sender.send(i).await?;
//!                     sleep(Duration::from_secs(1)).await?;
//!                 }
//!                 Ok(())
//!             });
//!             y.yield_(receiver).await?; // here the body of the `with` runs, in the nursery
//!             n.cancel();
//!             Ok(())
//!         })
//!         .await
//!     })
//! }
//!
//! /// A generator over something opened elsewhere: it opens nothing, so it may yield.
//! fn even(receiver: Receiver<u32>) -> Generator<'static, u32> {
//!     generator(async move |y: Yielder<u32>| {
//!         while let Some(i) = receiver.recv().await? {
//!             if i % 2 == 0 {
//!                 y.yield_(i).await?;
//!             }
//!         }
//!         Ok(())
//!     })
//! }
//!
//! # let clock = seedbed::testing::VirtualClock::new();
//! # seedbed::Builder::new().clock(&clock).run(async {
//! let third = with(open(), async |receiver| {
//!     let mut even = even(receiver);
//!     even.anext().await?;
//!     even.anext().await?;
//!     even.anext().await
//! })
//! .await?; // the task has ended
//! assert_eq!(third, Some(4));
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! If a task inside fails, the body of the `with` is cancelled, and the failure comes out of the
//! `with`. If the body fails, its error is raised at the yield.
//!
//! A `with` inside a generator counts as the scopes that its context manager keeps open: the
//! generator must not yield there. A context manager that keeps none open, such as one for a
//! transaction, is no obstacle.
//!
//! # The third way out: `safe_channel`
//!
//! If the producer needs its scopes and the consumer wants a loop, give the producer a task of its
//! own. It is not suspended while the consumer runs; it waits for space in a channel, which it may
//! do inside any scope. [`safe_channel`](crate::safe_channel) sets this up. When the consumer
//! leaves, the producer is cancelled and waited for.
//!
//! ```
//! use seedbed::{Feed, Result, nursery, safe_channel, sleep};
//! use std::time::Duration;
//!
//! /// The readings of two sensors, in the order in which they arrive.
//! async fn both(y: &Feed<&'static str>) -> Result<()> {
//!     nursery(async |n| {
//!         for (name, seconds) in [("temperature", 2), ("wind", 3)] {
//!             n.spawn(async move {
//!                 for _ in 0..2 {
//!                     sleep(Duration::from_secs(seconds)).await?;
//!                     y.yield_(name).await?;
//!                 }
//!                 Ok(())
//!             });
//!         }
//!         Ok(())
//!     })
//!     .await
//! }
//!
//! # let clock = seedbed::testing::VirtualClock::new();
//! # seedbed::Builder::new().clock(&clock).run(async {
//! let seen = safe_channel(0, async |y| both(y).await, async |items| {
//!     let mut seen = Vec::new();
//!     while let Some(item) = items.recv().await? {
//!         seen.push(item);
//!     }
//!     Ok(seen)
//! })
//! .await?;
//! assert_eq!(seen, ["temperature", "wind", "temperature", "wind"]);
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! The price is a task switch for each item. Also, with a capacity above 0 the producer runs ahead
//! of its consumer, and whatever it has sent and nobody has received is lost when the consumer
//! leaves.
//!
//! # Left half-way: closing
//!
//! A generator that owns a resource, such as a transaction or a file, has to clean up even if its
//! consumer leaves before the end. [`aclose`](crate::Generator::aclose) raises
//! [`GeneratorExit`](crate::GeneratorExit) at the yield and waits until the body has ended. To the
//! body this is an error like any other, and `?` passes it on. Clean up as you would after a
//! failure:
//!
//! ```
//! use seedbed::{Generator, Result, Yielder, aclosing, generator};
//! # use std::cell::RefCell;
//! # thread_local!(static LOG: RefCell<Vec<&'static str>> = RefCell::default());
//! # async fn execute(statement: &'static str) -> Result<()> {
//! #     seedbed::checkpoint().await?;
//! #     Ok(LOG.with_borrow_mut(|log| log.push(statement)))
//! # }
//!
//! fn rows() -> Generator<'static, u32> {
//!     generator(async |y: Yielder<u32>| {
//!         execute("BEGIN").await?;
//!         let outcome = async {
//!             for row in 0..1000 {
//!                 y.yield_(row).await?;
//!             }
//!             Ok(())
//!         }
//!         .await;
//!         execute(if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
//!         outcome
//!     })
//! }
//!
//! # seedbed::run(async {
//! aclosing(rows(), async |rows| {
//!     rows.anext().await?;
//!     rows.anext().await // and that is enough
//! })
//! .await?;
//! // The transaction has been rolled back by now.
//! # assert_eq!(LOG.take(), ["BEGIN", "ROLLBACK"]);
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! [`aclosing`](crate::aclosing) closes the generator on every way out: value, error, cancellation
//! or panic. Use it for every generator that owns a resource. A generator that was iterated to its
//! end has nothing left to close.
//!
//! A body must not yield once it is being closed: whoever closes it gets
//! [`IgnoredGeneratorExit`](crate::IgnoredGeneratorExit). Even then its clean-up is not skipped.
//! The body is suspended at that yield and can be resumed. When the generator is dropped, the body
//! gets a second `GeneratorExit`, and any clean-up that does not have to wait still runs.
//!
//! # Dropped half-way: finalization
//!
//! A destructor cannot await. When a suspended generator is dropped, its body goes to its
//! *finalizer* as it is, and cleans up in the background. Meanwhile the program goes on; `run` does
//! not return before all such bodies have ended, including those of generators that were stored
//! away and that nobody drops. Since this is usually a mistake, `tracing` is told which generator
//! it was and where it was suspended. ([`set_asyncgen_hooks`](crate::set_asyncgen_hooks) sets
//! another finalizer.)
//!
//! In the background nobody can say how long clean-up may take. So it runs in a scope that is
//! already cancelled: code that does not wait runs as always, and every operation fails with
//! [`Cancelled`](crate::Cancelled). **Clean-up that has to wait does so under a shield with a
//! deadline**, as after any other [cancellation](crate::guide::cancellation#clean-up):
//!
//! ```
//! use seedbed::{CancelScope, Yielder, generator, sleep};
//! use std::{cell::RefCell, rc::Rc, time::Duration};
//!
//! # let clock = seedbed::testing::VirtualClock::new();
//! let log = Rc::new(RefCell::new(Vec::new()));
//! let in_body = log.clone();
//! # seedbed::Builder::new().clock(&clock).run(async {
//! # /*
//! seedbed::run(async {
//! # */
//!     let mut numbers = generator(async move |y: Yielder<u32>| {
//!         let outcome = y.yield_(1).await;
//!         if sleep(Duration::from_secs(1)).await.is_err() {
//!             in_body.borrow_mut().push("cannot wait");
//!         }
//!         CancelScope::new()
//!             .with_shield()
//!             .with_timeout(Duration::from_secs(5))
//!             .enter(async |_| sleep(Duration::from_secs(1)).await)
//!             .await?;
//!         in_body.borrow_mut().push("waited under a shield");
//!         outcome.map(drop)
//!     });
//!     numbers.anext().await?;
//!     Ok(()) // dropped
//! })?;
//! assert_eq!(*log.borrow(), ["cannot wait", "waited under a shield"]);
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! The same clean-up is then right for every way out. An error in the background has nowhere to go,
//! and is reported through `tracing`. `examples/cursor.rs` does all this with a PostgreSQL
//! transaction.
//!
//! # Borrowing
//!
//! The generators made by [`generator`](crate::generator()) are `'static`, because they may outlive
//! the code around them in the hands of their finalizers. A generator that borrows belongs to a
//! nursery, which closes it before the nursery ends, dropped or not. It may borrow whatever a
//! [child](crate::guide::nurseries) may.
//!
//! ```
//! use seedbed::{Yielder, nursery};
//!
//! # seedbed::run(async {
//! let words = vec!["one", "two", "three"];
//! let first = nursery(async |n| {
//!     let mut lengths = n.generator(async |y: Yielder<usize>| {
//!         for word in &words {
//!             y.yield_(word.len()).await?;
//!         }
//!         Ok(())
//!     });
//!     lengths.anext().await
//! })
//! .await?; // closed
//! assert_eq!(first, Some(3));
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! A context manager can borrow without further ado, because its `with` ends before what it
//! borrows.
//!
//! # In one place
//!
//! A generator that is used where it is written need not be stored at all.
//! [`iterate`](crate::iterate()) takes the body and its consumer, and returns when both have ended.
//! The body is closed on every way out, as by `aclosing`, and may borrow. Nothing of it is boxed,
//! and the two are compiled together, so this is the fastest kind of generator.
//!
//! If the future of `iterate` itself is dropped half-way (by somebody else's `select!`), the body
//! is dropped without cleaning up, as the body of a `with` is, and `tracing` is told.
//!
//! # Without waiting
//!
//! [`sync_generator`](crate::sync_generator) turns a body that awaits nothing except its own yields
//! into an iterator. The rule is the same.
//!
//! # Which to use
//!
//! | you want to | use |
//! |---|---|
//! | produce values, and wait in between | [`generator`](crate::generator()) |
//! | do the same with borrowed data | [`Nursery::generator`](crate::Nursery::generator) |
//! | produce values without waiting | [`sync_generator`](crate::sync_generator) |
//! | produce many at once, such as a page | [`yield_all`](crate::Yielder::yield_all) |
//! | iterate over a generator that owns a resource | [`aclosing`](crate::aclosing) |
//! | do something with each item, some of it at once | [`flow`](mod@crate::flow) |
//! | iterate over it where it is written, as fast as possible | [`iterate`](crate::iterate()) |
//! | set something up around somebody's code | [`context_manager`](crate::context_manager()), [`with`](crate::with) |
//! | produce values from inside scopes | [`safe_channel`](crate::safe_channel) |
//! | keep generators from being suspended around something | [`prevent_yields`](crate::prevent_yields) |
