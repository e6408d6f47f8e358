//! All the items of each of several flows.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::error::Result;
use crate::generator::flow::closing::ClosesBoth;
use crate::generator::flow::nested::Nested;
use crate::generator::flow::{Flow, Source};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Turns each item into a flow, and gives the items of one flow after the other. Each is closed
    /// before this flow is asked for the next item. The name is that of `Iterator::flat_map` and
    /// `StreamExt::flat_map`; Kotlin calls it `flatMapConcat`.
    ///
    /// # Errors
    ///
    /// The errors of this flow, of the flows that `f` makes, and of closing one of them.
    ///
    /// # Panics
    ///
    /// If `f` does: the flow is closed, and its terminal operation panics.
    ///
    /// # With `StreamExt`
    ///
    /// There, a consumer that leaves in the middle leaves two streams half-way, the inner and the
    /// outer one. Here both are closed, in this order:
    ///
    /// ```
    /// use seedbed::{Yielder, flow, generator};
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// # seedbed::run(async {
    /// let log = Rc::new(RefCell::new(Vec::new()));
    /// let to_close = |name: String| {
    ///     let log = log.clone();
    ///     generator(async move |y: Yielder<u32>| {
    ///         let outcome = async {
    ///             for i in 1.. {
    ///                 y.yield_(i).await?;
    ///             }
    ///             Ok(())
    ///         }
    ///         .await;
    ///         log.borrow_mut().push(format!("{name} closed"));
    ///         outcome
    ///     })
    /// };
    /// let lines = flow(to_close("catalogue".into()))
    ///     .flat_map(|page| flow(to_close(format!("page {page}"))).take(2));
    /// let all: Vec<_> = lines.take(3).collect().await?;
    /// assert_eq!(all, [1, 2, 1]);
    /// assert_eq!(*log.borrow(), ["page 1 closed", "page 2 closed", "catalogue closed"]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map<I, F>(self, f: F) -> Flow<'a, impl Source<Value = I::Value> + 'a>
    where
        I: Source + 'a,
        F: FnMut(S::Value) -> Flow<'a, I> + 'a,
    {
        let place = Location::caller();
        Flow::new(move |tasks| FlatMap {
            outer: self.start(tasks),
            f,
            inner: None,
            inside: Inside::Gives,
            closing: ClosesBoth::default(),
            nested: Nested::new(tasks, place),
        })
    }

    /// Gives the items of each of the flows that are this one's items, one after the other. It is
    /// short for [`flat_map(|flow| flow)`](Self::flat_map).
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let parts = [flow::from_iter(1..=2), flow::from_iter(7..=8)];
    ///     let all: Vec<_> = flow::from_iter(parts).flatten().collect().await?;
    ///     assert_eq!(all, [1, 2, 7, 8]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[track_caller]
    pub fn flatten<I>(self) -> Flow<'a, impl Source<Value = I::Value> + 'a>
    where
        S: Source<Value = Flow<'a, I>>,
        I: Source + 'a,
    {
        self.flat_map(|flow| flow)
    }
}

pin_project! {
    struct FlatMap<'a, S, I, F> {
        #[pin]
        outer: S,
        f: F,
        #[pin]
        inner: Option<I>,
        inside: Inside,
        closing: ClosesBoth,
        nested: Nested<'a>,
    }
}

/// What the inner flow is doing, if there is one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Gives,
    /// It has ended, and is being closed.
    Closes,
}

impl<'a, S, I, F> Stream for FlatMap<'a, S, I, F>
where
    S: Source,
    I: Source + 'a,
    F: FnMut(S::Value) -> Flow<'a, I>,
{
    type Item = Result<I::Value>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        loop {
            let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
                match ready!(this.outer.as_mut().poll_item(cx)) {
                    Some(Ok(item)) => {
                        let flow = (this.f)(item); // foreign code
                        this.inner.set(Some(this.nested.open(flow)));
                        *this.inside = Inside::Gives;
                        continue;
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => return Poll::Ready(None),
                }
            };
            if *this.inside == Inside::Gives {
                match ready!(inner.as_mut().poll_item(cx)) {
                    None => *this.inside = Inside::Closes,
                    item => return Poll::Ready(item),
                }
            }
            if let Err(error) = ready!(inner.poll_close(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
            this.inner.set(None); // foreign code
        }
    }
}

impl<'a, S, I, F> Source for FlatMap<'a, S, I, F>
where
    S: Source,
    I: Source + 'a,
    F: FnMut(S::Value) -> Flow<'a, I>,
{
    type Value = I::Value;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.project();
        let inner = |cx: &mut Context<'_>| match this.inner.as_pin_mut() {
            Some(inner) => inner.poll_close(cx),
            None => Poll::Ready(Ok(())),
        };
        this.closing.poll(cx, inner, |cx| this.outer.poll_close(cx))
    }
}
