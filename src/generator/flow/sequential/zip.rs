//! Pairs of the items of two flows.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::error::Result;
use crate::generator::flow::closing::ClosesBoth;
use crate::generator::flow::{Flow, Source};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Gives pairs of an item of this flow and one of `other`, and ends with whichever ends first.
    /// The name is that of `Iterator::zip`, `StreamExt::zip` and Kotlin's `zip`.
    ///
    /// First this flow is asked for an item, then the other, so while one of them works the other
    /// does nothing. To have both work at the same time, give either a [`buffer`](Self::buffer). If
    /// the other one has ended, the item of this flow that is left without a partner is dropped.
    ///
    /// # With `StreamExt`
    ///
    /// There, the one that lasts longer is left as it is. Here it is closed:
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
    ///         let outcome = async {
    ///             loop {
    ///                 y.yield_("line").await?;
    ///             }
    ///         }
    ///         .await;
    ///         file.set(false);
    ///         outcome
    ///     });
    ///     let numbered: Vec<_> = flow(lines).zip(flow::from_iter(1..=2)).collect().await?;
    ///     assert_eq!(numbered, [("line", 1), ("line", 2)]);
    ///     assert!(!open.get());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn zip<Z: Source + 'a>(
        self,
        other: Flow<'a, Z>,
    ) -> Flow<'a, impl Source<Value = (S::Value, Z::Value)> + 'a> {
        Flow::new(move |tasks| Zip {
            first: self.start(tasks),
            second: other.start(tasks),
            half: None,
            closing: ClosesBoth::default(),
        })
    }
}

pin_project! {
    struct Zip<A: Source, B> {
        #[pin]
        first: A,
        #[pin]
        second: B,
        // The first half of a pair, while the second one is awaited.
        half: Option<A::Value>,
        closing: ClosesBoth,
    }
}

impl<A: Source, B: Source> Stream for Zip<A, B> {
    type Item = Result<(A::Value, B::Value)>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if this.half.is_none() {
            match ready!(this.first.poll_item(cx)) {
                Some(Ok(half)) => *this.half = Some(half),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        Poll::Ready(match ready!(this.second.poll_item(cx)) {
            Some(Ok(second)) => this.half.take().map(|first| Ok((first, second))),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        })
    }
}

impl<A: Source, B: Source> Source for Zip<A, B> {
    type Value = (A::Value, B::Value);

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.project();
        this.closing.poll(cx, |cx| this.first.poll_close(cx), |cx| this.second.poll_close(cx))
    }
}
