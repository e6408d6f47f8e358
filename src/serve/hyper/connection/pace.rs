//! Whether a client does its part in time.
//!
//! This is checked when hyper has nothing left to do: then either the client or a handler is
//! awaited, and [`State`] tells which. One alarm serves for all limits. It is not postponed with
//! every byte; when it goes off, the pace is checked again.

use std::fmt;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};

use crate::operation::time::now;
use crate::scope::timers::alarm::Alarm;
use crate::serve::hyper::connection::state::State;
use crate::serve::hyper::connection::state::traffic::{Awaited, Lull, Turn};
use crate::serve::hyper::limits::Limits;

/// How the client of one connection keeps up.
#[derive(Default)]
pub(crate) struct Pace {
    /// The lull that the client has to end, and by when.
    lull: Option<(Lull, Instant)>,
    /// How many requests there had been at the last look.
    requests: u64,
    /// How many bytes had been read when a request was last under way.
    read: u64,
    /// The bytes that have to come in, and go out, at a minimal rate.
    input: Option<Box<Flow>>,
    output: Option<Box<Flow>>,
    alarm: Option<Alarm>,
}

pub(super) enum Verdict {
    InTime,
    /// The client has asked for nothing for too long.
    Idle,
    Late(Late),
}

/// The thing that a client has taken too long over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Late {
    Head,
    Body,
    Answer,
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Late::Head => "the client took too long to send the head of a request",
            Late::Body => "the client is sending the body of a request too slowly",
            Late::Answer => "the client is reading its answer too slowly",
        })
    }
}

impl std::error::Error for Late {}

impl Pace {
    /// The pace of a client whose first byte came at this time.
    pub(super) fn begun_at(time: Instant, limits: &Limits) -> Pace {
        Pace { lull: Some((Lull::Head, time + limits.of_lull(Lull::Head))), ..Pace::default() }
    }

    /// Checks whether the client is in time, and makes sure that there is another check when it no
    /// longer is.
    pub(super) fn look(&mut self, state: &State, limits: &Limits, cx: &mut Context<'_>) -> Verdict {
        let awaited = self.awaited(state);
        if !awaited.is_clients_turn() {
            self.pause(awaited, limits);
            return Verdict::InTime;
        }
        let now = now();
        let Awaited { lull, input, output } = awaited;
        let lull = self.look_at_lull(lull, limits, now);
        let input = Flow::look(&mut self.input, input, limits, now);
        let output = output.map(|bytes| (Turn::Client, bytes));
        let output = Flow::look(&mut self.output, output, limits, now);
        let late = |until: Option<Instant>| until.is_some_and(|until| until <= now);
        if late(input) {
            return Verdict::Late(Late::Body);
        }
        if late(output) {
            return Verdict::Late(Late::Answer);
        }
        if late(lull) {
            return match self.lull {
                Some((Lull::Idle, _)) => Verdict::Idle,
                _ => Verdict::Late(Late::Head),
            };
        }
        if let Some(next) = [lull, input, output].into_iter().flatten().min() {
            self.wake_at(next, cx);
        }
        Verdict::InTime
    }

    /// What is awaited. If there is a new request, its bytes count from the beginning.
    fn awaited(&mut self, state: &State) -> Awaited {
        if state.counts.requests() != self.requests {
            self.requests = state.counts.requests();
            (self.lull, self.input) = (None, None);
        }
        let awaited = state.awaited(self.read);
        if awaited.lull.is_none() {
            self.read = state.traffic.bytes_read();
        }
        awaited
    }

    /// To be called when the client has nothing to do: from now on its account stands still.
    fn pause(&mut self, awaited: Awaited, limits: &Limits) {
        (self.lull, self.output) = (None, None);
        if self.input.as_ref().is_some_and(|flow| flow.waits_since.is_some()) {
            Flow::look(&mut self.input, awaited.input, limits, now());
        }
    }

    /// By when the client has to end the lull, if there is one.
    fn look_at_lull(
        &mut self,
        lull: Option<Lull>,
        limits: &Limits,
        now: Instant,
    ) -> Option<Instant> {
        self.lull = lull.map(|lull| match self.lull {
            Some((before, until)) if before == lull => (lull, until),
            _ => (lull, now + limits.of_lull(lull)),
        });
        self.lull.map(|(_, until)| until)
    }

    fn wake_at(&mut self, time: Instant, cx: &mut Context<'_>) {
        let alarm = match &mut self.alarm {
            Some(alarm) if alarm.deadline() <= time => alarm,
            alarm => alarm.insert(Alarm::new(time)),
        };
        if Pin::new(alarm).poll(cx).is_ready() {
            // It was set for something that has ended earlier.
            let alarm = self.alarm.insert(Alarm::new(time));
            if Pin::new(alarm).poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
    }
}

/// Bytes that have to come, or go, at a minimal rate. A client has an account of time: it begins
/// with the grace, each byte adds to it, and waiting for the client takes from it. It never grows
/// beyond the time that a connection may be idle, so a client that was fast at first cannot be slow
/// for ever.
struct Flow {
    left: Duration,
    /// Since when the client has been awaited.
    waits_since: Option<Instant>,
    bytes: u64,
}

impl Flow {
    /// By when more has to pass, if it is the client's turn.
    fn look(
        flow: &mut Option<Box<Flow>>,
        awaited: Option<(Turn, u64)>,
        limits: &Limits,
        now: Instant,
    ) -> Option<Instant> {
        let Some((turn, bytes)) = awaited.filter(|_| limits.has_rate()) else {
            *flow = None;
            return None;
        };
        let flow = flow.get_or_insert_with(|| {
            Box::new(Flow { left: limits.rate_grace, waits_since: None, bytes })
        });
        let worth = limits.worth(bytes.saturating_sub(flow.bytes));
        (flow.left, flow.bytes) = (flow.left.saturating_add(worth), bytes);
        if let Some(since) = flow.waits_since {
            flow.left = flow.left.saturating_sub(now.saturating_duration_since(since));
        }
        flow.left = flow.left.min(limits.most_saved());
        flow.waits_since = (turn == Turn::Client).then_some(now);
        flow.waits_since.map(|since| since + flow.left)
    }
}
