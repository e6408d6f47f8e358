//! Functions that may fail, and what failed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::error::{Error, Result};
use crate::generator::flow::sequential::each::Step;
use crate::generator::flow::{Flow, Source};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Turns each item into another, or fails. For a function that awaits there is
    /// [`then`](Self::then).
    ///
    /// # Errors
    ///
    /// The first error of `f` ends the flow, as one of the source does.
    ///
    /// # Panics
    ///
    /// If `f` does: the flow is closed, and its terminal operation panics.
    ///
    /// # With `StreamExt`
    ///
    /// A stream of `Result`s that was made with `map` goes on after an error. A consumer that skips
    /// errors reads on in what may be broken, and one that stops at the first leaves the source as
    /// it is. Here the source is closed, and only then is the error told:
    ///
    /// ```
    /// use seedbed::{Yielder, flow, generator};
    /// use std::{cell::Cell, num::ParseIntError, rc::Rc};
    ///
    /// seedbed::run(async {
    ///     let closed = Rc::new(Cell::new(false));
    ///     let log = closed.clone();
    ///     let lines = generator(async move |y: Yielder<&str>| {
    ///         let outcome = async { y.yield_("1").await?; y.yield_("l").await.map(drop) }.await;
    ///         log.set(true);
    ///         outcome
    ///     });
    ///     let mut numbers = Vec::new();
    ///     let parsed = flow(lines).try_map(|line| Ok(line.parse::<u8>()?));
    ///     parsed.open(async |parsed| {
    ///         numbers.extend(parsed.next().await?);
    ///         let error = parsed.next().await.unwrap_err();
    ///         assert!(error.is::<ParseIntError>());
    ///         assert!(closed.get());
    ///         Ok(())
    ///     })
    ///     .await?;
    ///     assert_eq!(numbers, [1]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn try_map<U, F>(self, mut f: F) -> Flow<'a, impl Source<Value = U> + 'a>
    where
        F: FnMut(S::Value) -> Result<U> + 'a,
        U: 'a,
    {
        self.each(move |item| f(item).map_or_else(Step::Fail, Step::Give))
    }

    /// Turns the error that ends the flow into another. The name is that of `TryStreamExt::map_err`
    /// and `Result::map_err`.
    ///
    /// A cancellation passes by: if it became something else, the scope that it is meant for would
    /// not know it any more. So does an error of the clean-up.
    ///
    /// # Panics
    ///
    /// If `f` does: the flow is closed, and its terminal operation panics.
    ///
    /// ```
    /// use seedbed::{Error, flow};
    ///
    /// seedbed::run(async {
    ///     let numbers = flow::from_iter(["1", "l"])
    ///         .try_map(|line| Ok(line.parse::<u8>()?))
    ///         .map_err(|error| Error::msg(format_args!("in the list of ports: {error}")));
    ///     let error = numbers.last().await.unwrap_err();
    ///     assert_eq!(error.to_string(), "in the list of ports: invalid digit found in string");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn map_err<F>(self, f: F) -> Flow<'a, impl Source<Value = S::Value> + 'a>
    where
        F: FnMut(Error) -> Error + 'a,
    {
        self.wrap(|source| MapErr { source, f })
    }
}

pin_project! {
    struct MapErr<S, F> {
        #[pin]
        source: S,
        f: F,
    }
}

impl<S: Source, F: FnMut(Error) -> Error> Stream for MapErr<S, F> {
    type Item = Result<S::Value>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        Poll::Ready(match ready!(this.source.poll_item(cx)) {
            Some(Err(error)) if error.cancellation().is_none() => Some(Err((this.f)(error))),
            next => next,
        })
    }
}

impl<S: Source, F: FnMut(Error) -> Error> Source for MapErr<S, F> {
    type Value = S::Value;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.project().source.poll_close(cx)
    }
}
