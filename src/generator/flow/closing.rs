//! What comes of it when something has ended, is told, and is closed.

use std::task::{Context, Poll, ready};

use crate::error::panic::{discard, report};
use crate::error::{Error, Result};
use crate::generator::aclosing::{Caught, Lost, decide};

/// The outcome of something that was closed afterwards. What is lost is reported, unless it is a
/// cancellation.
pub(super) fn settle<R>(outcome: Caught<Result<R>>, closed: Caught<Result<()>>) -> Result<R> {
    decide(outcome, closed, |lost| match lost {
        Lost::Replaced(replaced) if replaced.is_cancelled() => {}
        Lost::Replaced(replaced) => {
            report!(warn, error = %replaced, "replaced by an error of the clean-up of a flow");
        }
        Lost::Failed(error) => {
            report!(error, %error, "a flow failed while it was closed after a panic");
        }
        Lost::Panicked(further) => discard(further),
    })
}

/// What an operator meets when it asks its source for an item, while it has items of its own.
pub(super) enum Met<T> {
    Item(T),
    /// The end, or an error. Items that came before are given first.
    End(Option<Error>),
    /// That is told at once. Later it might be told in another scope.
    Cancelled(Error),
    Nothing,
}

impl<T> From<Poll<Option<Result<T>>>> for Met<T> {
    fn from(next: Poll<Option<Result<T>>>) -> Self {
        match next {
            Poll::Ready(Some(Ok(item))) => Met::Item(item),
            Poll::Ready(Some(Err(error))) if error.cancellation().is_some() => {
                Met::Cancelled(error)
            }
            Poll::Ready(Some(Err(error))) => Met::End(Some(error)),
            Poll::Ready(None) => Met::End(None),
            Poll::Pending => Met::Nothing,
        }
    }
}

/// The end of a source, for as long as there is something to give before it is told.
#[derive(Default)]
pub(super) struct End(Option<Option<Error>>);

impl End {
    /// What an operator gives last, if it is time for that.
    pub(super) fn take<T>(&mut self) -> Option<Option<Result<T>>> {
        self.0.take().map(|end| end.map(Err))
    }

    /// The source has ended. Returns what is given next: the last item, if there is one.
    pub(super) fn comes<T>(&mut self, last: Option<T>, end: Option<Error>) -> Option<Result<T>> {
        match last {
            Some(last) => {
                self.0 = Some(end);
                Some(Ok(last))
            }
            None => end.map(Err),
        }
    }

    /// The consumer leaves. It has not been told of an error yet, so that is reported.
    pub(super) fn report(&mut self) {
        if let Some(Some(error)) = self.0.take() {
            report!(
                warn,
                %error,
                "a flow had failed ahead of its consumer, which left before it came to that"
            );
        }
    }
}

/// Closes two sources one after the other, the second one even if the first one fails.
#[derive(Default)]
pub(super) struct ClosesBoth {
    /// What closing the first one has come to.
    first: Option<Result<()>>,
}

impl ClosesBoth {
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        first: impl FnOnce(&mut Context<'_>) -> Poll<Result<()>>,
        second: impl FnOnce(&mut Context<'_>) -> Poll<Result<()>>,
    ) -> Poll<Result<()>> {
        let first = match self.first.take() {
            Some(first) => first,
            None => ready!(first(cx)),
        };
        match second(cx) {
            Poll::Pending => {
                self.first = Some(first);
                Poll::Pending
            }
            Poll::Ready(second) => {
                if let (Err(_), Err(further)) = (&first, &second) {
                    report!(error, error = %further, "a flow had failed already while it was closed");
                }
                Poll::Ready(first.and(second))
            }
        }
    }
}
