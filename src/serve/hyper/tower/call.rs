//! The call of a service, for one request.

use std::error::Error as StdError;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body as HttpBody, Incoming};
use hyper::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::error::{Cancelled, Error, Result};
use crate::scope::current::with_scope;
use crate::serve::hyper::answer::body::{Boxed, Rest, sealed::Sealed};
use crate::serve::hyper::connection::giving_up::{Round, Rounds};
use crate::serve::hyper::tower::left::collect;
use crate::serve::hyper::tower::local_answer;

pin_project! {
    /// Waits until a service is ready, and calls it.
    ///
    /// A service and its layers know nothing of scopes. So when the request is cancelled, whatever
    /// in it awaits this crate gets its [`Cancelled`](crate::Cancelled) and cleans up, as long as it
    /// has scopes open; then the rest is dropped, as hyper would do.
    pub(super) struct Call<S: Service<Request<Incoming>>> {
        // Until it is called.
        uncalled: Option<(S, Request<Incoming>)>,
        #[pin]
        future: Option<S::Future>,
        rounds: Rounds,
        // Futures that the service has dropped half-way. They clean up.
        left: Vec<Boxed<'static>>,
        // How it ends, when these have ended.
        end: Option<Error>,
    }
}

impl<S: Service<Request<Incoming>>> Call<S> {
    pub(super) fn new(service: S, request: Request<Incoming>) -> Call<S> {
        Call {
            uncalled: Some((service, request)),
            future: None,
            rounds: Rounds::default(),
            left: Vec::new(),
            end: None,
        }
    }

    /// Drops what is left of the service.
    fn drop_service(self: Pin<&mut Self>) {
        let mut this = self.project();
        collect(this.left, || {
            *this.uncalled = None;
            this.future.set(None);
        });
    }
}

impl<S, B> Call<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
{
    fn poll_service(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<B>, S::Error>> {
        let mut this = self.project();
        collect(this.left, || {
            if let Some((service, _)) = this.uncalled {
                ready!(service.poll_ready(cx))?;
                let (mut service, request) = this.uncalled.take().expect("it was there");
                this.future.set(Some(service.call(request)));
            }
            let polled = this.future.as_mut().as_pin_mut().expect("it was called").poll(cx);
            if polled.is_ready() {
                this.future.set(None);
            }
            polled
        })
    }
}

impl<S, B> Future for Call<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>>,
{
    type Output = Result<Response<Answer<B>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.end.is_none() {
            let end = match self.as_mut().poll_service(cx) {
                Poll::Ready(Ok(answer)) => {
                    return Poll::Ready(Ok(Answer::new(answer, mem::take(self.project().left))));
                }
                Poll::Ready(Err(error)) => Error::from_boxed(error.into()),
                Poll::Pending => match given_up(self.as_mut().project().rounds, cx) {
                    Some(why) => why.into(),
                    None => return Poll::Pending,
                },
            };
            self.as_mut().drop_service();
            *self.as_mut().project().end = Some(end);
        }
        let this = self.project();
        // What they end with concerns nobody any more.
        this.left.retain_mut(|left| left.as_mut().poll(cx).is_pending());
        match this.left.is_empty() {
            true => Poll::Ready(Err(this.end.take().expect("it has ended"))),
            false => Poll::Pending,
        }
    }
}

/// Why a service that waits is not waited for any longer: it has been cancelled, none of this
/// crate's code in it has a scope open, and it had time to answer.
fn given_up(rounds: &mut Rounds, cx: &Context<'_>) -> Option<Cancelled> {
    with_scope(|scope| {
        let scope = scope.filter(|scope| scope.is_cancelled() && scope.is_innermost());
        match scope {
            None => rounds.start_over(),
            Some(_) if rounds.another(cx) == Round::Another => {}
            Some(scope) => return scope.cause(),
        }
        None
    })
}

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// The body of a service's answer, and what is still to be done for it.
pub(super) struct Answer<B> {
    body: B,
    rest: Rest<'static>,
    left: Vec<Boxed<'static>>,
}

impl<B> Answer<B> {
    fn new(answer: Response<B>, left: Vec<Boxed<'static>>) -> Response<Answer<B>> {
        let (mut head, body) = answer.into_parts();
        let rest = local_answer::take_rest(&mut head.extensions);
        Response::from_parts(head, Answer { body, rest, left })
    }
}

impl<B: HttpBody<Error: Into<BoxError>> + 'static> Sealed for Answer<B> {
    type Given = B;

    fn take_left(&mut self) -> Vec<Boxed<'static>> {
        mem::take(&mut self.left)
    }

    fn give<'a>(self) -> (B, Rest<'a>)
    where
        Self: 'a,
    {
        (self.body, self.rest)
    }
}
