//! What is known of a source, and who waits for news of it.

use std::cell::Cell;
use std::task::{Context, Waker};

use crate::operation::handed::Anybody;
use crate::operation::skeleton::{Look, Registered};
use crate::operation::waiters::{Given, Kept, Outcome, Ticket, Waiters};
use crate::schedule::ids::RunId;
use crate::schedule::wake::KeptWaker;
use crate::scope::watch::Watch;
use crate::world::reactor::news::News;

/// What is known of a source, and who waits for news of it.
pub(crate) struct Readiness {
    pub(crate) place: Place,
    /// Whether it is no news that none comes.
    pub(crate) is_listener: Cell<bool>,
    read: Direction,
    write: Direction,
    /// Of such an operation that waits with a waker which is not its unit's own. For the others
    /// the tree of scopes finds the unit.
    watches: [Cell<Option<Box<Watch>>>; 2],
    /// What the kernel has said of the other end, which nothing takes back.
    input_ended: Cell<bool>,
    hung_up: Cell<bool>,
    waiters: Waiters<Side>,
}

/// Where a source is registered.
pub(crate) struct Place {
    /// The run whose reactor it is, if there is one.
    pub(crate) run: Cell<RunId>,
    pub(crate) key: Cell<Key>,
}

/// A source's number in a reactor.
pub(crate) type Key = u32;

/// One direction of a source.
pub(crate) struct Direction {
    ready: Cell<bool>,
    /// There is more to come than one short read or write shows: the end, an error, what follows
    /// urgent data.
    lasting: Cell<bool>,
    /// The present operation that goes this way through foreign traits, whose `poll` functions have
    /// no state of their own, has let others run, or its task had not used up its budget.
    pub(crate) paid: Cell<bool>,
}

/// Which way an operation goes.
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

/// Until when a direction is ready.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// An operation gets less than it asked for.
    Short,
    /// An operation would block: what there is does not show in one that is short.
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
        // A new source is worth a try: the kernel tells only what changes.
        Direction { ready: Cell::new(true), lasting: Cell::new(false), paid: Cell::new(false) }
    }
}

impl Direction {
    /// Whether an operation is worth a try.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.get()
    }

    /// An operation would have blocked: wait for the kernel to say otherwise.
    #[inline]
    pub(crate) fn clear_ready(&self) {
        self.ready.set(false);
        self.lasting.set(false);
    }

    /// An operation got less than it asked for, so the next one would block: the kernel will tell
    /// when it does not any more. Not so if it has told of something that no later news will be
    /// of.
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
        // An error or a hang-up is something that the next read or write reports.
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
        // Those who were cancelled before have been woken for that.
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

    /// Joins those who wait.
    #[inline]
    pub(super) fn join(
        &self,
        mut side: Side,
        cx: &Context<'_>,
        kept: &mut Kept,
    ) -> Registered<Ticket> {
        self.waiters.bring(&mut side, cx, kept)
    }

    /// Looks what has become of one who waits: if there was news, it tries again.
    pub(super) fn look(&self, ticket: Ticket, cx: &Context<'_>) -> Look<()> {
        match self.waiters.look(ticket, cx) {
            Outcome::Handed(_) => Look::Tries,
            outcome => outcome.look(|_| ()),
        }
    }

    /// Gives a place up.
    pub(super) fn leave(&self, ticket: Ticket) {
        drop(self.waiters.leave(ticket)); // foreign code
    }

    /// Waits without a place of one's own, for `poll` functions of foreign traits.
    pub(crate) fn leave_waker(&self, side: Side, waker: &Waker) {
        self.waiters.leave_waker(side, waker);
    }

    /// Forgets what was known, and who waited: the source is going to another reactor.
    pub(super) fn reset(&self) {
        self.read.reset();
        self.write.reset();
        self.input_ended.set(false);
        self.hung_up.set(false);
        drop(self.waiters.forget_all()); // foreign code
    }
}
