//! Errors of operations get the place where the operation was called, in the program.
//!
//! `?` records where it stands, which inside of this crate helps nobody, and inside of a function
//! that returns a `Poll` is a place in the standard library. So an operation notes its caller when it
//! is made, by `#[track_caller]`, and gives its error that place.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::{Error, Repr};
use crate::Result;

impl Error {
    /// As raised at this place, if no better one is known.
    pub(crate) fn at(mut self, place: &'static Location<'static>) -> Error {
        if let Repr::Other(other) = &mut self.0
            && other.place.is_none()
            && !super::is_of_no_use(place)
        {
            other.place = Some(place);
        }
        self
    }
}

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
