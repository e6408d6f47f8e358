//! Letting connections in, and the last of them when the server shuts down.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use crate::scope::idle::wind_down;
use crate::scope::pool::ScopeRef;
use crate::scope::tree::Level;
use crate::serve::accept_error::AcceptErrors;
use crate::serve::connections::Connections;
use crate::serve::listener::Listener;
use crate::{Cancelled, Error, Result, checkpoint};

/// Serves connections until the server is ending, or the listener fails; says which.
///
/// It runs where connections finish their work. Other than they, it stops at once.
pub(super) async fn until_ending<L: Listener>(
    listener: &L,
    connections: &Connections,
    serve: &impl Fn((L::Stream, L::Address)),
    place: &'static Location<'static>,
) -> Error {
    let scope = ScopeRef::new(place);
    let accepting = scope.clone();
    let mut why = None;
    let stop = |_: Pin<&mut _>, cause: Cancelled| {
        accepting.cancel_because(Level::Graceful, || cause.clone());
        why = Some(cause);
    };
    let accept = forever(listener, connections, serve);
    match wind_down(scope, accept, Duration::ZERO, stop).await {
        Err(error) => error,
        Ok(None) => why.expect("nobody else has a handle to this scope").into(),
    }
}

async fn forever<L: Listener>(
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
