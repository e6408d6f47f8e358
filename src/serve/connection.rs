//! One connection: its handler, and what becomes of the handler's outcome.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::error::{Error, Result};
use crate::scope::{is_cancelled, is_ending};
use crate::serve::connections::{Connections, Open};
use crate::serve::panicked::{HandlerPanicked, OnPanic};
use crate::serve::reports::Reports;
use crate::world::net::closing::{Dropped, Parting};

/// Called with the error of a handler and with where its connection came from.
pub(super) type OnError<'a, A> = Box<dyn Fn(Error, &A) + 'a>;

/// How a server deals with handlers that fail, and with the streams that they leave behind.
pub(super) struct Care<'a, A> {
    pub(super) on_error: Option<OnError<'a, A>>,
    pub(super) reports: Reports,
    pub(super) on_panic: OnPanic,
    /// The streams that handlers have dropped in the present poll.
    pub(super) dropped: Rc<Dropped>,
}

/// What all connections of a server share.
pub(super) struct Serving<'a, A> {
    pub(super) connections: Connections,
    pub(super) care: Care<'a, A>,
    pub(super) place: &'static Location<'static>,
}

impl<A> AsRef<Connections> for Serving<'_, A> {
    fn as_ref(&self) -> &Connections {
        &self.connections
    }
}

pin_project! {
    /// The future of a connection. Written out by hand: there is one for each client, and nested
    /// `async` blocks would store the handler's future twice.
    pub(super) struct Connection<'a, A, C, F, P> {
        #[pin]
        handler: Handler<C, F>,
        peer: A,
        open: Open<'a, Serving<'a, A>>,
        part: P,
    }
}

pin_project! {
    #[project = HandlerProjection]
    enum Handler<C, F> {
        // The call itself is part of the connection, in case it panics.
        Called { call: Option<C> },
        Running { #[pin] future: F },
        Over,
    }
}

impl<'a, A, C, F, P> Connection<'a, A, C, F, P>
where
    C: FnOnce() -> F,
    F: Future<Output = Result<()>>,
    P: Fn(&'a Serving<'a, A>, Parting),
{
    /// Runs the handler that `call` calls. Streams that it drops are passed to `part`.
    pub(super) fn new(call: C, peer: A, serving: &'a Serving<'a, A>, part: P) -> Self {
        let open = Open::new(serving);
        Connection { handler: Handler::Called { call: Some(call) }, peer, open, part }
    }
}

impl<'a, A, C, F, P> Future for Connection<'a, A, C, F, P>
where
    A: std::fmt::Debug,
    C: FnOnce() -> F,
    F: Future<Output = Result<()>>,
    P: Fn(&'a Serving<'a, A>, Parting),
{
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut this = self.project();
        let serving = this.open.server();
        let Serving { care, .. } = serving;
        let outcome = care.dropped.collect(|| {
            let polled = catch_unwind(AssertUnwindSafe(|| this.handler.as_mut().poll(cx)));
            let outcome = match polled {
                Ok(Poll::Pending) => return None,
                Ok(Poll::Ready(outcome)) => Ok(outcome),
                Err(payload) => Err(payload),
            };
            this.handler.set(Handler::Over);
            Some(outcome)
        });
        care.dropped.take().into_iter().for_each(|connection| (this.part)(serving, connection));
        let Some(outcome) = outcome else { return Poll::Pending };
        let error = match outcome {
            Ok(Ok(())) => return Poll::Ready(Ok(())),
            Ok(Err(error)) if is_ending() => match error.absorb_cancelled().rest() {
                Some(rest) => rest,
                None => {
                    if is_cancelled() {
                        this.open.cut_short();
                    }
                    return Poll::Ready(Ok(()));
                }
            },
            Ok(Err(error)) => error,
            Err(payload) if care.on_panic == OnPanic::Resume => resume_unwind(payload),
            Err(payload) => HandlerPanicked::caught(payload).into(),
        };
        match &care.on_error {
            Some(on_error) => on_error(error, this.peer),
            None => care.reports.failed(&error, this.peer),
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
            let call = call.take().expect("a call that has panicked is over");
            self.set(Handler::Running { future: call() });
        }
        match self.project() {
            HandlerProjection::Running { future } => future.poll(cx),
            _ => unreachable!("a handler that is over is not polled again"),
        }
    }
}
