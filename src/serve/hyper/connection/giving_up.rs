//! Something that is cancelled but keeps waiting is polled a few more times before it is given up.

use std::task::Context;

use crate::scope::tree::pool::ScopeRef;
use crate::serve::hyper::connection::state::UnderWay;

/// How often something that has been cancelled may wait for anything other than a scope of its own
/// before it is assumed to be waiting for something that does not respond to cancellation. Some of
/// the time it may merely have let others run.
const MOST: u8 = 8;

/// How many rounds something cancelled has had.
#[derive(Default)]
pub(crate) struct Rounds(u8);

/// Whether something cancelled is polled once more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    /// Yes: its task has been woken.
    Another,
    /// No: it has had enough rounds.
    NoMore,
}

impl Rounds {
    pub(crate) fn start_over(&mut self) {
        self.0 = 0;
    }

    /// Has the task polled once more, unless that was done often enough.
    pub(crate) fn another(&mut self, cx: &Context<'_>) -> Round {
        if self.0 == MOST {
            return Round::NoMore;
        }
        self.0 += 1;
        cx.waker().wake_by_ref();
        Round::Another
    }

    /// To be called when whatever runs in this scope, a job or something that hyper has spawned, is
    /// waiting. If it has been cancelled and has no scope of its own open, then it waits for
    /// something that does not respond to cancellation: the rest of a request, for example.
    pub(crate) fn waits(&mut self, scope: &ScopeRef, under_way: &UnderWay, cx: &Context<'_>) {
        if !scope.is_cancelled() || !scope.is_innermost() {
            self.start_over();
        } else if self.another(cx) == Round::NoMore {
            under_way.state().set_stuck();
        }
    }
}
