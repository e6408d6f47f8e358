//! Another item for each.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::error::Result;
use crate::generator::flow::{Flow, Source};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Turns each item into another. The name is that of `StreamExt::map`, Kotlin's `map` and
    /// `Iterator::map`. For a function that awaits there is [`then`](Self::then).
    ///
    /// # Panics
    ///
    /// If `f` does: the flow is closed, and its terminal operation panics.
    ///
    /// # With `StreamExt`
    ///
    /// `map` is just as good there, except that nobody closes what it wraps. Here the file is
    /// closed before the program goes on:
    ///
    /// ```
    /// use seedbed::{Yielder, flow, generator};
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// seedbed::run(async {
    ///     let open = Rc::new(Cell::new(false));
    ///     let file = open.clone();
    ///     let lines = generator(async move |y: Yielder<&str>| {
    ///         file.set(true);
    ///         let outcome = y.yield_("one").await;
    ///         file.set(false);
    ///         outcome.map(drop)
    ///     });
    ///     let first = flow(lines).map(str::to_uppercase).first().await?;
    ///     assert_eq!(first.as_deref(), Some("ONE"));
    ///     assert!(!open.get());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn map<U, F>(self, f: F) -> Flow<'a, Map<S, F>>
    where
        F: FnMut(S::Value) -> U + 'a,
    {
        self.wrap(|source| Map { source, f })
    }
}

pin_project! {
    /// The source made by [`Flow::map`].
    #[must_use = "streams do nothing unless polled"]
    pub struct Map<S, F> {
        #[pin]
        source: S,
        f: F,
    }
}

impl<S: Source, U, F: FnMut(S::Value) -> U> Stream for Map<S, F> {
    type Item = Result<U>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<U>>> {
        let this = self.project();
        let next = ready!(this.source.poll_item(cx));
        Poll::Ready(next.map(|item| item.map(this.f)))
    }
}

impl<S: Source, U, F: FnMut(S::Value) -> U> Source for Map<S, F> {
    type Value = U;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.project().source.poll_close(cx)
    }
}
