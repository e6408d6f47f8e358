//! The shutdown of a server: how it begins, and a signal that ends its grace.

use std::cell::Cell;
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::operation::time::sleep;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::{CancelScope, is_ending};
use crate::serve::until_ending::until_ending;
use crate::world::signal::{Signal, Signals};

/// How long connections may take to finish, unless [`Server::grace`](crate::Server::grace) says
/// otherwise.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// The signals that end the grace at once: those that tell a process to end.
const ENDING: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::QUIT];

/// How long to wait before trying to listen again: a server that is draining may well have used up
/// its descriptors, and frees them one by one.
const PAUSE: Duration = Duration::from_millis(100);

/// The shutdown of a server, with the error that it was begun with, if any.
pub(super) struct Shutdown {
    /// The scope of the server.
    pub(super) scope: CancelScope,
    grace: Duration,
    place: &'static Location<'static>,
    failure: Cell<Option<Error>>,
}

impl Shutdown {
    pub(super) fn new(grace: Duration, place: &'static Location<'static>) -> Shutdown {
        let scope = CancelScope::of(ScopeRef::new(place));
        Shutdown { scope, grace, place, failure: Cell::new(None) }
    }

    fn begin(&self, error: Option<Error>) {
        let first = self.failure.take();
        self.failure.set(first.or(error));
        self.scope.end_gracefully("the server is shutting down", self.place, self.grace);
    }

    /// Shuts the server down when this future is ready.
    pub(super) async fn begin_on(&self, signal: impl Future<Output = Result<()>>) -> Result<()> {
        match until_ending(signal, Duration::ZERO, self.place).await {
            Err(error) if is_ending() && error.cancellation().is_some() => {}
            outcome => self.begin(outcome.err()),
        }
        Ok(())
    }

    /// Shuts the server down because accepting has failed.
    ///
    /// # Errors
    ///
    /// The same error, if it is a cancellation and the server is already ending.
    pub(super) fn begin_after(&self, error: Error) -> Result<()> {
        if is_ending() && error.cancellation().is_some() {
            return Err(error);
        }
        self.begin(Some(error.at(self.place)));
        Ok(())
    }

    /// Ends the grace when one of the signals that end the program comes. The program has already
    /// received the first one, or has begun to end for another reason. This listens from the moment
    /// it is called.
    pub(super) fn end_grace_on_signal(&self) -> impl Future<Output = Result<()>> {
        let mut listening = Signals::of_drain(ENDING);
        async move {
            let signals = loop {
                match listening {
                    Ok(Some(signals)) => break signals,
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        tracing::debug!(%error, "cannot listen to signals; will try again");
                        sleep(PAUSE).await?;
                        listening = Signals::of_drain(ENDING);
                    }
                }
            };
            let signal = signals.recv().await?;
            tracing::info!(%signal, server = %self.place, "a signal ends a server's grace at once");
            let reason = format!("{signal} arrived while the server was shutting down");
            self.scope.end_at_once(reason.into(), self.place);
            Ok(())
        }
    }

    /// The server's error, if it has failed.
    pub(super) fn outcome(&self) -> Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }
}
