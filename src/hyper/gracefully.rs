//! Ending a connection of hyper's between two requests.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;

use crate::scope::idle::wind_down;
use crate::scope::tree::Scope;
use crate::{Error, Result};

/// Drives a connection to its end, and lets a
/// [graceful cancellation](crate::CancelScope::cancel_gracefully), such as the shutdown of a
/// [server](crate::Server), end it as HTTP has it: between two requests.
///
/// The connection is [finishing](crate::finishing()) its work. When a graceful cancellation comes,
/// hyper first reads what has arrived, and is then told by `shutdown`: a connection that waits for
/// its next request is closed at once, others are when what they have begun is answered, in HTTP/1
/// with `connection: close`. When the grace is over everything fails that still waits.
///
/// A connection on which nothing has arrived yet waits for its next request, too. For every client
/// that is connected to be answered, read something before, as the crate's `http_server` example
/// does when it finds out which version of HTTP a client speaks.
///
/// `shutdown` is the connection's own method: of `http1::Connection`,
/// `http1::UpgradeableConnection` or `http2::Connection` the `graceful_shutdown`.
///
/// See the [module](crate::hyper) for an example.
///
/// # Errors
///
/// The connection's, which has a [`Cancelled`](crate::Cancelled) as its cause if it was cancelled
/// otherwise, or the grace was over.
#[track_caller]
pub fn gracefully<C, E>(
    connection: C,
    shutdown: impl FnOnce(Pin<&mut C>),
) -> impl Future<Output = Result<()>>
where
    C: Future<Output = Result<(), E>>,
    E: Into<Error>,
{
    let scope = Rc::new(Scope::new(Location::caller()));
    async move {
        let ended = wind_down(scope, connection, |connection, _| shutdown(connection)).await?;
        Ok(ended.expect("nobody has a handle to this scope, so it absorbs nothing"))
    }
}
