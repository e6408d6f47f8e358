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

/// What a server shares with everything that it spawns for its connections.
pub(super) struct Serving<'a, A> {
    pub(super) connections: Connections,
    pub(super) care: Care<'a, A>,
    pub(super) place: &'static Location<'static>,
}

/// What all connections of a server share.
pub(super) struct Shared<'a, A, P> {
    pub(super) serving: &'a Serving<'a, A>,
    /// Called with the streams that handlers leave behind.
    pub(super) part: P,
}

impl<A> AsRef<Connections> for Serving<'_, A> {
    fn as_ref(&self) -> &Connections {
        &self.connections
    }
}

impl<A, P> AsRef<Connections> for Shared<'_, A, P> {
    fn as_ref(&self) -> &Connections {
        &self.serving.connections
    }
}

pin_project! {
    /// The future of a connection. Written out by hand: there is one for each client, and nested
    /// `async` blocks would store the handler's future twice.
    pub(super) struct Connection<'a, A, C, F, P> {
        #[pin]
        handler: Handler<A, C, F>,
        open: Open<Rc<Shared<'a, A, P>>>,
    }
}

pin_project! {
    /// The address is in here, because the states of most kinds of addresses leave room for those
    /// of the handler.
    #[project = HandlerProjection]
    #[project_replace = FormerHandler]
    enum Handler<A, C, F> {
        // The call itself is part of the connection, in case it panics.
        Called { call: Option<C>, peer: A },
        Running { #[pin] future: F, peer: A },
        Over,
    }
}

impl<'a, A, C, F, P> Connection<'a, A, C, F, P>
where
    A: Clone,
    C: FnOnce(A) -> F,
    F: Future<Output = Result<()>>,
{
    /// Runs the handler that `call` calls.
    pub(super) fn new(call: C, peer: A, shared: Rc<Shared<'a, A, P>>) -> Self {
        let handler = Handler::Called { call: Some(call), peer };
        Connection { handler, open: Open::new(shared) }
    }
}

impl<A, C, F, P> Future for Connection<'_, A, C, F, P>
where
    A: Clone + std::fmt::Debug,
    C: FnOnce(A) -> F,
    F: Future<Output = Result<()>>,
    P: Fn(Parting),
{
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut this = self.project();
        let Shared { serving: Serving { care, .. }, part } = &**this.open.server();
        let ended = care.dropped.collect(|| {
            let polled = catch_unwind(AssertUnwindSafe(|| this.handler.as_mut().poll(cx)));
            let outcome = match polled {
                Ok(Poll::Pending) => return None,
                Ok(Poll::Ready(outcome)) => Ok(outcome),
                Err(payload) => Err(payload),
            };
            Some((outcome, this.handler.end()))
        });
        if !care.dropped.is_empty() {
            care.dropped.take().into_iter().for_each(part);
        }
        let Some((outcome, peer)) = ended else { return Poll::Pending };
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
            Some(on_error) => on_error(error, &peer),
            None => care.reports.failed(&error, &peer),
        }
        Poll::Ready(Ok(()))
    }
}

impl<A, C, F> Handler<A, C, F>
where
    A: Clone,
    C: FnOnce(A) -> F,
    F: Future<Output = Result<()>>,
{
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let HandlerProjection::Called { call, peer } = self.as_mut().project() {
            let call = call.take().expect("a call that has panicked is over");
            let future = call(peer.clone());
            let peer = self.as_mut().end();
            self.set(Handler::Running { future, peer });
        }
        match self.project() {
            HandlerProjection::Running { future, .. } => future.poll(cx),
            _ => unreachable!("a handler that is over is not polled again"),
        }
    }

    /// Drops what is left of the handler, and returns where its connection came from.
    fn end(self: Pin<&mut Self>) -> A {
        match self.project_replace(Handler::Over) {
            FormerHandler::Called { peer, .. } | FormerHandler::Running { peer, .. } => peer,
            FormerHandler::Over => unreachable!("it is over once"),
        }
    }
}
