//! What items come from: something that gives them one by one, and can be closed.

use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::error::Result;
use crate::generator::Generator;
use crate::operation::sync::channel::{Receiver, channel};

/// A stream of `Result`s that can be closed: what a [`Flow`](crate::flow::Flow) gets its items
/// from, and what it becomes when it is opened.
///
/// A [`Generator`] is one, and so are a [`Receiver`] and all that operators make of them. Any other
/// stream becomes one by [`from_stream`](crate::flow::from_stream) or
/// [`from_try_stream`](crate::flow::from_try_stream). Like the methods of `Sink` that wait, those
/// of a source are polled: whoever drops the future of a `next` drops nothing that the source has
/// begun.
///
/// # For implementors
///
/// * `poll_next` returns no item as long as anything is under way inside: a source that works ahead
///   needs a task for that (see [the rule](mod@crate::flow#the-rule)).
/// * After `None`, or an error other than the caller's own cancellation, `poll_next` is not called
///   any more. The caller closes the source then, so a wrapper need not.
/// * `poll_close` closes everything that the source has opened or wraps, even if one of them fails.
///   It is clean-up, and not a checkpoint. It may be called before the end, or before anything
///   else; until it is `Ready` it is called again, and nothing else is; from then on it returns
///   `Ready(Ok(()))`.
/// * Dropping a source that was not closed must leave nothing running for ever. Clean-up that
///   awaits then happens later, or not at all.
/// * A source that wraps another one gets its items by `poll_item`.
pub trait Source: Stream<Item = Result<Self::Value>> {
    /// The type of the items.
    type Value;

    /// Gets the next item, as `poll_next` does.
    ///
    /// The two differ for a [`Receiver`] and for the [`Items`](crate::flow::Items) of another flow.
    /// As streams these end after their caller was cancelled, so that code which skips errors does
    /// not loop for ever. As sources they do not end then, so whoever goes on after a cancellation,
    /// such as that of a time limit around `next`, has lost nothing.
    fn poll_item(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_next(cx)
    }

    /// Closes the source, and waits until it has cleaned up.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>>;
}

/// Closing it is [`aclose`](Generator::aclose).
impl<T> Source for Generator<'_, T> {
    type Value = T;

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // Closing goes on where it was, so nothing is lost by beginning it anew for each poll.
        Pin::new(&mut self.get_mut().aclose()).poll(cx)
    }
}

/// Closing it drops the receiver: if it was the last one, sending fails from then on.
impl<T> Source for Receiver<T> {
    type Value = T;

    #[track_caller]
    fn poll_item(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        self.get_mut().poll_recv(Location::caller(), cx).map(Result::transpose)
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        let (_, ended) = channel(0);
        drop(mem::replace(self.get_mut(), ended)); // foreign code: the messages in it
        Poll::Ready(Ok(()))
    }
}

impl<S: Source + ?Sized> Source for Pin<Box<S>> {
    type Value = S::Value;

    fn poll_item(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().as_mut().poll_item(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().as_mut().poll_close(cx)
    }
}
