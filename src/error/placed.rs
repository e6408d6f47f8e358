//! The place of an error in an operation that is made of several.
//!
//! `?` records where it is written. Inside this crate that helps nobody, and in a function that
//! returns a `Poll` it is a place in the standard library. So an operation takes its caller's place
//! when it is created, through `#[track_caller]`, and gives that place to its error.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::error::Result;

/// Wraps an operation made of several, so that its errors are raised where this function, or the
/// `#[track_caller]` function around it, is called.
#[track_caller]
pub(crate) fn placed<F>(operation: F) -> Placed<F> {
    Placed { operation, place: Location::caller() }
}

pin_project! {
    /// The future of [`placed`].
    #[must_use = "futures do nothing unless awaited"]
    pub(crate) struct Placed<F> {
        #[pin]
        operation: F,
        place: &'static Location<'static>,
    }
}

impl<T, F: Future<Output = Result<T>>> Future for Placed<F> {
    type Output = Result<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = self.project();
        let place = *this.place;
        this.operation.poll(cx).map_err(|error| error.at(place))
    }
}
