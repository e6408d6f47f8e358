//! Polling hyper's connection to its end.
//!
//! hyper drops whatever it runs when a read or a write fails. So its stream does not fail while it
//! is driven here (see [`State`]). Instead, it is noticed here if a scope is cancelled, or if the
//! client has gone or sends no more, and the handlers get a [`Cancelled`](crate::Cancelled) at
//! their `await`. hyper is kept until they have cleaned up, because their answers may still get
//! through. One place decides when a connection is over: the [steps](super::steps).

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::error::{Error, Result};
use crate::scope::current::in_scope;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::tree::{Entered, Patience};
use crate::scope::watch::Watch;
use crate::serve::hyper::connection::pace::Pace;
use crate::serve::hyper::connection::state::State;
use crate::serve::hyper::connection::steps::{End, Next, Sight, Steps};
use crate::serve::hyper::limits::Limits;
use crate::serve::hyper::request::failures::Failures;

pin_project! {
    /// A connection that is driven. Written out by hand: there is one for each client, and each
    /// nested `async` block would store the connection twice.
    pub(crate) struct Drive<'a, C, F> {
        // This is dropped while the scope is still open.
        #[pin]
        connection: Option<C>,
        shutdown: Option<F>,
        entered: Option<Entered>,
        scope: ScopeRef,
        state: Rc<State>,
        limits: &'a Limits,
        failures: Option<&'a Failures<'a>>,
        watch: Watch,
        steps: Steps,
    }
}

impl<'a, C, F, E> Drive<'a, C, F>
where
    C: Future<Output = Result<(), E>>,
    F: FnOnce(Pin<&mut C>),
    E: Into<Error>,
{
    pub(crate) fn new(
        connection: C,
        shutdown: F,
        scope: ScopeRef,
        state: Rc<State>,
        limits: &'a Limits,
        pace: Pace,
    ) -> Self {
        scope.set_patience(Patience::Finishes);
        Drive {
            connection: Some(connection),
            shutdown: Some(shutdown),
            entered: None,
            scope,
            state,
            limits,
            failures: None,
            watch: Watch::new(),
            steps: Steps::new(pace),
        }
    }

    /// Reports anything that goes wrong outside a handler as soon as it does, because a connection
    /// may go on for hours.
    pub(crate) fn reporting(mut self, failures: &'a Failures<'a>) -> Self {
        self.failures = Some(failures);
        self
    }
}

impl<C, F, E> Future for Drive<'_, C, F>
where
    C: Future<Output = Result<(), E>>,
    F: FnOnce(Pin<&mut C>),
    E: Into<Error>,
{
    type Output = Result<End>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<End>> {
        let mut this = self.project();
        let entered = match this.entered {
            Some(entered) => {
                entered.touch();
                entered
            }
            None => this.entered.insert(Entered::new(this.scope.clone(), "a connection of hyper")?),
        };
        let state = &*this.state;
        let end = loop {
            let Some(mut connection) = this.connection.as_mut().as_pin_mut() else {
                panic!("a connection was polled after it was ready")
            };
            let polled = in_scope(this.scope, || state.polled(|| connection.as_mut().poll(cx)));
            if let Some(failures) = this.failures {
                failures.report_those_of(state);
            }
            if let Poll::Ready(outcome) = polled {
                break this.steps.end(outcome.map_err(Into::into), state);
            }
            let shut_down = &mut || {
                if let Some(shutdown) = this.shutdown.take() {
                    in_scope(this.scope, || shutdown(connection.as_mut()));
                }
            };
            let sight = &mut Sight { state, scope: this.scope, limits: this.limits, cx, shut_down };
            match this.steps.next(sight) {
                Next::Again => {}
                Next::End(end) => break Ok(end),
                Next::Wait => {
                    state.watch(cx);
                    this.watch.arm(cx);
                    return Poll::Pending;
                }
            }
        };
        this.watch.disarm();
        // Dropping this tells whatever hyper still has that nobody waits for it any more.
        this.connection.set(None);
        state.set_over();
        Poll::Ready(Ok(match entered.leave(end) {
            Ok(Some(end)) => end,
            // The handler, which is part of the connection, was cancelled because of that.
            Ok(None) => End::Departed(state.take_failure()),
            Err(error) => End::Failed(error),
        }))
    }
}
