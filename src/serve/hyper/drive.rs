//! Polling hyper's connection to its end: the one place that decides when it is over.
//!
//! hyper drops whatever it runs when a read or a write fails. So its stream does not fail while
//! this drives it ([`State`]): that a scope is cancelled, that the client has gone or sends no
//! more is seen here instead, and told to the handlers as a [`Cancelled`] at their `await`. hyper
//! is kept until they have cleaned up, as their answer may still get through.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::error::Cancelled;
use crate::scope::current::in_scope;
use crate::scope::timers::alarm::Alarm;
use crate::scope::tree::pool::ScopeRef;
use crate::scope::tree::{Entered, Level};
use crate::scope::watch::Watch;
use crate::serve::hyper::limits::Limits;
use crate::serve::hyper::pace::{Pace, Verdict};
use crate::serve::hyper::request::Failures;
use crate::serve::hyper::state::{Kind, State};
use crate::{Error, Result, now};

/// How long a request may be on its way while its connection is about to be closed. It has to
/// cover a client's turnaround and a trip through the network; nginx has `keepalive_min_timeout`
/// for the same.
const PATIENCE: Duration = Duration::from_millis(100);

/// The same for the first request of a connection: its client has had no answer, and could not
/// know that the server is ending.
pub(super) const FIRST_PATIENCE: Duration = Duration::from_millis(500);

/// How often a handler that has been cancelled may wait for something else than a scope of its
/// own, before it is taken for one that waits for what does not heed that: in between it may have
/// let others run.
pub(super) const STUCK_AFTER: u8 = 8;

pin_project! {
    /// A connection that is driven. Written out by hand: there is one for each client, and each
    /// nested `async` block would hold the connection twice.
    pub(super) struct Drive<'a, C, F> {
        // Dropped while the scope is still open.
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

/// What is set going when. The alarms are for what few connections come to.
#[derive(Default)]
struct Steps {
    /// When a graceful stop is told to hyper.
    stop: Option<Box<Alarm>>,
    /// When a client that has ended its side is taken to have gone.
    half_closed: Option<Box<Alarm>>,
    /// When hyper is given up that was told to end, and has nothing to do.
    unanswered: Option<Box<Alarm>>,
    pace: Pace,
    /// hyper was told to end.
    told: bool,
    /// It was because of this.
    cut: Option<Cancelled>,
    departed: bool,
    rounds: u8,
}

/// How a connection has ended.
pub(super) enum End {
    /// By itself.
    Over,
    /// The client has gone in the middle of something. What it failed with, if that is known.
    Departed(Option<io::Error>),
    /// A scope around it was cancelled.
    Cancelled(Cancelled),
    Failed(Error),
}

impl<'a, C, F, E> Drive<'a, C, F>
where
    C: Future<Output = Result<(), E>>,
    F: FnOnce(Pin<&mut C>),
    E: Into<Error>,
{
    pub(super) fn new(
        connection: C,
        shutdown: F,
        scope: ScopeRef,
        state: Rc<State>,
        limits: &'a Limits,
        pace: Pace,
    ) -> Self {
        scope.set_finishing();
        Drive {
            connection: Some(connection),
            shutdown: Some(shutdown),
            entered: None,
            scope,
            state,
            limits,
            failures: None,
            watch: Watch::new(),
            steps: Steps { pace, ..Steps::default() },
        }
    }

    /// Reports what goes wrong outside of any handler as soon as it does: a connection may go on
    /// for hours.
    pub(super) fn reporting(mut self, failures: &'a Failures<'a>) -> Self {
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
                break match (outcome, this.steps.cut.take().or_else(|| state.stopped())) {
                    (_, Some(why)) if !this.steps.departed => Ok(End::Cancelled(why)),
                    (Ok(()), _) => Ok(End::Over),
                    (Err(_), Some(_)) => Ok(End::Departed(state.take_failure())),
                    (Err(error), None) => match error.into() {
                        // Set up by hand, hyper has a limit of its own for heads, and takes an idle
                        // connection for one that is late with the next.
                        error if is_timeout(&error) && state.is_silent() => Ok(End::Over),
                        error => Err(error),
                    },
                };
            }
            let tell = &mut |steps: &mut Steps| {
                steps.told = true;
                match this.shutdown.take() {
                    Some(shutdown) => {
                        in_scope(this.scope, || shutdown(connection.as_mut()));
                        true // something may be over now
                    }
                    None => false,
                }
            };
            match this.steps.next(state, this.scope, this.limits, cx, tell) {
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
        // What hyper still has learns that nobody waits for it any more.
        this.connection.set(None);
        state.set_over();
        Poll::Ready(Ok(match entered.leave(end) {
            Ok(Some(end)) => end,
            // The handler, which is part of it, was cancelled for that.
            Ok(None) => End::Departed(state.take_failure()),
            Err(error) => End::Failed(error),
        }))
    }
}

fn is_timeout(error: &Error) -> bool {
    error.downcast_ref().is_some_and(hyper::Error::is_timeout)
}

enum Next {
    /// hyper is polled once more.
    Again,
    Wait,
    End(End),
}

impl Steps {
    /// hyper waits for something. What is there to be done about it?
    fn next(
        &mut self,
        state: &Rc<State>,
        scope: &ScopeRef,
        limits: &Limits,
        cx: &mut Context<'_>,
        tell: &mut dyn FnMut(&mut Steps) -> bool,
    ) -> Next {
        if state.look_ahead(cx) {
            return Next::Again;
        }
        // Requests are tasks of their own, which learn of it when hyper is dropped.
        if state.has_departed() && state.kind == Kind::Served {
            return Next::End(End::Departed(state.take_failure()));
        }
        if scope.effective() >= Level::Graceful || self.departed {
            return self.wind_up(state, scope, cx, tell);
        }
        let over = |alarm: &mut Option<Box<Alarm>>, after: Duration, cx: &mut Context<'_>| {
            let alarm = alarm.get_or_insert_with(|| Box::new(Alarm::new(now() + after)));
            Pin::new(&mut **alarm).poll(cx).is_ready()
        };
        if state.has_departed() {
            if !self.told && tell(self) {
                return Next::Again; // it may have had nothing to do any more
            }
            return self.depart(state, scope);
        }
        if state.has_input_ended() && (state.under_way() > 0 || state.kind == Kind::ByHand) {
            // By hand nothing else tells whether there is a request under way.
            let unsure = state.has_met_end() && state.keeps_end_back();
            if unsure && !self.told && tell(self) {
                return Next::Again;
            }
            if over(&mut self.half_closed, limits.half_closed, cx) {
                return match state.kind {
                    Kind::Served => Next::End(End::Departed(None)),
                    Kind::ByHand => self.depart(state, scope),
                };
            }
        }
        let patience = if state.has_had_request() { PATIENCE } else { FIRST_PATIENCE };
        if scope.is_ending() && !self.told && over(&mut self.stop, patience, cx) && tell(self) {
            return Next::Again;
        }
        let mut idle = false;
        match self.pace.look(state, limits, cx) {
            Verdict::InTime => {}
            Verdict::Idle => {
                if !self.told && tell(self) {
                    return Next::Again;
                }
                idle = true;
            }
            Verdict::Late(late) => {
                state.note_failure(io::Error::new(io::ErrorKind::TimedOut, late));
                return match state.kind {
                    Kind::Served => Next::End(End::Departed(state.take_failure())),
                    Kind::ByHand => self.depart(state, scope),
                };
            }
        }
        // In HTTP/2 hyper waits for the client to acknowledge that, and it may be no more.
        if self.told && (idle || state.is_http2_idle()) {
            if over(&mut self.unanswered, PATIENCE, cx) {
                return Next::End(End::Over);
            }
        } else {
            self.unanswered = None;
        }
        Next::Wait
    }

    /// The client has gone: what runs for it is cancelled.
    fn depart(&mut self, state: &Rc<State>, scope: &ScopeRef) -> Next {
        self.departed = true;
        state.cancel(scope);
        state.cancel_streams();
        Next::Again
    }

    /// Whether what waits is polled once more before it is given up.
    fn has_another_round(&mut self, cx: &Context<'_>) -> bool {
        let has_one = self.rounds < STUCK_AFTER;
        if has_one {
            self.rounds += 1;
            cx.waker().wake_by_ref();
        }
        has_one
    }

    /// What is under way has been cancelled, and cleans up.
    fn wind_up(
        &mut self,
        state: &Rc<State>,
        scope: &ScopeRef,
        cx: &mut Context<'_>,
        tell: &mut dyn FnMut(&mut Steps) -> bool,
    ) -> Next {
        if !self.departed && self.cut.is_none() {
            self.cut = scope.cause();
        }
        state.wind_up();
        if !self.told && tell(self) {
            return Next::Again;
        }
        if state.under_way() > 0 {
            if state.is_stuck()
                && state.stopped().is_none()
                && let Some(why) = scope.cause()
            {
                state.stop(why); // a body that somebody waits for fails now
                return Next::Again;
            }
            if !state.has_only_answers() {
                self.rounds = 0;
                return Next::Wait;
            }
            // Nobody makes them any more. What hyper does not get rid of now waits for a client that
            // does not read, or for a body that knows of no cancellation.
            if self.has_another_round(cx) {
                return Next::Wait;
            }
        }
        // In HTTP/1 by hand the handler is a part of hyper's future, and cleans up in a scope.
        if state.kind == Kind::ByHand && !state.is_http2() {
            if !scope.is_innermost() {
                self.rounds = 0;
                return Next::Wait;
            }
            if self.has_another_round(cx) {
                return Next::Wait;
            }
            if state.stopped().is_none()
                && let Some(why) = scope.cause()
            {
                state.stop(why);
                self.rounds = 0;
                return Next::Again;
            }
        }
        Next::End(match scope.cause() {
            Some(why) if !self.departed => End::Cancelled(why),
            _ => End::Departed(state.take_failure()),
        })
    }
}
