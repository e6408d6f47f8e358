//! The shutdown of a server.

use std::cell::Cell;
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::scope::tree::pool::ScopeRef;
use crate::scope::{CancelScope, is_ending};
use crate::serve::until_ending::until_ending;

/// How long connections may take to finish, unless [`Server::grace`](crate::Server::grace) says
/// otherwise.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// The shutdown of a server, with the error that it was begun with, if any.
pub(super) struct Shutdown {
    /// The scope of the server.
    pub(super) scope: CancelScope,
    grace: Duration,
    pub(super) place: &'static Location<'static>,
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

    /// The server's error, if it has failed.
    pub(super) fn outcome(&self) -> Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }
}
