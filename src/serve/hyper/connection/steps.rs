//! What happens to a connection when hyper has nothing to do, and when it is over.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use crate::error::{Cancelled, Error, Result};
use crate::operation::time::now;
use crate::scope::timers::alarm::Alarm;
use crate::scope::tree::Level;
use crate::scope::tree::pool::ScopeRef;
use crate::serve::hyper::connection::giving_up::{Round, Rounds};
use crate::serve::hyper::connection::pace::{Pace, Verdict};
use crate::serve::hyper::connection::state::State;
use crate::serve::hyper::connection::state::client::Found;
use crate::serve::hyper::connection::state::kind::Kind;
use crate::serve::hyper::limits::{FIRST_PATIENCE, Limits, PATIENCE};

/// The steps that have been taken, and when. The alarms are boxed because few connections need
/// them.
#[derive(Default)]
pub(super) struct Steps {
    /// When hyper is told of a graceful stop.
    stop: Option<Box<Alarm>>,
    /// When a client that has ended its side is assumed to have gone.
    half_closed: Option<Box<Alarm>>,
    /// When hyper is given up after it was told to end and had nothing left to do.
    unanswered: Option<Box<Alarm>>,
    pace: Pace,
    /// Whether hyper was told to end.
    told: bool,
    /// The cancellation because of which it was told to end.
    cut: Option<Cancelled>,
    departed: bool,
    rounds: Rounds,
}

/// What the steps can see and use.
pub(super) struct Sight<'a, 'cx> {
    pub(super) state: &'a Rc<State>,
    pub(super) scope: &'a ScopeRef,
    pub(super) limits: &'a Limits,
    pub(super) cx: &'a mut Context<'cx>,
    /// Tells hyper to end the connection.
    pub(super) shut_down: &'a mut dyn FnMut(),
}

/// How a connection has ended.
pub(crate) enum End {
    /// By itself.
    Over,
    /// The client has gone in the middle of something. The error is the stream's, if it is known.
    Departed(Option<io::Error>),
    /// A scope around it was cancelled.
    Cancelled(Cancelled),
    Failed(Error),
}

/// What to do next about a connection.
pub(super) enum Next {
    /// hyper is polled once more.
    Again,
    Wait,
    End(End),
}

impl Steps {
    pub(super) fn new(pace: Pace) -> Steps {
        Steps { pace, ..Steps::default() }
    }

    /// Works out how the connection has ended, given that hyper has finished with this outcome.
    pub(super) fn end(&mut self, outcome: Result<()>, state: &State) -> Result<End> {
        match (outcome, self.cut.take().or_else(|| state.stopped())) {
            (_, Some(why)) if !self.departed => Ok(End::Cancelled(why)),
            (Ok(()), _) => Ok(End::Over),
            (Err(_), Some(_)) => Ok(End::Departed(state.take_failure())),
            // If hyper was set up by hand, it has a limit of its own for heads, and mistakes an
            // idle connection for one that is late with its next request.
            (Err(error), None) if is_timeout(&error) && state.traffic.is_silent() => Ok(End::Over),
            (Err(error), None) => Err(error),
        }
    }

    /// To be called when hyper is waiting for something. Decides what to do about it.
    pub(super) fn next(&mut self, sight: &mut Sight<'_, '_>) -> Next {
        let &mut Sight { state, scope, .. } = sight;
        if state.look_ahead(sight.cx) == Found::Something {
            return Next::Again;
        }
        // Requests are tasks of their own, which learn of this when hyper is dropped.
        if state.client.has_departed() && state.kind == Kind::Served {
            return Next::End(End::Departed(state.take_failure()));
        }
        if scope.effective() >= Level::Graceful || self.departed {
            return self.wind_up(sight);
        }
        if state.client.has_departed() {
            // hyper may have had nothing left to do.
            return self.tell(sight).unwrap_or_else(|| self.depart(sight));
        }
        self.end_half_closed(sight)
            .or_else(|| self.stop_gracefully(sight))
            .unwrap_or_else(|| self.keep_pace(sight))
    }

    /// Tells hyper to end, once. Afterwards it may have nothing left to do.
    fn tell(&mut self, sight: &mut Sight<'_, '_>) -> Option<Next> {
        if self.told {
            return None;
        }
        self.told = true;
        (sight.shut_down)();
        Some(Next::Again)
    }

    /// Deals with a client that has ended its side. It may still be reading, but not for ever.
    fn end_half_closed(&mut self, sight: &mut Sight<'_, '_>) -> Option<Next> {
        let &mut Sight { state, limits, .. } = sight;
        let by_hand = state.kind == Kind::ByHand;
        if !state.client.has_input_ended() || state.counts.is_idle() && !by_hand {
            return None;
        }
        // If hyper was set up by hand, nothing else tells whether a request is under way.
        if state.client.has_met_end()
            && state.keeps_end_back()
            && let Some(next) = self.tell(sight)
        {
            return Some(next);
        }
        is_over(&mut self.half_closed, limits.half_closed, sight.cx).then(|| match state.kind {
            Kind::Served => Next::End(End::Departed(None)),
            Kind::ByHand => self.depart(sight),
        })
    }

    /// Deals with a server that is stopping: after some patience, hyper is told.
    fn stop_gracefully(&mut self, sight: &mut Sight<'_, '_>) -> Option<Next> {
        let patience = match sight.state.has_had_request() {
            true => PATIENCE,
            false => FIRST_PATIENCE,
        };
        if sight.scope.is_ending() && !self.told && is_over(&mut self.stop, patience, sight.cx) {
            return self.tell(sight);
        }
        None
    }

    /// Checks whether the client is too slow, or has been silent for too long.
    fn keep_pace(&mut self, sight: &mut Sight<'_, '_>) -> Next {
        let &mut Sight { state, limits, .. } = sight;
        let verdict = self.pace.look(state, limits, sight.cx);
        match verdict {
            Verdict::InTime => {}
            Verdict::Idle => {
                if let Some(next) = self.tell(sight) {
                    return next;
                }
            }
            Verdict::Late(late) => {
                state.client.fail(io::Error::new(io::ErrorKind::TimedOut, late));
                return match state.kind {
                    Kind::Served => Next::End(End::Departed(state.take_failure())),
                    Kind::ByHand => self.depart(sight),
                };
            }
        }
        // In HTTP/2 hyper waits for the client to acknowledge that, and the client may be gone.
        if self.told && (matches!(verdict, Verdict::Idle) || state.is_http2_idle()) {
            if is_over(&mut self.unanswered, PATIENCE, sight.cx) {
                return Next::End(End::Over);
            }
        } else {
            self.unanswered = None;
        }
        Next::Wait
    }

    /// Deals with a client that has gone: whatever runs for it is cancelled.
    fn depart(&mut self, sight: &Sight<'_, '_>) -> Next {
        self.departed = true;
        sight.state.cancel(sight.scope);
        sight.state.cancel_streams();
        Next::Again
    }

    /// Waits for everything under way, which has been cancelled and is cleaning up.
    fn wind_up(&mut self, sight: &mut Sight<'_, '_>) -> Next {
        let &mut Sight { state, scope, .. } = sight;
        if !self.departed && self.cut.is_none() {
            self.cut = scope.cause();
        }
        state.wind_up();
        if let Some(next) = self.tell(sight) {
            return next;
        }
        if let Some(next) = self.wait_for_tasks(sight) {
            return next;
        }
        if state.kind == Kind::ByHand
            && !state.traffic.is_http2()
            && let Some(next) = self.wait_for_handler(sight)
        {
            return next;
        }
        Next::End(match scope.cause() {
            Some(why) if !self.departed => End::Cancelled(why),
            _ => End::Departed(state.take_failure()),
        })
    }

    /// Waits for everything under way, until only hyper still works on it.
    fn wait_for_tasks(&mut self, sight: &Sight<'_, '_>) -> Option<Next> {
        let Sight { state, .. } = sight;
        if state.counts.is_idle() {
            return None;
        }
        if state.is_stuck()
            && let Some(next) = stop_stream(sight)
        {
            return Some(next); // a body that somebody is waiting for fails now
        }
        if !state.counts.has_only_answers() {
            self.rounds.start_over();
            return Some(Next::Wait);
        }
        // Nobody makes the answers any more. Anything that hyper does not get rid of now waits for
        // a client that does not read, or for a body that knows nothing about cancellation.
        (self.rounds.another(sight.cx) == Round::Another).then_some(Next::Wait)
    }

    /// In HTTP/1 set up by hand, the handler is part of hyper's future, and cleans up in a scope.
    fn wait_for_handler(&mut self, sight: &Sight<'_, '_>) -> Option<Next> {
        if !sight.scope.is_innermost() {
            self.rounds.start_over();
            return Some(Next::Wait);
        }
        if self.rounds.another(sight.cx) == Round::Another {
            return Some(Next::Wait);
        }
        let next = stop_stream(sight)?;
        self.rounds.start_over();
        Some(next)
    }
}

/// Makes the operations of the stream fail from now on, unless they already do.
fn stop_stream(sight: &Sight<'_, '_>) -> Option<Next> {
    if sight.state.stopped().is_some() {
        return None;
    }
    sight.state.stop(sight.scope.cause()?);
    Some(Next::Again)
}

/// Whether this much time has passed since this was first called.
fn is_over(alarm: &mut Option<Box<Alarm>>, after: Duration, cx: &mut Context<'_>) -> bool {
    let alarm = alarm.get_or_insert_with(|| Box::new(Alarm::new(now() + after)));
    Pin::new(&mut **alarm).poll(cx).is_ready()
}

fn is_timeout(error: &Error) -> bool {
    error.downcast_ref().is_some_and(hyper::Error::is_timeout)
}
