//! Only the beginning.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::error::Result;
use crate::generator::flow::sequential::each::Step;
use crate::generator::flow::{Flow, Source};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Gives the first `n` items, and then ends. The source is not asked for more than that; with
    /// `n` = 0, for none at all. The name is that of `Iterator::take`, `StreamExt::take` and
    /// Kotlin's `take`.
    ///
    /// # With `StreamExt`
    ///
    /// There a source that `take` has left half-way stays as it is. A generator would go to its
    /// finalizer, some time later. Here it has been closed when the flow ends, and also when one
    /// that was [chained](Self::chain) to it begins:
    ///
    /// ```
    /// use seedbed::{Yielder, flow, generator};
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// # seedbed::run(async {
    /// let log = Rc::new(RefCell::new(Vec::new()));
    /// let numbers = |name| {
    ///     let log = log.clone();
    ///     generator(async move |y: Yielder<u32>| {
    ///         log.borrow_mut().push(format!("{name} opened"));
    ///         let outcome = async {
    ///             for i in 0.. {
    ///                 y.yield_(i).await?;
    ///             }
    ///             Ok(())
    ///         }
    ///         .await;
    ///         log.borrow_mut().push(format!("{name} closed"));
    ///         outcome
    ///     })
    /// };
    /// let both = flow(numbers("a")).take(2).chain(flow(numbers("b")).take(1));
    /// let all: Vec<_> = both.collect().await?;
    /// assert_eq!(all, [0, 1, 0]);
    /// assert_eq!(*log.borrow(), ["a opened", "a closed", "b opened", "b closed"]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn take(self, n: usize) -> Flow<'a, impl Source<Value = S::Value> + 'a> {
        self.wrap(move |source| Take { source, left: n })
    }

    /// Gives items for as long as `f` is true for them. The first item for which it is false is
    /// dropped, and ends the flow. The name is that of `Iterator::take_while` and Kotlin's
    /// `takeWhile`.
    ///
    /// # Panics
    ///
    /// If `f` does: the flow is closed, and its terminal operation panics.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let small: Vec<_> = flow::from_iter([1, 2, 9, 3]).take_while(|n| *n < 5).collect().await?;
    ///     assert_eq!(small, [1, 2]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn take_while<F>(self, mut f: F) -> Flow<'a, impl Source<Value = S::Value> + 'a>
    where
        F: FnMut(&S::Value) -> bool + 'a,
    {
        self.each(move |item| if f(&item) { Step::Give(item) } else { Step::End })
    }
}

pin_project! {
    struct Take<S> {
        #[pin]
        source: S,
        // How many more items are given.
        left: usize,
    }
}

impl<S: Source> Stream for Take<S> {
    type Item = Result<S::Value>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if *this.left == 0 {
            return Poll::Ready(None);
        }
        let next = ready!(this.source.poll_item(cx));
        if let Some(Ok(_)) = next {
            *this.left -= 1;
        }
        Poll::Ready(next)
    }
}

impl<S: Source> Source for Take<S> {
    type Value = S::Value;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.project().source.poll_close(cx)
    }
}
