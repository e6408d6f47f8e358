//! An answer of this crate that goes through a service.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Response;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use hyper::http::Extensions;

use crate::serve::hyper::answer::body::{Body, Given, Rest, sealed::Sealed};
use crate::serve::hyper::answer::frames::End;
use crate::serve::hyper::rt::thread_bound::ThreadBound;
use crate::serve::hyper::tower::call::BoxError;
use crate::serve::hyper::tower::on_thread::{OnThread, local};

/// Lets an answer of this crate, whose body is made in a task or which goes on with another
/// protocol, go through a service: a handler of axum's can return it.
///
/// What is to be done for the answer travels in its extensions, and begins once it has gone through
/// the service and its layers. The rest is as in [`Body::stream`] and [`upgrade`](crate::hyper::upgrade):
/// a task that sees a [`Cancelled`](crate::Cancelled) when the client has gone. If a layer drops the
/// extensions, the body is cut off.
///
/// The service has to be served by [`serve_tower`](crate::hyper::serve_tower()), or nothing begins.
///
/// ```
/// use hyper::Response;
/// use seedbed::hyper::{Body, local_answer};
/// use seedbed::sleep;
/// use std::time::Duration;
///
/// // With axum: `-> impl IntoResponse`.
/// async fn count() -> Response<impl hyper::body::Body + Send + 'static> {
///     local_answer(Response::new(Body::stream(async |sender| {
///         for n in 1..=10 {
///             sender.send(format!("{n}\n")).await?; // waits for a client that does not read
///             sleep(Duration::from_secs(1)).await?;
///         }
///         Ok(())
///     })))
/// }
/// ```
///
/// # Panics
///
/// The body panics if it is polled on another thread.
pub fn local_answer(
    answer: Response<Body<'static>>,
) -> Response<impl HttpBody<Data = Bytes, Error = BoxError> + Send + Sync + 'static> {
    let (mut head, body) = answer.into_parts();
    let (body, rest) = body.give();
    if !matches!(rest, Rest::Nothing) {
        let rest = RefCell::new(Unbegun(Some(rest)));
        head.extensions.insert(Travelling(Arc::new(ThreadBound::new(rest))));
    }
    Response::from_parts(head, LocalBody(local(body)))
}

/// Takes what is still to be done for an answer that has come through a service.
pub(super) fn take_rest(extensions: &mut Extensions) -> Rest<'static> {
    let rest = extensions.remove::<Travelling>();
    rest.and_then(|rest| rest.0.get().borrow_mut().0.take()).unwrap_or(Rest::Nothing)
}

/// What is to be done for an answer, in its extensions.
#[derive(Clone)]
struct Travelling(Arc<ThreadBound<RefCell<Unbegun>>>);

/// What is to be done for an answer. If that never begins, its body is cut off.
struct Unbegun(Option<Rest<'static>>);

impl Drop for Unbegun {
    fn drop(&mut self) {
        if let Some(Rest::Made(frames, _)) = &self.0 {
            frames.end(End::CutOff);
        }
    }
}

/// The body of such an answer. Its errors are in plain boxes, in which they are recognised when they
/// have come through a service.
struct LocalBody(OnThread<Given>);

impl HttpBody for LocalBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.0).poll_frame(cx);
        polled.map(|item| Some(item?.map_err(|error| error.into_boxed())))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
