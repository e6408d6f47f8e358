//! Iterators as sources.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::error::Result;
use crate::generator::flow::{Flow, Source};
use crate::scope::aside::Aside;

/// A flow of the items of an iterator.
///
/// Getting an item is not a checkpoint, but counts against the
/// [budget](crate::guide::scheduling#the-budget), as an item of a generator does. Closing the flow
/// drops the iterator.
///
/// ```
/// use seedbed::flow;
///
/// seedbed::run(async {
///     let sum = flow::from_iter(1..=4).fold(0, async |sum, i| Ok(sum + i)).await?;
///     assert_eq!(sum, 10);
///     Ok(())
/// })?;
/// # Ok::<(), seedbed::Error>(())
/// ```
pub fn from_iter<'a, I>(items: I) -> Flow<'a, FromIter<I::IntoIter>>
where
    I: IntoIterator + 'a,
    I::IntoIter: 'a,
{
    Flow::new(|_| FromIter { items: Some(items.into_iter()), aside: Aside::new() })
}

/// The source made by [`from_iter`].
#[must_use = "streams do nothing unless polled"]
pub struct FromIter<I> {
    /// `None` once it is closed.
    items: Option<I>,
    aside: Aside,
}

// Nothing in it is pinned.
impl<I> Unpin for FromIter<I> {}

impl<I: Iterator> Stream for FromIter<I> {
    type Item = Result<I::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Err(cancelled) = ready!(this.aside.pay(cx)) {
            return Poll::Ready(Some(Err(cancelled)));
        }
        Poll::Ready(this.items.as_mut().and_then(Iterator::next).map(Ok))
    }
}

impl<I: Iterator> Source for FromIter<I> {
    type Value = I::Item;

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        drop(self.get_mut().items.take()); // foreign code
        Poll::Ready(Ok(()))
    }
}
