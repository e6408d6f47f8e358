//! Letting connections in, and the last of them when the server shuts down.

use std::collections::VecDeque;
use std::convert::Infallible;

use crate::serve::accept_error::AcceptErrors;
use crate::serve::connections::Connections;
use crate::serve::listener::Listener;
use crate::{Result, checkpoint};

/// Serves connections until that is cancelled, or the listener fails.
pub(super) async fn forever<L: Listener>(
    listener: &L,
    connections: &Connections,
    serve: &impl Fn((L::Stream, L::Address)),
) -> Result<Infallible> {
    let mut errors = AcceptErrors::new();
    loop {
        connections.room().await?;
        match listener.accept().await {
            Ok(connection) => {
                errors.over();
                serve(connection);
            }
            Err(error) => errors.bear(error, connections).await?,
        }
    }
}

/// Serves those who wait in the listener's queue: as far as they can tell, they have been accepted
/// already. The listener is closed as soon as the queue is empty.
///
/// They are all let in before the next of them is served, so that it is empty soon: a client that
/// is served with `connection: close` comes back at once, and would never find it closed.
pub(super) async fn last<L: Listener>(
    listener: L,
    connections: &Connections,
    serve: &impl Fn((L::Stream, L::Address)),
) -> Result<()> {
    checkpoint().await?; // fails where there is no grace
    let mut errors = AcceptErrors::new();
    let mut waiting = VecDeque::new();
    let outcome = loop {
        match listener.try_accept() {
            Ok(Some(connection)) => {
                errors.over();
                waiting.push_back(connection);
            }
            Ok(None) => break Ok(()),
            Err(error) => {
                // They have descriptors, which may be what the next one wants.
                while connections.has_room()
                    && let Some(connection) = waiting.pop_front()
                {
                    serve(connection);
                }
                if let Err(error) = errors.bear(error, connections).await {
                    break Err(error);
                }
            }
        }
    };
    drop(listener);
    for connection in waiting {
        connections.room().await?;
        serve(connection);
    }
    outcome
}
