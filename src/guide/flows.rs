//! What to do with the items of a stream, and why the operators of other libraries lock up.
//!
//! # A pipeline
//!
//! A [flow](mod@crate::flow) says what is to be done with the items of a
//! [generator](crate::generator()), a [receiver](crate::Receiver), an iterator or any other stream.
//! It is put together of operators, and does nothing until a *terminal operation*, such as
//! [`for_each`](crate::flow::Flow::for_each), opens it:
//!
//! ```
//! use seedbed::flow::{Flow, Source};
//! use seedbed::{Result, Yielder, flow, generator, sleep};
//! use std::time::Duration;
//!
//! /// Pages of a catalogue, for as long as somebody asks for more.
//! fn pages() -> Flow<'static, impl Source<Value = u32>> {
//!     flow(generator(async |y: Yielder<u32>| {
//!         for page in 1..100 {
//!             sleep(Duration::from_millis(100)).await?;
//!             y.yield_(page).await?;
//!         }
//!         Ok(())
//!     }))
//! }
//!
//! async fn price(page: u32) -> Result<u32> {
//!     sleep(Duration::from_secs(1)).await?;
//!     Ok(page * 10)
//! }
//!
//! # let clock = seedbed::testing::VirtualClock::new();
//! # seedbed::Builder::new().clock(&clock).run(async {
//! let dear = pages()
//!     .buffered(8, price) // up to eight at once, in order
//!     .open(async |prices| {
//!         while let Some(price) = prices.next().await? {
//!             if price > 200 {
//!                 return Ok(Some(price));
//!             }
//!         }
//!         Ok(None)
//!     })
//!     .await?; // nothing runs any more, and everything is closed
//! assert_eq!(dear, Some(210));
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! The terminal operation opens one nursery, where it is called. The generator and the calls of
//! `price` run in there, beside the *consumer*, the closure that `open` was given. When the
//! consumer leaves, they are stopped, what is under way is cancelled and waited for, and the
//! generator is closed; all of this before `open` returns. The same happens after an error, a panic
//! or a cancellation. A pipeline of ten operators is one level of nesting.
//!
//! # Futurelock
//!
//! The operators of `futures` have no tasks. What they have under way makes progress only while
//! somebody polls the stream, that is, while the consumer waits for the next item. If the consumer
//! waits for something else, it all stands still, with whatever it holds. Here the second `fetch`
//! was given the lock just when the first item came out, and the consumer waits for that lock:
//!
//! ```
//! use futures::{StreamExt, stream};
//! use seedbed::{Builder, Deadlock, sync::Mutex, yield_now};
//! use std::pin::pin;
//!
//! let error = Builder::new().detect_deadlock(true).run(async {
//!     let connection = Mutex::new(());
//!     let fetch = async |page: u32| {
//!         let _guard = connection.lock().await?;
//!         yield_now().await?;
//!         Ok::<_, seedbed::Error>(page * 10)
//!     };
//!     let mut answers = pin!(stream::iter(1..=3).map(&fetch).buffered(2));
//!     while let Some(answer) = answers.next().await {
//!         answer?;
//!         connection.lock().await?; // for ever
//!     }
//!     Ok(())
//! });
//! assert!(error.unwrap_err().is::<Deadlock>());
//! ```
//!
//! Each part of this program is right, and a test with one page passes. But nobody sees at a glance
//! that the two places which lock the connection are in one task.
//!
//! Here is the same as a flow. Now `fetch` goes on in tasks of its own while the consumer waits:
//!
//! ```
//! use seedbed::{flow, sync::Mutex, yield_now};
//!
//! seedbed::run(async {
//!     let connection = Mutex::new(());
//!     let fetch = async |page: u32| {
//!         let _guard = connection.lock().await?;
//!         yield_now().await?;
//!         Ok(page * 10)
//!     };
//!     flow::from_iter(1..=3)
//!         .buffered(2, fetch)
//!         .for_each(async |_answer| connection.lock().await.map(drop))
//!         .await
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! All operators follow one rule: an operator that can give an item, or let the consumer run, while
//! its source or its work is under way, runs that in a task. The others, such as
//! [`map`](crate::flow::Flow::map), are plain wrappers, and cost no more than one.
//!
//! # Leaving, and clean-up
//!
//! `StreamExt`'s operators are dropped when the consumer has enough, and so is what they wrap. A
//! future that is dropped cannot await its clean-up. Here everything is stopped and waited for:
//!
//! * A generator that is suspended at a yield is closed, as by [`aclosing`](crate::aclosing()): its
//!   clean-up may await.
//! * Whatever is under way beside the consumer, a call of `f` in
//!   [`buffered`](crate::flow::Flow::buffered) or a generator that fetches its next item, is
//!   cancelled: it gets [`Cancelled`](crate::Cancelled) from what it awaits, and cleans up as in
//!   any cancelled scope ([under a shield](crate::guide::cancellation) if it has to await).
//! * When the flow as a whole is cancelled, by a time limit around it for example, clean-up is in
//!   the cancelled scope, too.
//!
//! # Errors and panics
//!
//! Items are `Result`s inside a flow. The first error ends it. It comes to the consumer from
//! [`next`](crate::flow::Items::next) after the items before it, when everything has been closed,
//! and it is the error itself: `then(f)` and `buffered(8, f)` fail alike. Only if several calls of
//! `f` have failed by the time all have ended is it a [`Group`](crate::Group), so that none is
//! lost. A panic comes out of the terminal operation.
//!
//! # In a generator
//!
//! An open flow counts as a scope, so a generator must not yield inside `for_each` or `open`: what
//! runs beside the consumer would go on while the generator is suspended, and its failure would
//! cancel the wrong code. A function that wants to give the items of a flow to its caller returns
//! the flow, as `pages` above does. If the items must outlive the block,
//! [`produce_in`](crate::flow::Flow::produce_in) opens the flow in a nursery of the caller's and
//! gives the items as a stream that may be kept.
//!
//! # Time
//!
//! Operators can wait for an item and for a time at once, and begin again after an error. They are
//! combined like any others. This feed connects again when the connection is lost or gives nothing
//! for half a minute, picks up where it was, and stores what has come once a second, or sooner if
//! that is a lot:
//!
//! ```
//! use seedbed::flow::{Flow, Retry, Source};
//! use seedbed::{Error, Yielder, flow, generator, sleep};
//! use std::cell::Cell;
//! use std::time::Duration;
//!
//! /// Events that come after another, over a connection that does not last.
//! fn events(after: u32) -> Flow<'static, impl Source<Value = u32>> {
//!     flow(generator(async move |y: Yielder<u32>| {
//!         for event in after + 1..after + 6 {
//!             sleep(Duration::from_millis(400)).await?;
//!             y.yield_(event).await?;
//!         }
//!         Err(Error::msg("connection lost"))
//!     }))
//! }
//!
//! # let clock = seedbed::testing::VirtualClock::new();
//! # seedbed::Builder::new().clock(&clock).run(async {
//! let mut stored = Vec::new();
//! let last = Cell::new(0);
//! let limit = Duration::from_secs(30);
//! flow::retry(Retry::attempts(5).anew_after_item(), || events(last.get()).timeout(limit))
//!     .inspect(|event| last.set(*event))
//!     .take(12)
//!     .chunks_timeout(100, Duration::from_secs(1))
//!     .for_each(async |events| {
//!         stored.extend(events);
//!         Ok(())
//!     })
//!     .await?;
//! assert_eq!(stored, (1..=12).collect::<Vec<_>>());
//! # Ok(())
//! # })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! * As a rule, a time counts from when an item arrives, and not from when it is asked for.
//! * An item that takes too long is cancelled, and an attempt that has failed is closed. Both are
//!   waited for before the next attempt begins, so there is never a second connection.
//! * A cancellation is never retried.
//! * On a [virtual clock](crate::guide::testing) all of this takes no time, and comes out the same
//!   in each run.
//!
//! # Names
//!
//! | `futures` | Kotlin | here | beside the consumer |
//! |---|---|---|---|
//! | `map` | `map` | [`map`](crate::flow::Flow::map) | no |
//! | `filter`, `filter_map`, `inspect`, `enumerate`, `scan` | `filter`, `mapNotNull`, `onEach`, `withIndex`, `runningFold` | [`filter`](crate::flow::Flow::filter), [`filter_map`](crate::flow::Flow::filter_map), [`inspect`](crate::flow::Flow::inspect), [`enumerate`](crate::flow::Flow::enumerate), [`scan`](crate::flow::Flow::scan) | no |
//! | `take`, `take_while`, `skip`, `skip_while` | `take`, `takeWhile`, `drop`, `dropWhile` | [`take`](crate::flow::Flow::take), [`take_while`](crate::flow::Flow::take_while), [`skip`](crate::flow::Flow::skip), [`skip_while`](crate::flow::Flow::skip_while) | no |
//! | `chunks`, `zip`, `chain` | `chunked`, `zip` | [`chunks`](crate::flow::Flow::chunks), [`zip`](crate::flow::Flow::zip), [`chain`](crate::flow::Flow::chain) | no |
//! | | `distinctUntilChanged` | [`distinct_until_changed`](crate::flow::Flow::distinct_until_changed) | no |
//! | `map_err` | `catch` | [`map_err`](crate::flow::Flow::map_err), [`try_map`](crate::flow::Flow::try_map) | no |
//! | `flat_map`, `flatten` | `flatMapConcat`, `flattenConcat` | [`flat_map`](crate::flow::Flow::flat_map), [`flatten`](crate::flow::Flow::flatten) | no |
//! | `then`, `and_then` | `map` | [`then`](crate::flow::Flow::then) | yes, on demand |
//! | `map(f).buffered(n)` | | [`buffered(n, f)`](crate::flow::Flow::buffered) | yes, `n` at once |
//! | `map(f).buffer_unordered(n)` | `flatMapMerge` | [`buffer_unordered(n, f)`](crate::flow::Flow::buffer_unordered) | yes, `n` at once |
//! | | `buffer` | [`buffer(n)`](crate::flow::Flow::buffer) | yes, `n` ahead |
//! | `select`, `select_all` | `merge` | [`merge`](crate::flow::Flow::merge), [`flow::merge`](crate::flow::merge) | yes, each one ahead |
//! | `flat_map_unordered`, `flatten_unordered` | `flatMapMerge`, `flattenMerge` | [`flat_map_merge(n, f)`](crate::flow::Flow::flat_map_merge), [`flatten_unordered(n)`](crate::flow::Flow::flatten_unordered) | yes, each one ahead |
//! | | `mapLatest` | [`map_latest`](crate::flow::Flow::map_latest) | yes |
//! | | `flatMapLatest` | [`flat_map_latest`](crate::flow::Flow::flat_map_latest) | yes |
//! | `chunks_timeout`, `throttle`, `timeout` of `tokio-stream` | `timeout` | [`chunks_timeout`](crate::flow::Flow::chunks_timeout), [`throttle`](crate::flow::Flow::throttle), [`timeout`](crate::flow::Flow::timeout) | yes, except `throttle` |
//! | | `debounce`, `sample` | [`debounce`](crate::flow::Flow::debounce), [`sample`](crate::flow::Flow::sample) | yes |
//! | | `retry`, `retryWhen` | [`flow::retry`](crate::flow::retry()) | no |
//! | `boxed_local` | | [`boxed`](crate::flow::Flow::boxed) | no |
//!
//! And the terminal operations:
//!
//! | `futures` | Kotlin | here |
//! |---|---|---|
//! | `next` in a loop | | [`open`](crate::flow::Flow::open) |
//! | `try_for_each` | `collect` | [`for_each`](crate::flow::Flow::for_each) |
//! | `try_for_each_concurrent` | | [`for_each_concurrent(n, f)`](crate::flow::Flow::for_each_concurrent) |
//! | `try_collect` | `toList` | [`collect`](crate::flow::Flow::collect) |
//! | `try_fold` | `fold` | [`fold`](crate::flow::Flow::fold) |
//! | | `firstOrNull`, `lastOrNull` | [`first`](crate::flow::Flow::first), [`last`](crate::flow::Flow::last) |
//! | `count` | `count` | [`count`](crate::flow::Flow::count) |
//! | | `produceIn` | [`produce_in`](crate::flow::Flow::produce_in) |
