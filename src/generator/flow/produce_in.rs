//! A flow that is opened in a nursery of the caller's.

use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::error::Result;
use crate::generator::flow::concurrent::ahead;
use crate::generator::flow::tasks::Tasks;
use crate::generator::flow::{Beside, Flow, Items, Source};
use crate::nursery::Nursery;

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Opens the flow in a nursery, and returns its [`Items`], which may be kept, stored, and given
    /// to another task. This is Kotlin's `produceIn`.
    ///
    /// The flow runs in tasks of the nursery, and one item ahead of whoever takes them. When the
    /// `Items` are dropped, it is stopped, and its sources are closed before the nursery ends. To
    /// wait for that, use [`Items::close`]. The nursery ends only when the flow has ended or the
    /// `Items` have been dropped.
    ///
    /// # Panics
    ///
    /// A panic of a source or an operator is treated as a panic of a child of the nursery.
    ///
    /// ```
    /// use seedbed::{flow, nursery};
    ///
    /// seedbed::run(async {
    ///     nursery(async |n| {
    ///         let mut numbers = flow::from_iter(1..).map(|i| i * 2).produce_in(n);
    ///         assert_eq!(numbers.next().await?, Some(2));
    ///         assert_eq!(numbers.next().await?, Some(4));
    ///         numbers.close().await
    ///     })
    ///     .await
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn produce_in<'scope>(
        self,
        nursery: &'scope Nursery<'scope, '_>,
    ) -> Items<Produced<'scope, S::Value>>
    where
        'a: 'scope,
    {
        let mut tasks = Tasks::new();
        let source = self.start(&mut tasks);
        let source = ahead(&mut tasks, Location::caller(), 1, source);
        tasks.spawn_in(nursery);
        Items::new(Produced { source, _scope: PhantomData })
    }
}

/// The source of the items of a flow that was opened in a nursery by
/// [`produce_in`](Flow::produce_in). It cannot be kept for longer than the nursery is open; the
/// nursery waits for it.
#[must_use = "streams do nothing unless polled"]
#[derive(Debug)]
pub struct Produced<'scope, T> {
    source: Beside<T>,
    _scope: PhantomData<&'scope ()>,
}

impl<T> Stream for Produced<'_, T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        Pin::new(&mut self.get_mut().source).poll_item(cx)
    }
}

impl<T> Source for Produced<'_, T> {
    type Value = T;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().source).poll_close(cx)
    }
}
