//! Ending a connection of hyper's between two requests.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use crate::scope::idle::wind_down;
use crate::scope::pool::ScopeRef;
use crate::{Error, Result};

/// How long a request may be on its way while its connection is about to be closed. It has to
/// cover a client's turnaround and a trip through the network; nginx has `keepalive_min_timeout`
/// for the same.
const PATIENCE: Duration = Duration::from_millis(100);

/// Drives a connection to its end, and lets a
/// [graceful cancellation](crate::CancelScope::cancel_gracefully), such as the shutdown of a
/// [server](crate::Server), end it as HTTP has it: between two requests.
///
/// The connection is [finishing](crate::finishing()) its work. A graceful cancellation waits for a
/// tenth of a second, for requests that are on their way already. Then hyper is told by `shutdown`:
/// a connection that waits for its next request is closed at once, others are when what they have
/// begun is answered, in HTTP/1 with `connection: close`. A service that is [`closing`] closes with
/// the first answer, also in that tenth, and makes sure that no client sends a request which
/// nobody reads. When the grace is over everything fails that still waits.
///
/// A connection on which nothing has arrived yet waits for its next request, too. For every client
/// that is connected to be answered, read something before, as the crate's `http_server` example
/// does when it finds out which version of HTTP a client speaks.
///
/// [`closing`]: super::closing()
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
    let scope = ScopeRef::new(Location::caller());
    async move {
        let ended =
            wind_down(scope, connection, PATIENCE, |connection, _| shutdown(connection)).await?;
        debug_assert!(ended.is_some(), "nobody has a handle to this scope, so it absorbs nothing");
        Ok(())
    }
}
