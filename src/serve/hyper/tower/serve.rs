//! A service that is served.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;

use futures_io::{AsyncRead, AsyncWrite};
use hyper::body::{Body as HttpBody, Incoming};
use hyper::{Request, Response};
use tower_service::Service;

use crate::error::Result;
use crate::serve::Listener;
use crate::serve::hyper::connection::serve_connection::Connection;
use crate::serve::hyper::server::Server;
use crate::serve::hyper::stage::Stage;
use crate::serve::hyper::tower::call::Call;

/// Serves a service of the crate `tower`, such as an axum router, over HTTP/1 and HTTP/2, until it
/// is cancelled. This needs the feature `tower`.
///
/// Short for `Server::new(listener).serve_tower(service)`: see [`Server::serve_tower`].
///
/// # Errors
///
/// The same as for [`Server::serve`].
#[track_caller]
pub fn serve_tower<L, S, B>(listener: L, service: S) -> impl Future<Output = Result<()>>
where
    L: Listener,
    L::Stream: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
    B: HttpBody<Error: Into<Box<dyn StdError + Send + Sync>>> + 'static,
{
    Server::new(listener).serve_tower(service)
}

impl<L: Listener, A> Server<'_, L, A> {
    /// Serves a service of the crate `tower`, such as an axum router, in place of a handler: all
    /// else is as for [`serve`](Self::serve). This needs the feature `tower`.
    ///
    /// Each request is a task, which clones the service, waits until the clone is ready, and calls
    /// it. The service need not be `Send`, and may borrow what lives outside the server, if its own
    /// type allows that. If it fails, its error is [reported](Self::on_error), and the client gets a
    /// 500.
    ///
    /// **Handlers that are `Send`**, as axum's have to be, await this crate through
    /// [`local`](crate::hyper::local). Bodies that are made in a task, and WebSockets, go through
    /// [`local_answer`](crate::hyper::local_answer).
    ///
    /// **When the client goes away**, when the server is cancelled, and when its grace is over,
    /// whatever of this crate the service awaits fails with [`Cancelled`](crate::Cancelled) and
    /// cleans up, as long as its scopes are open. The rest knows nothing of scopes, and is dropped, as
    /// in `axum::serve`.
    ///
    /// **Layers that need tokio's runtime**, for a timer for example, have it in a
    /// [companion](crate::guide::any_crate). What they spawn runs on a thread of the companion's, where
    /// whatever is in `local` panics when it is polled.
    ///
    /// ```
    /// use hyper::{Request, Response, body::Incoming};
    /// use seedbed::hyper::{Server, local};
    /// use seedbed::net::TcpListener;
    /// use seedbed::{Error, Result, sleep};
    /// use std::pin::Pin;
    /// use std::task::{Context, Poll};
    /// use std::time::Duration;
    ///
    /// /// By hand here; otherwise an `axum::Router`.
    /// #[derive(Clone)]
    /// struct Slow;
    ///
    /// impl tower_service::Service<Request<Incoming>> for Slow {
    ///     type Response = Response<String>;
    ///     type Error = Error;
    ///     type Future = Pin<Box<dyn Future<Output = Result<Response<String>>> + Send>>;
    ///
    ///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
    ///         Poll::Ready(Ok(()))
    ///     }
    ///
    ///     fn call(&mut self, _: Request<Incoming>) -> Self::Future {
    ///         Box::pin(local(async {
    ///             sleep(Duration::from_millis(100)).await?;
    ///             Ok(Response::new(String::from("at last\n")))
    ///         }))
    ///     }
    /// }
    ///
    /// async fn serve(listener: TcpListener) -> Result<()> {
    ///     Server::new(listener).grace(Duration::from_secs(5)).serve_tower(Slow).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The same as for [`serve`](Self::serve).
    ///
    /// # Panics
    ///
    /// The same as for [`serve`](Self::serve).
    pub async fn serve_tower<S, B>(self, service: S) -> Result<()>
    where
        A: Stage<L::Stream, L::Address>,
        A::Stream: AsyncRead + AsyncWrite + Unpin + 'static,
        S: Service<Request<Incoming>, Response = Response<B>> + Clone,
        S::Error: Into<Box<dyn StdError + Send + Sync>>,
        B: HttpBody<Error: Into<Box<dyn StdError + Send + Sync>>> + 'static,
    {
        self.serve(|request| Call::new(service.clone(), request)).await
    }
}

impl<T, P: fmt::Debug> Connection<'_, T, P> {
    /// Serves a service of the crate `tower` in place of a handler, as [`Server::serve_tower`] does:
    /// all else is as for [`serve`](Self::serve). This needs the feature `tower`.
    ///
    /// # Errors
    ///
    /// The same as for [`serve`](Self::serve).
    ///
    /// # Panics
    ///
    /// The same as for [`serve`](Self::serve).
    pub async fn serve_tower<S, B>(self, service: S) -> Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
        S: Service<Request<Incoming>, Response = Response<B>> + Clone,
        S::Error: Into<Box<dyn StdError + Send + Sync>>,
        B: HttpBody<Error: Into<Box<dyn StdError + Send + Sync>>> + 'static,
    {
        self.serve(|request| Call::new(service.clone(), request)).await
    }
}
