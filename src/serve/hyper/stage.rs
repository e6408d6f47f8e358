//! The stage that a stream goes through after it is accepted and before HTTP.

use std::future::Future;

use crate::error::Result;

/// A stage that a [`Server`](super::Server) puts the streams that it accepts through.
pub trait Stage<S, P> {
    /// The type of stream over which HTTP is spoken.
    type Stream;

    #[doc(hidden)]
    fn run(&self, stream: S, peer: P) -> impl Future<Output = Result<Self::Stream>>;
}

/// Streams are used as they are.
#[derive(Clone, Copy, Debug)]
pub struct AsAccepted;

impl<S, P> Stage<S, P> for AsAccepted {
    type Stream = S;

    async fn run(&self, stream: S, _: P) -> Result<S> {
        Ok(stream)
    }
}

/// Streams go through a closure: see [`Server::on_accept`](super::Server::on_accept).
#[derive(Clone, Copy, Debug)]
pub struct OnAccept<F>(pub(super) F);

impl<S, P, T, F: AsyncFn(S, P) -> Result<T>> Stage<S, P> for OnAccept<F> {
    type Stream = T;

    async fn run(&self, stream: S, peer: P) -> Result<T> {
        (self.0)(stream, peer).await
    }
}
