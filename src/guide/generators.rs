//! Code that hands out values one at a time, and the scopes it must not be suspended in.
//!
//! # A body that yields
//!
//! A *generator* is a function that hands out values one at a time and waits in between. What
//! would be a struct with a state, and a `poll_next` written by hand, is a loop:
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
//! It runs only while somebody waits for the next value, in the task of whoever does. At a yield
//! it stands still. [`anext`](crate::Generator::anext) gives the next value, and `None` after the
//! end. An error of the body comes out of the `anext` that ran into it, and is the end, too.
//!
//! A generator is also a [`Stream`](https://docs.rs/futures-core) of `Result`s, for the
//! combinators of `futures`. It is a boxed future with a slot for one value: making one allocates,
//! a yield does not.
//!
//! # Values in, errors in
//!
//! A yield is a question, too. [`asend`](crate::Generator::asend) answers it: the yield returns
//! `Some(value)`. After a plain `anext` it returns `None`. [`athrow`](crate::Generator::athrow)
//! answers with an error, which the body may handle.
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
//!             Err(error) => return Err(error), // everything else, `GeneratorExit` for one
//!         }
//!     }
//! });
//! average.anext().await?; // up to the first yield, the first that can be answered
//! average.asend(10.0).await?;
//! assert_eq!(average.asend(20.0).await?, Some(15.0));
//! assert_eq!(average.athrow("ten".parse::<f64>().unwrap_err()).await?, Some(15.0));
//! average.aclose().await
//! # })?;
//! # Ok::<(), Error>(())
//! ```
//!
//! A body that has not reached a yield cannot be answered: `asend` gives the value back then, in
//! [`AsendError::Refused`](crate::AsendError::Refused).
//!
//! # What goes wrong: a yield inside of a scope
//!
//! A generator that waits two seconds at the most for each of somebody's items:
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
//!                     y.yield_(item).await?; // inside of the time limit
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
//! Suppose that it were allowed. The item comes at once and is yielded, so the generator stands
//! still; its time limit does not. The consumer works on the item for three seconds. After two of
//! them the limit is over, though nothing was late, and what is inside of it now?
//!
//! * In Trio and asyncio a scope is around whatever the *task* does until it is left. That is the
//!   consumer's code: it is cancelled in the midst of its work, by a limit that it knows nothing
//!   of, and the cancellation does not find the scope that should absorb it, because that is in
//!   a frame that is not running.
//! * In a `Stream` of other Rust libraries the limit is looked at when the stream is polled next.
//!   If what is inside of it has still to wait for something then, it is dropped: the stream has
//!   failed because its consumer was slow.
//!
//! A nursery is worse. While the generator stands still nobody waits for its children. Either they
//! stand still as well, and connections go unanswered. Or they run, and one that fails has nobody
//! to tell. Sometimes this goes well, in a test for one, and so it stays in programs.
//! [PEP 789](https://peps.python.org/pep-0789/), a proposal for Python that this is after, tells of
//! more; `examples/yield_in_scope.rs` has its programs.
//!
//! # The rule
//!
//! *A generator may not yield inside of a cancel scope, a time limit or a nursery that it has
//! opened.* The yield fails, every time, also when nothing would have gone wrong. The generator is
//! not suspended; the error goes out through the scopes, which are left in good order, and comes
//! out of `anext`:
//!
//! ```text
//! Error: the yield at src/main.rs:10:23 is inside of a timeout, opened at src/main.rs:7:24, which
//! would stay open while the consumer runs; yield outside of it, or make this a context manager, or
//! run it behind `safe_channel`
//! ```
//!
//! The error is [`YieldInCancelScope`](crate::YieldInCancelScope). It finds scopes that are not to
//! be seen from where the yield is: in a function that was called with the code that yields, or in
//! a context manager. It is not found when compiling; what a yield costs for it is one comparison.
//!
//! A scope of the *consumer*, around its loop or around one `anext`, is no obstacle: it is not
//! the generator that opened it. A time limit there reaches what the generator waits for inside,
//! as it does with any other call.
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
//! Types of your own that must not stay open across a yield, a lock or a span of a profiler, say
//! so with [`prevent_yields`](crate::prevent_yields).
//!
//! # The first way out: yield outside of the scope
//!
//! Nearly always the scope is meant to be around the work, not the yield. Take the value out of it:
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
//! # The second: a context manager
//!
//! Sometimes the scope *is* meant to be around the consumer's code: a connection whose heartbeat
//! goes on for as long as somebody uses it. Then the consumer has to hand over its code, so that it
//! is inside of the scope for good. A *context manager* is a body that sets something up, yields it
//! once, and cleans up; [`with`](crate::with) runs code at that yield.
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
//! /// A generator over what was opened elsewhere: it opens nothing, so it may yield.
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
//! If a task in there fails, the body of the `with` is cancelled, and the failure comes out of the
//! `with`. If the body fails, its error is raised at the yield.
//!
//! A `with` in a generator counts like the scopes that its context manager holds open: no yield in
//! there. One that holds none, a transaction for instance, is no obstacle.
//!
//! # The third: `safe_channel`
//!
//! Where the producer needs its scopes and the consumer wants a loop, give the producer a task of
//! its own. It is not suspended while the consumer runs; it waits for room in a channel, which may
//! be inside of any scope. [`safe_channel`](crate::safe_channel) does this, and when the consumer
//! leaves, the producer is cancelled and waited for.
//!
//! ```
//! use seedbed::{Feed, Result, nursery, safe_channel, sleep};
//! use std::time::Duration;
//!
//! /// What two sensors tell, in the order in which it comes.
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
//! The price is a task switch per item, and that with a capacity above 0 the producer is ahead of
//! its consumer: what it has sent and nobody has received is lost when the consumer leaves.
//!
//! # Left half-way: closing
//!
//! A generator that holds something, a transaction or a file, has to clean up also if its consumer
//! leaves before the end. [`aclose`](crate::Generator::aclose) raises
//! [`GeneratorExit`](crate::GeneratorExit) at the yield, and waits until the body has ended. To the
//! body it is an error like others; `?` passes it on. Clean up as after a failure:
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
//! // It is rolled back by now.
//! # assert_eq!(LOG.take(), ["BEGIN", "ROLLBACK"]);
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! [`aclosing`](crate::aclosing) closes on every way out: value, error, cancellation, panic. Use it
//! for every generator that holds something. One that was iterated to its end has nothing left to
//! close.
//!
//! A body must not yield once it is being closed: the closer gets
//! [`IgnoredGeneratorExit`](crate::IgnoredGeneratorExit). Its clean-up is not skipped even then: the
//! body is suspended at that yield, can be resumed, and gets its `GeneratorExit` once more when the
//! generator is dropped, where whatever does not have to wait still runs.
//!
//! # Dropped half-way: finalization
//!
//! A destructor cannot await. A suspended generator that is dropped is handed to its *finalizer*
//! with its body as it is, and cleans up in the background. The program goes on meanwhile; `run`
//! does not return before all of them have ended, those included that were put away where nobody
//! drops them. Since it is mostly a mistake, `tracing` is told which generator it was, and where
//! it was suspended. ([`set_asyncgen_hooks`](crate::set_asyncgen_hooks) sets another finalizer.)
//!
//! In the background there is nobody to say how long clean-up may take. So it runs in a scope that
//! is cancelled: what does not wait for anything runs as always, and every operation fails with
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
//! The same clean-up is then right for every way out. An error in the background has nobody to go
//! to, and is reported through `tracing`. `examples/cursor.rs` does all this with a transaction on
//! PostgreSQL.
//!
//! # Borrowing
//!
//! What [`generator`](crate::generator()) makes is `'static`, because it may outlive the code around
//! it: in the hands of its finalizer. One that borrows belongs to a nursery, which closes it before
//! it ends, dropped or not; it may borrow what a [child](crate::guide::nurseries) may.
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
//! A context manager may borrow without more ado, because its `with` ends before what it borrows.
//!
//! # Without waiting
//!
//! [`sync_generator`](crate::sync_generator) makes an iterator out of a body that awaits nothing but
//! its yields. The rule is the same.
//!
//! # Which of them
//!
//! | you want to | use |
//! |---|---|
//! | hand out values, and wait in between | [`generator`](crate::generator()) |
//! | the same with what is borrowed | [`Nursery::generator`](crate::Nursery::generator) |
//! | hand out values, and not wait | [`sync_generator`](crate::sync_generator) |
//! | iterate one that holds something | [`aclosing`](crate::aclosing) |
//! | set something up around somebody's code | [`context_manager`](crate::context_manager()), [`with`](crate::with) |
//! | hand out values from inside of scopes | [`safe_channel`](crate::safe_channel) |
//! | keep generators from being suspended around something | [`prevent_yields`](crate::prevent_yields) |
