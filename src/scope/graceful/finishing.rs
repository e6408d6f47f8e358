//! Sections that a graceful cancellation lets finish.

use std::future::Future;
use std::panic::Location;

use crate::error::Result;
use crate::scope::enter;
use crate::scope::tree::Patience;
use crate::scope::tree::pool::ScopeRef;

/// Marks `future` as finishing its work: a
/// [graceful cancellation](crate::CancelScope::cancel_gracefully) leaves it alone until the grace
/// is over. Any other cancellation reaches it as usual.
///
/// A server marks the code that answers a request in this way, but not the code that waits for the
/// next one.
///
/// # Errors
///
/// The future's own.
///
/// See [`CancelScope::cancel_gracefully`](crate::CancelScope::cancel_gracefully) for an example.
#[track_caller]
pub fn finishing<T>(future: impl Future<Output = Result<T>>) -> impl Future<Output = Result<T>> {
    finishing_at(Location::caller(), future)
}

/// The same as [`finishing`], with a scope that was opened at this place.
pub(crate) fn finishing_at<T>(
    place: &'static Location<'static>,
    future: impl Future<Output = Result<T>>,
) -> impl Future<Output = Result<T>> {
    let scope = ScopeRef::new(place);
    scope.set_patience(Patience::Finishes);
    async move {
        let value = enter(scope, "a section that finishes its work", future).await?;
        Ok(value.expect("nobody has a handle to this scope, so it absorbs nothing"))
    }
}
