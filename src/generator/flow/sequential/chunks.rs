//! Several items as one.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::error::Result;
use crate::generator::flow::closing::{End, Met};
use crate::generator::flow::{Flow, Source};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Gives `n` items at a time, and at the end those that are left. The name is that of
    /// `StreamExt::chunks`; Kotlin calls it `chunked`.
    ///
    /// A chunk waits until it is full, however long that takes. If there should be a limit to that,
    /// use [`chunks_timeout`](Self::chunks_timeout).
    ///
    /// # Errors
    ///
    /// An error of the source comes after a chunk of the items before it, so that none is lost. A
    /// cancellation comes at once; the items stay, in case the consumer goes on.
    ///
    /// # Panics
    ///
    /// If `n` is 0.
    ///
    /// # With `StreamExt`
    ///
    /// `TryStreamExt::try_chunks` gives the items before an error as a part of that error, which `?`
    /// throws away. Here they come first:
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let numbers = flow::from_iter(["1", "2", "3", "l"]).try_map(|n| Ok(n.parse::<u8>()?));
    ///     let mut stored = Vec::new();
    ///     let outcome = numbers
    ///         .chunks(2)
    ///         .for_each(async |chunk| {
    ///             stored.push(chunk);
    ///             Ok(())
    ///         })
    ///         .await;
    ///     assert_eq!(stored, [vec![1, 2], vec![3]]);
    ///     assert!(outcome.is_err());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn chunks(self, n: usize) -> Flow<'a, impl Source<Value = Vec<S::Value>> + 'a> {
        assert!(n > 0, "a chunk of 0 items would never end");
        self.wrap(move |source| Chunks { source, n, chunk: Vec::new(), end: End::default() })
    }
}

pin_project! {
    struct Chunks<S: Source> {
        #[pin]
        source: S,
        n: usize,
        chunk: Vec<S::Value>,
        end: End,
    }
}

impl<S: Source> Stream for Chunks<S> {
    type Item = Result<Vec<S::Value>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        if let Some(last) = this.end.take() {
            return Poll::Ready(last);
        }
        while this.chunk.len() < *this.n {
            match Met::from(this.source.as_mut().poll_item(cx)) {
                Met::Item(item) => this.chunk.push(item),
                Met::Cancelled(cancelled) => return Poll::Ready(Some(Err(cancelled))),
                Met::End(end) => {
                    let last = mem::take(this.chunk);
                    let last = (!last.is_empty()).then_some(last);
                    return Poll::Ready(this.end.comes(last, end));
                }
                Met::Nothing => return Poll::Pending,
            }
        }
        Poll::Ready(Some(Ok(mem::take(this.chunk))))
    }
}

impl<S: Source> Source for Chunks<S> {
    type Value = Vec<S::Value>;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.project();
        this.end.report();
        this.source.poll_close(cx)
    }
}
