//! Operations that are made of several, whose errors are raised where they were called.
//!
//! `?` records where it stands, which inside of this crate helps nobody, and inside of a function
//! that returns a `Poll` is a place in the standard library. So an operation notes its caller when it
//! is made, by `#[track_caller]`, and gives its error that place.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::Result;

/// An operation made of several: its errors are raised where this is called, by way of functions
/// that are `#[track_caller]`.
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
