//! What operators have in common that look at one item after the other.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::error::{Error, Result};
use crate::generator::flow::{Flow, Source};

/// What becomes of an item.
pub(super) enum Step<T> {
    Give(T),
    /// It is left out.
    Skip,
    /// It is left out, and so are all after it.
    End,
    Fail(Error),
}

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Has a function decide for each item what becomes of it.
    pub(super) fn each<U, F>(self, f: F) -> Flow<'a, Each<S, F>>
    where
        F: FnMut(S::Value) -> Step<U> + 'a,
    {
        self.wrap(|source| Each { source, f })
    }
}

pin_project! {
    /// A source of which a function decides for each item what becomes of it.
    pub(super) struct Each<S, F> {
        #[pin]
        source: S,
        f: F,
    }
}

impl<S, F, U> Stream for Each<S, F>
where
    S: Source,
    F: FnMut(S::Value) -> Step<U>,
{
    type Item = Result<U>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<U>>> {
        let mut this = self.project();
        loop {
            let item = match ready!(this.source.as_mut().poll_item(cx)) {
                Some(Ok(item)) => item,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
            // Foreign code.
            return Poll::Ready(match (this.f)(item) {
                Step::Give(item) => Some(Ok(item)),
                Step::Skip => continue,
                Step::End => None,
                Step::Fail(error) => Some(Err(error)),
            });
        }
    }
}

impl<S, F, U> Source for Each<S, F>
where
    S: Source,
    F: FnMut(S::Value) -> Step<U>,
{
    type Value = U;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.project().source.poll_close(cx)
    }
}
