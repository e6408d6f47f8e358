//! What is known about a source, and the operations that wait for news of it.

use std::cell::Cell;
use std::task::{Context, Waker};

use crate::operation::handed::Anybody;
use crate::operation::skeleton::{Look, Registered};
use crate::operation::waiters::{Given, Kept, Outcome, Ticket, Waiters};
use crate::schedule::ids::RunId;
use crate::schedule::wake::KeptWaker;
use crate::scope::watch::Watch;
use crate::world::reactor::news::News;

/// What is known about a source, and the operations that wait for news of it.
pub(crate) struct Readiness {
    pub(crate) place: Place,
    /// Whether this is a listener, for which it is normal that nothing comes.
    pub(crate) is_listener: Cell<bool>,
    read: Direction,
    write: Direction,
    /// For such operations that wait with a waker which is not their unit's own. For all others the
    /// tree of scopes finds the unit.
    watches: [Cell<Option<Box<Watch>>>; 2],
    /// What the kernel has reported about the other end, which is never reversed.
    input_ended: Cell<bool>,
    hung_up: Cell<bool>,
    waiters: Waiters<Side>,
}

/// The place where a source is registered.
pub(crate) struct Place {
    /// The run whose reactor the source is registered with, if any.
    pub(crate) run: Cell<RunId>,
    pub(crate) key: Cell<Key>,
}

/// A source's number in a reactor.
pub(crate) type Key = u32;

/// One direction of a source.
pub(crate) struct Direction {
    ready: Cell<bool>,
    /// There is more to come than one short read or write shows: the end, an error, or something
    /// after urgent data.
    lasting: Cell<bool>,
    /// For foreign traits, whose `poll` functions have no state of their own: whether the present
    /// operation in this direction has been paid for, because its task had budget left or has let
    /// others run.
    pub(crate) paid: Cell<bool>,
}

/// The direction of an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Read,
    Write,
}

/// Many may wait for the same news.
impl Given for Side {
    const NOTHING: Side = Side::Read;
    type Taker = Anybody;
}

/// Until which event a direction counts as ready.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Until an operation gets less than it asked for.
    Short,
    /// Until an operation would block, because a short one does not tell.
    Blocked,
}

impl Until {
    fn blocked_if(lasts: bool) -> Until {
        if lasts { Until::Blocked } else { Until::Short }
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Readiness {
            place: Place { run: Cell::new(RunId::NONE), key: Cell::new(0) },
            is_listener: Cell::new(false),
            read: Direction::default(),
            write: Direction::default(),
            watches: [const { Cell::new(None) }; 2],
            input_ended: Cell::new(false),
            hung_up: Cell::new(false),
            waiters: Waiters::new(),
        }
    }
}

impl Default for Direction {
    fn default() -> Self {
        // A new source is worth a try, because the kernel reports only changes.
        Direction { ready: Cell::new(true), lasting: Cell::new(false), paid: Cell::new(false) }
    }
}

impl Direction {
    /// Whether an operation is worth a try.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.get()
    }

    /// To be called when an operation would have blocked. Operations then wait for the kernel to
    /// report otherwise.
    #[inline]
    pub(crate) fn clear_ready(&self) {
        self.ready.set(false);
        self.lasting.set(false);
    }

    /// To be called when an operation got less than it asked for, so that the next one would block.
    /// The kernel will report when that changes. This has no effect if the kernel has reported
    /// something that it will not report again.
    #[inline]
    pub(crate) fn exhausted(&self) {
        if !self.lasting.get() {
            self.ready.set(false);
        }
    }

    #[inline]
    fn set_ready(&self, until: Until) {
        self.ready.set(true);
        self.lasting.set(self.lasting.get() || until == Until::Blocked);
    }

    fn reset(&self) {
        self.ready.set(true);
        self.lasting.set(false);
    }
}

impl Readiness {
    #[inline]
    pub(crate) fn direction(&self, side: Side) -> &Direction {
        match side {
            Side::Read => &self.read,
            Side::Write => &self.write,
        }
    }

    #[inline]
    pub(crate) fn watch(&self, side: Side) -> &Cell<Option<Box<Watch>>> {
        &self.watches[side as usize]
    }

    pub(super) fn tell(&self, news: News, woken: &mut Vec<KeptWaker>) {
        // An error or a hang-up will be reported by the next read or write.
        let read = news.readable || news.read_closed || news.error;
        let write = news.writable || news.write_closed || news.error;
        if news.read_closed || news.error {
            self.input_ended.set(true);
            self.hung_up.set(self.hung_up.get() || news.error || news.write_closed);
        }
        if read {
            let lasts = news.read_closed || news.error || news.priority;
            self.read.set_ready(Until::blocked_if(lasts));
        }
        if write {
            self.write.set_ready(Until::blocked_if(news.write_closed || news.error));
        }
        // Operations that were cancelled earlier have already been woken for that.
        self.waiters.serve_those(woken, |side| match side {
            Side::Read => read,
            Side::Write => write,
        });
    }

    /// Whether the other end will send no more: its input has ended, or all of it.
    #[cfg(feature = "hyper")]
    pub(crate) fn has_input_ended(&self) -> bool {
        self.input_ended.get()
    }

    /// Whether the other end has gone: it neither sends nor takes anything any more.
    #[cfg(feature = "hyper")]
    pub(crate) fn has_hung_up(&self) -> bool {
        self.hung_up.get()
    }

    /// Whether anybody waits for news.
    pub(super) fn is_awaited(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// Joins the queue.
    #[inline]
    pub(super) fn join(
        &self,
        mut side: Side,
        cx: &Context<'_>,
        kept: &mut Kept,
    ) -> Registered<Ticket> {
        self.waiters.bring(&mut side, cx, kept)
    }

    /// Finds out what has become of a waiting operation. If there was news, it tries again.
    pub(super) fn look(&self, ticket: Ticket, cx: &Context<'_>) -> Look<()> {
        match self.waiters.look(ticket, cx) {
            Outcome::Handed(_) => Look::Tries,
            outcome => outcome.look(|_| ()),
        }
    }

    /// Gives up a place in the queue.
    pub(super) fn leave(&self, ticket: Ticket) {
        drop(self.waiters.leave(ticket)); // foreign code
    }

    /// Waits without a place in the queue, for `poll` functions of foreign traits.
    pub(crate) fn leave_waker(&self, side: Side, waker: &Waker) {
        self.waiters.leave_waker(side, waker);
    }

    /// Forgets what was known, and what was waiting. To be called when the source moves to another
    /// reactor.
    pub(super) fn reset(&self) {
        self.read.reset();
        self.write.reset();
        self.input_ended.set(false);
        self.hung_up.set(false);
        drop(self.waiters.forget_all()); // foreign code
    }
}
