//! Flows: what is to be done with the items of a generator, a receiver or any other stream, one
//! operator after the other.
//!
//! ```
//! use seedbed::flow;
//! # use seedbed::{Generator, Result, Yielder, generator};
//! # fn pages() -> Generator<'static, u32> {
//! #     generator(async |y: Yielder<u32>| {
//! #         for page in 1.. {
//! #             y.yield_(page).await?;
//! #         }
//! #         Ok(())
//! #     })
//! # }
//!
//! seedbed::run(async {
//!     // Nothing happens yet.
//!     let prices = flow(pages()).map(|page| page * 10).buffer(2);
//!     // Now it does. When this returns, whatever way it does, everything has been closed.
//!     let first = prices.first().await?;
//!     assert_eq!(first, Some(10));
//!     Ok(())
//! })?;
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! A flow is cold, like Kotlin's: it describes what is to be done, and does nothing until a
//! *terminal operation* opens it ([`open`](Flow::open), [`for_each`](Flow::for_each),
//! [`collect`](Flow::collect) and others). That operation opens one nursery, where it is called.
//! What runs beside the consumer runs in this nursery, and before the operation returns, with a
//! value, an error, a panic or a cancellation, all of it has ended and every source has been
//! closed. Nothing is dropped half-way.
//!
//! # The rule
//!
//! An operator that can give an item, or let the consumer run, while its source or its work is
//! under way, runs that in a task of its own. Otherwise nobody would poll it while the consumer
//! does something else. If it had been given a lock meanwhile, and the consumer came to wait for
//! the same lock, both would wait for ever. This is known as *futurelock*, and it is what
//! `StreamExt::buffered` and `FuturesUnordered` do.
//!
//! # In a generator
//!
//! An open flow counts as a scope: a generator that yields inside [`open`](Flow::open) or
//! [`for_each`](Flow::for_each) is refused ([PEP 789](crate::YieldInCancelScope)), as what runs
//! beside the consumer would go on while the generator is suspended. A generator that is to give
//! the items of a flow to others can return the flow instead. If the items are to outlive a block,
//! there is [`produce_in`](Flow::produce_in), in a nursery of the generator's user.

// | file | concept |
// |---|---|
// | `source` | what gives items and can be closed: generators, receivers, and what operators make |
// | `stream`, `iter` | other streams, and iterators, as sources |
// | `items` | a flow that was opened, from which its consumer gets the items |
// | `terminals` | what opens a flow, and closes it again |
// | `produce_in` | a flow that is opened in a nursery of the caller's |
// | `tasks` | what is to run beside the consumer |
// | `beside` | a stage of a flow that runs beside the consumer |
// | `nested` | flows that are opened while the flow around them runs |
// | `closing` | what comes of it when something has ended, is told, and is closed |
// | `sequential` | operators that run where the consumer does |
// | `concurrent` | operators that run beside it |
// | `timed` | operators that have to do with time |

mod beside;
mod closing;
mod concurrent;
mod items;
mod iter;
mod nested;
mod produce_in;
mod sequential;
mod source;
mod stream;
mod tasks;
mod terminals;
mod timed;

use std::pin::Pin;

pub use beside::Beside;
pub use concurrent::merge;
pub use items::Items;
pub use iter::{FromIter, from_iter};
pub use produce_in::Produced;
pub use sequential::*;
pub use source::Source;
pub use stream::{FromStream, FromTryStream, from_stream, from_try_stream};
use tasks::Tasks;
pub use timed::{Retry, retry};

use crate::error::Result;

/// What is to be done with the items of a source, until a terminal operation does it. See the
/// [module](mod@crate::flow).
///
/// `'a` is the lifetime of what the source and the operators borrow, and `S` is the source that the
/// flow becomes when it is opened. A function can return a flow as
/// `Flow<'a, impl Source<Value = T>>`.
#[must_use = "a flow does nothing until it is opened, by `for_each` for example"]
pub struct Flow<'a, S> {
    source: S,
    /// What is to run beside the consumer. Nobody polls it before the flow is opened.
    tasks: Tasks<'a>,
}

/// A flow of the items of a source: a [generator](crate::Generator), a
/// [receiver](crate::Receiver), or what [`produce_in`](Flow::produce_in) returns. For other streams
/// there are [`from_stream`] and [`from_try_stream`], and for iterators [`from_iter`].
///
/// ```
/// use seedbed::{Yielder, flow, generator};
///
/// seedbed::run(async {
///     let numbers = generator(async |y: Yielder<u32>| {
///         for i in 1.. {
///             y.yield_(i).await?;
///         }
///         Ok(())
///     });
///     let mut sum = 0;
///     flow(numbers)
///         .map(|i| i * i)
///         .open(async |squares| {
///             while let Some(square) = squares.next().await?
///                 && square < 20
///             {
///                 sum += square;
///             }
///             Ok(())
///         })
///         .await?;
///     assert_eq!(sum, 1 + 4 + 9 + 16);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub fn flow<'a, S: Source + 'a>(source: S) -> Flow<'a, S> {
    Flow::new(|_| source)
}

impl<'a, S> Flow<'a, S> {
    /// A flow whose source is made by a function, which may add tasks.
    fn new(make: impl FnOnce(&mut Tasks<'a>) -> S) -> Self {
        let mut tasks = Tasks::new();
        let source = make(&mut tasks);
        Flow { source, tasks }
    }

    /// The flow as a part of another one: adds the tasks that are to run beside the consumer.
    fn start(self, tasks: &mut Tasks<'a>) -> S {
        tasks.append(self.tasks);
        self.source
    }
}

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// A flow whose source is wrapped in another one, which needs no task.
    fn wrap<W>(self, wrapper: impl FnOnce(S) -> W) -> Flow<'a, W> {
        Flow { source: wrapper(self.source), tasks: self.tasks }
    }

    /// Forgets the type of the source, so that flows which were made differently have the same
    /// type. This is `StreamExt::boxed_local`.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     for ahead in [true, false] {
    ///         let numbers = flow::from_iter([1, 2, 3]);
    ///         let numbers = if ahead { numbers.buffer(2).boxed() } else { numbers.boxed() };
    ///         assert_eq!(numbers.count().await?, 3);
    ///     }
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn boxed(self) -> Flow<'a, Boxed<'a, S::Value>> {
        self.wrap(|source| Box::pin(source) as Boxed<'a, S::Value>)
    }
}

/// A source whose type is forgotten, from [`Flow::boxed`].
pub type Boxed<'a, T> = Pin<Box<dyn Source<Value = T, Item = Result<T>> + 'a>>;

impl<S> std::fmt::Debug for Flow<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow").finish_non_exhaustive()
    }
}
