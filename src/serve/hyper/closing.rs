//! Telling clients of HTTP/1 that their connection is about to end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::Service;
use hyper::{Request, Response, Version};
use pin_project_lite::pin_project;

use crate::scope;

/// Makes a service close the connection with its next answer, once a
/// [graceful cancellation](crate::CancelScope::cancel_gracefully) has come.
///
/// [`gracefully`](super::gracefully) ends a connection that is waiting for a request, and hyper
/// ends one that is answering a request at that moment. This is for the requests in between: a
/// client that is answered without `connection: close` sends its next request at once, and that may
/// be on its way just when the connection is closed.
///
/// In HTTP/2, which has a message of its own for this, this does nothing.
///
/// ```
/// use hyper::service::service_fn;
/// use hyper::{Request, Response, body::Incoming};
/// use seedbed::hyper::closing;
///
/// let service = closing(service_fn(async |_: Request<Incoming>| {
///     Ok::<_, seedbed::Error>(Response::new(String::from("hello\n")))
/// }));
/// ```
pub fn closing<S>(service: S) -> Closing<S> {
    Closing { service }
}

/// A service that closes its connection once it is being stopped. See [`closing`].
#[derive(Clone, Copy, Debug)]
pub struct Closing<S> {
    service: S,
}

impl<S, B, C> Service<Request<B>> for Closing<S>
where
    S: Service<Request<B>, Response = Response<C>>,
{
    type Response = Response<C>;
    type Error = S::Error;
    type Future = ClosingFuture<S::Future>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let version = request.version();
        ClosingFuture { answer: self.service.call(request), version }
    }
}

pin_project! {
    /// The future of a [`Closing`] service.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct ClosingFuture<F> {
        #[pin]
        answer: F,
        version: Version,
    }
}

impl<F, B, E> Future for ClosingFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut answer = ready!(this.answer.poll(cx));
        if let Ok(answer) = &mut answer
            && *this.version <= Version::HTTP_11
            && scope::is_ending()
        {
            say_end(answer);
        }
        Poll::Ready(answer)
    }
}

/// Tells the client, in the last answer, that the connection ends.
pub(super) fn say_end<B>(answer: &mut Response<B>) {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}
