//! Whether a client does its part in time.
//!
//! It is looked at when hyper has nothing left to do: then it is the client that is waited for, or a
//! handler, and [`State`] tells which. One alarm serves for all limits; it is not put off with
//! every byte, but looks again when it goes off.

use std::fmt;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};

use crate::now;
use crate::scope::timers::alarm::Alarm;
use crate::serve::hyper::limits::Limits;
use crate::serve::hyper::state::State;

/// How the client of one connection keeps up.
#[derive(Default)]
pub(super) struct Pace {
    /// What it is waited for without having to do anything else, and until when.
    quiet: Option<(Quiet, Instant)>,
    /// How many requests there had been then.
    requests: u64,
    /// How many bytes had been read when a request was under way last.
    read: u64,
    /// What is to come in, and go out, at a minimal rate.
    input: Option<Box<Flow>>,
    output: Option<Box<Flow>>,
    alarm: Option<Alarm>,
}

/// What there is when nothing is under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Quiet {
    Idle,
    /// A request has begun to arrive, or what has to come before one.
    Head,
}

/// What is waited for.
#[derive(Clone, Copy)]
pub(super) struct Awaited {
    pub(super) quiet: Option<Quiet>,
    /// Where the client may have more to send: whether it is waited for that, and not for a handler
    /// that does not take it, and the bytes so far.
    pub(super) input: Option<(bool, u64)>,
    /// Bytes so far, where it has more to take.
    pub(super) output: Option<u64>,
}

pub(super) enum Verdict {
    InTime,
    /// It has nothing to ask.
    Idle,
    Late(Late),
}

/// What a client has taken too long for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Late {
    Head,
    Body,
    Answer,
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Late::Head => "the client has taken too long to send the head of a request",
            Late::Body => "the client sends the body of a request too slowly",
            Late::Answer => "the client takes its answer too slowly",
        })
    }
}

impl std::error::Error for Late {}

impl Pace {
    /// Of a client whose first byte has come at this time.
    pub(super) fn begun_at(time: Instant, limits: &Limits) -> Pace {
        Pace { quiet: Some((Quiet::Head, time + limits.head)), ..Pace::default() }
    }

    /// Looks whether the client is in time, and makes sure that it is looked again when it is not
    /// any more.
    pub(super) fn look(&mut self, state: &State, limits: &Limits, cx: &mut Context<'_>) -> Verdict {
        if state.requests() != self.requests {
            self.requests = state.requests();
            (self.quiet, self.input) = (None, None);
        }
        let Awaited { quiet, input, output } = state.awaited(self.read);
        if quiet.is_none() {
            self.read = state.read();
        }
        if quiet.is_none() && output.is_none() && input.is_none_or(|(waits, _)| !waits) {
            (self.quiet, self.output) = (None, None);
            if self.input.as_ref().is_some_and(|flow| flow.waits_since.is_some()) {
                Flow::look(&mut self.input, input, limits, now());
            }
            return Verdict::InTime;
        }
        let now = now();
        self.quiet = quiet.map(|quiet| match self.quiet {
            Some((before, until)) if before == quiet => (quiet, until),
            _ => (quiet, now + limit(quiet, limits)),
        });
        let quiet = self.quiet.map(|(_, until)| until);
        let input = Flow::look(&mut self.input, input, limits, now);
        let output = output.map(|bytes| (true, bytes));
        let output = Flow::look(&mut self.output, output, limits, now);
        let late = |until: Option<Instant>| until.is_some_and(|until| until <= now);
        if late(input) {
            return Verdict::Late(Late::Body);
        }
        if late(output) {
            return Verdict::Late(Late::Answer);
        }
        if late(quiet) {
            return match self.quiet {
                Some((Quiet::Idle, _)) => Verdict::Idle,
                _ => Verdict::Late(Late::Head),
            };
        }
        let next = [quiet, input, output].into_iter().flatten().min();
        if let Some(next) = next {
            self.wake_at(next, cx);
        }
        Verdict::InTime
    }

    fn wake_at(&mut self, time: Instant, cx: &mut Context<'_>) {
        let alarm = match &mut self.alarm {
            Some(alarm) if alarm.deadline() <= time => alarm,
            alarm => alarm.insert(Alarm::new(time)),
        };
        if Pin::new(alarm).poll(cx).is_ready() {
            // It was set for something that was over sooner.
            let alarm = self.alarm.insert(Alarm::new(time));
            if Pin::new(alarm).poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
    }
}

fn limit(quiet: Quiet, limits: &Limits) -> Duration {
    match quiet {
        Quiet::Idle => limits.idle,
        Quiet::Head => limits.head,
    }
}

/// Bytes that have to come, or go, at a minimal rate. It is a store of time: it holds the grace at
/// first, each byte adds to it, and waiting takes from it. It holds no more than a connection may be
/// idle, so that nobody who was fast at first may be slow for ever.
struct Flow {
    left: Duration,
    /// Since when it has been waited for more.
    waits_since: Option<Instant>,
    bytes: u64,
}

impl Flow {
    /// Until when more has to pass, if it is waited for that.
    fn look(
        flow: &mut Option<Box<Flow>>,
        awaited: Option<(bool, u64)>,
        limits: &Limits,
        now: Instant,
    ) -> Option<Instant> {
        let Some((waits, bytes)) = awaited.filter(|_| limits.rate > 0) else {
            *flow = None;
            return None;
        };
        let flow = flow.get_or_insert_with(|| {
            Box::new(Flow { left: limits.rate_grace, waits_since: None, bytes })
        });
        let passed = bytes.saturating_sub(flow.bytes).saturating_mul(1_000_000_000);
        let worth = Duration::from_nanos(passed / u64::from(limits.rate));
        (flow.left, flow.bytes) = (flow.left.saturating_add(worth), bytes);
        if let Some(since) = flow.waits_since {
            flow.left = flow.left.saturating_sub(now.saturating_duration_since(since));
        }
        flow.left = flow.left.min(limits.idle.max(limits.rate_grace));
        flow.waits_since = waits.then_some(now);
        waits.then(|| now + flow.left)
    }
}
