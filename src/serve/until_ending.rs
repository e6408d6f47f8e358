//! Something that a server stops at once when it is ending, while its connections finish their
//! work.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use crate::error::{Cancelled, Result};
use crate::scope::graceful::idle::wind_down;
use crate::scope::tree::Level;
use crate::scope::tree::pool::ScopeRef;

/// Runs `future`, which a graceful cancellation reaches after `patience`, even though whatever runs
/// here is otherwise finishing its work.
pub(crate) async fn until_ending<T>(
    future: impl Future<Output = Result<T>>,
    patience: Duration,
    place: &'static Location<'static>,
) -> Result<T> {
    let scope = ScopeRef::new(place);
    let mut why = None;
    let stop = |scope: &ScopeRef, _: Pin<&mut _>, cause: Cancelled| {
        scope.cancel_because(Level::Graceful, || cause.clone());
        why = Some(cause);
    };
    match wind_down(scope, future, patience, stop).await? {
        Some(value) => Ok(value),
        None => Err(why.expect("nobody else can cancel this scope").into()),
    }
}
