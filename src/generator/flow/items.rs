//! A flow that was opened: what its consumer gets the items from.

use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::error::{Error, Result};
use crate::generator::flow::Source;
use crate::generator::flow::closing::settle;
use crate::scope;

/// The items of a flow that was [opened](crate::flow::Flow::open).
///
/// It is a stream, too. As a stream it ends after the first error, even if that is the cancellation
/// of whoever polled it, so that code which skips errors does not loop for ever.
pub struct Items<S> {
    source: Pin<Box<S>>,
    step: Step,
    /// What the stream does next.
    stream: Streams,
}

enum Step {
    Open,
    /// The source has ended, or failed with this error.
    Closing(Option<Error>),
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Streams {
    Items,
    Nothing,
}

impl<S: Source> Items<S> {
    pub(super) fn new(source: S) -> Self {
        Items { source: Box::pin(source), step: Step::Open, stream: Streams::Items }
    }

    /// Waits for the next item. `None` when there are no more; everything that the flow has opened
    /// is closed by then.
    ///
    /// Dropping the future loses nothing: the next call goes on. Whether this is a checkpoint
    /// depends on the flow: only what its source and operators await is.
    ///
    /// # Errors
    ///
    /// The first error of the source or of an operator. Everything is closed by then, and there are
    /// no more items. If closing fails, its error comes instead, and the other is reported through
    /// `tracing`.
    ///
    /// [`Cancelled`](crate::Cancelled), if the caller is cancelled while it waits. What runs beside
    /// it has not noticed that, and if the caller goes on, so do the items. (A
    /// [generator](crate::Generator) that the caller runs itself, with only sequential operators in
    /// between, is cancelled with it.)
    pub async fn next(&mut self) -> Result<Option<S::Value>> {
        poll_fn(|cx| self.poll_one(cx)).await
    }

    /// Closes everything that the flow has opened, and waits until it has. The terminal operations
    /// do this themselves; call it for the items of [`produce_in`](crate::flow::Flow::produce_in).
    ///
    /// # Errors
    ///
    /// What the clean-up of a source or an operator fails with.
    pub async fn close(&mut self) -> Result<()> {
        poll_fn(|cx| self.poll_closed(cx)).await
    }

    fn poll_one(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<S::Value>>> {
        if let Step::Open = self.step {
            match ready!(self.source.as_mut().poll_item(cx)) {
                Some(Ok(item)) => return Poll::Ready(Ok(Some(item))),
                // That is about the caller, and not about the flow.
                Some(Err(error)) if error.is_cancelled() && scope::is_cancelled() => {
                    return Poll::Ready(Err(error));
                }
                Some(Err(error)) => self.step = Step::Closing(Some(error)),
                None => self.step = Step::Closing(None),
            }
        }
        self.poll_closed(cx).map_ok(|()| None)
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Step::Closed = self.step {
            return Poll::Ready(Ok(()));
        }
        let closed = ready!(self.source.as_mut().poll_close(cx));
        let outcome = match mem::replace(&mut self.step, Step::Closed) {
            Step::Closing(Some(error)) => Err(error),
            _ => Ok(()),
        };
        Poll::Ready(settle(Ok(outcome), Ok(closed)))
    }

    /// The next item, for an operator that closes the source itself.
    pub(super) async fn pull(&mut self) -> Result<Option<S::Value>> {
        poll_fn(|cx| self.source.as_mut().poll_item(cx)).await.transpose()
    }
}

impl<S: Source> Stream for Items<S> {
    type Item = Result<S::Value>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.stream == Streams::Nothing {
            return Poll::Ready(None);
        }
        let next = ready!(this.poll_one(cx));
        if next.is_err() {
            this.stream = Streams::Nothing;
        }
        Poll::Ready(next.transpose())
    }
}

impl<S: Source> Source for Items<S> {
    type Value = S::Value;

    fn poll_item(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_one(cx).map(Result::transpose)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().poll_closed(cx)
    }
}

impl<S> std::fmt::Debug for Items<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Items").finish_non_exhaustive()
    }
}
