//! A connection that is served: its handler, and what becomes of how that ends.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::scope::is_ending;
use crate::scope::tree::Scope;
use crate::serve::OnError;
use crate::serve::connections::Open;
use crate::serve::panicked::HandlerPanicked;
use crate::{Error, Result, context};

/// What a server does about handlers that fail.
pub(super) struct Failures<'a, A> {
    pub(super) on_error: Option<OnError<'a, A>>,
    pub(super) resume_panics: bool,
}

pin_project! {
    /// The future of a connection. Written out by hand: there is one for each client, and in
    /// nested `async` blocks each would hold the handler's future twice.
    pub(super) struct Connection<'a, A, C, F> {
        #[pin]
        handler: Handler<C, F>,
        peer: A,
        open: Open<'a>,
        failures: &'a Failures<'a, A>,
    }
}

pin_project! {
    #[project = HandlerProjection]
    enum Handler<C, F> {
        // The call itself is part of the connection, should it panic.
        Called { call: Option<C> },
        Running { #[pin] future: F },
        Over,
    }
}

impl<'a, A, C, F> Connection<'a, A, C, F>
where
    C: FnOnce() -> F,
    F: Future<Output = Result<()>>,
{
    /// Runs the handler that `call` calls.
    pub(super) fn new(call: C, peer: A, open: Open<'a>, failures: &'a Failures<'a, A>) -> Self {
        Connection { handler: Handler::Called { call: Some(call) }, peer, open, failures }
    }
}

impl<A, C, F> Future for Connection<'_, A, C, F>
where
    A: std::fmt::Debug,
    C: FnOnce() -> F,
    F: Future<Output = Result<()>>,
{
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| this.handler.as_mut().poll(cx)));
        let outcome = match polled {
            Ok(polled) => Ok(ready!(polled)),
            Err(payload) => Err(payload),
        };
        this.handler.set(Handler::Over);
        let error = match outcome {
            Ok(Ok(())) => return Poll::Ready(Ok(())),
            Ok(Err(error)) if is_ending() => match error.absorb_cancelled() {
                (_, Some(rest)) => rest,
                (_, None) => {
                    if is_cancelled() {
                        this.open.cut_short();
                    }
                    return Poll::Ready(Ok(()));
                }
            },
            Ok(Err(error)) => error,
            Err(payload) if this.failures.resume_panics => resume_unwind(payload),
            Err(payload) => HandlerPanicked::new(&*payload).into(),
        };
        match &this.failures.on_error {
            Some(on_error) => on_error(error, this.peer),
            None => report(error, this.peer),
        }
        Poll::Ready(Ok(()))
    }
}

impl<C, F> Handler<C, F>
where
    C: FnOnce() -> F,
    F: Future<Output = Result<()>>,
{
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let HandlerProjection::Called { call } = self.as_mut().project() {
            let call = call.take().expect("a call that panics is over");
            self.set(Handler::Running { future: call() });
        }
        match self.project() {
            HandlerProjection::Running { future } => future.poll(cx),
            _ => unreachable!("a handler is not polled any more when it is over"),
        }
    }
}

fn report<A: std::fmt::Debug>(error: Error, peer: &A) {
    if error.is::<HandlerPanicked>() {
        tracing::error!(?peer, %error, "a handler has a bug; the server goes on");
    } else {
        tracing::warn!(?peer, %error, "a connection failed");
    }
}

fn is_cancelled() -> bool {
    context::with_scope(|scope| scope.is_some_and(Scope::is_cancelled))
}
