//! Accepting connections, including the last of them when the server shuts down.

use std::collections::VecDeque;
use std::convert::Infallible;

use crate::error::Result;
use crate::operation::checkpoint::checkpoint;
use crate::serve::accept_error::AcceptErrors;
use crate::serve::connections::Connections;
use crate::serve::listener::Listener;
use crate::serve::reports::report_last;

/// Accepts and serves connections until this is cancelled or the listener fails.
pub(super) async fn forever<L: Listener>(
    listener: &L,
    connections: &Connections,
    serve: &impl Fn((L::Stream, L::Address)),
) -> Result<Infallible> {
    let mut errors = AcceptErrors::new();
    loop {
        connections.below_limit().await?;
        match listener.accept().await {
            Ok(connection) => {
                errors.accepted();
                serve(connection);
            }
            Err(error) => errors.pause_after(error, connections).await?,
        }
    }
}

/// Serves the clients that are waiting in the listener's queue: as far as they can tell, they have
/// been accepted already. If that fails, it is reported.
pub(super) async fn last<L: Listener>(
    listener: L,
    connections: &Connections,
    serve: &impl Fn((L::Stream, L::Address)),
) {
    if let Err(error) = all_waiting(listener, connections, serve).await
        && error.cancellation().is_none()
    {
        report_last(&error);
    }
}

/// Serves all clients that are waiting, and closes the listener as soon as its queue is empty.
///
/// All are accepted before any of them is served, so that the queue is soon empty: a client that is
/// answered with `connection: close` comes back at once, and would never find the listener closed.
async fn all_waiting<L: Listener>(
    listener: L,
    connections: &Connections,
    serve: &impl Fn((L::Stream, L::Address)),
) -> Result<()> {
    checkpoint().await?; // fails if there is no grace
    let mut errors = AcceptErrors::new();
    let mut accepted = VecDeque::new();
    let outcome = loop {
        match listener.try_accept() {
            Ok(Some(connection)) => {
                errors.accepted();
                accepted.push_back(connection);
            }
            Ok(None) => break Ok(()),
            Err(error) => {
                // Serving them eventually frees descriptors, which may be what the next one lacks.
                while connections.is_below_limit()
                    && let Some(connection) = accepted.pop_front()
                {
                    serve(connection);
                }
                if let Err(error) = errors.pause_after(error, connections).await {
                    break Err(error);
                }
            }
        }
    };
    drop(listener);
    for connection in accepted {
        connections.below_limit().await?;
        serve(connection);
    }
    outcome
}
