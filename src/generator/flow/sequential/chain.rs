//! One flow after another.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::error::Result;
use crate::generator::flow::nested::Nested;
use crate::generator::flow::{Flow, Source};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Gives the items of this flow, and then those of `next`. This one is closed before the next
    /// one is opened. The name is that of `Iterator::chain` and `StreamExt::chain`.
    ///
    /// # Errors
    ///
    /// The errors of both flows. If closing the first one fails, its error ends the flow, and the
    /// next one is not opened.
    ///
    /// # With `StreamExt`
    ///
    /// There, the first stream is dropped before the second one is asked. If it has something to
    /// await at its end, that comes some time later, while the second one runs. Here it is waited
    /// for; see [`take`](Self::take) for an example.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let head = flow::from_iter(["heading"]);
    ///     let all: Vec<_> = head.chain(flow::from_iter(["a", "b"])).collect().await?;
    ///     assert_eq!(all, ["heading", "a", "b"]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn chain<N>(self, next: Flow<'a, N>) -> Flow<'a, impl Source<Value = S::Value> + 'a>
    where
        N: Source<Value = S::Value> + 'a,
        S::Value: 'a,
    {
        let place = Location::caller();
        Flow::new(move |tasks| Chain {
            first: self.start(tasks),
            nested: (!next.tasks.is_empty()).then(|| Nested::new(tasks, place)),
            at: At::First(Some(next)),
            second: None,
        })
    }
}

pin_project! {
    struct Chain<'a, A, B: 'a> {
        #[pin]
        first: A,
        at: At<'a, B>,
        #[pin]
        second: Option<B>,
        // Absent if nothing of the second flow runs beside the consumer.
        nested: Option<Nested<'a>>,
    }
}

/// How far a chain has got.
enum At<'a, B: 'a> {
    First(Option<Flow<'a, B>>),
    /// The first flow has ended, and is being closed.
    Between(Option<Flow<'a, B>>),
    Second,
}

impl<A: Source, B: Source<Value = A::Value>> Stream for Chain<'_, A, B> {
    type Item = Result<A::Value>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        if let At::First(next) = this.at {
            match ready!(this.first.as_mut().poll_item(cx)) {
                None => *this.at = At::Between(next.take()),
                item => return Poll::Ready(item),
            }
        }
        if let At::Between(next) = this.at {
            if let Err(error) = ready!(this.first.poll_close(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
            let next = next.take().expect("it is opened once");
            *this.at = At::Second;
            let second = match this.nested {
                Some(nested) => nested.open(next),
                None => next.source,
            };
            this.second.set(Some(second));
        }
        this.second.as_pin_mut().expect("it has been opened").poll_item(cx)
    }
}

impl<A: Source, B: Source<Value = A::Value>> Source for Chain<'_, A, B> {
    type Value = A::Value;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.project();
        match this.second.as_pin_mut() {
            Some(second) => second.poll_close(cx),
            None => this.first.poll_close(cx),
        }
    }
}
